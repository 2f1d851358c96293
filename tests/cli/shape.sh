# A command without a jobspec: --shape S -- CMD and --ranks N -- CMD.
. "$(dirname "$0")/lib.sh"

expect 0 "$GRIDMILL" check --shape 'slot=4/core=2'
says '^slot=4/core=2: fine: 4 slots, 8 cores$'
expect 0 "$GRIDMILL" check --shape 'node=2/slot=2-4/[core=2;gpu]'
says 'at least 2 nodes, 4 slots, 8 cores, 4 gpus'
expect 0 "$GRIDMILL" check --shape 'slot=4/core=2' --canonical
"$PYTHON" -c "
import json
(slot,) = json.load(open('out'))
assert slot['type'] == 'slot' and slot['count'] == 4, slot
assert slot['with'] == [dict(type='core', count=2)], slot" || fail "the resources of a shape"
expect 0 "$GRIDMILL" check --shape 'slot=4/core=2' --json
"$PYTHON" -c "
import json
v = json.load(open('out'))
assert v['counts']['cores'] == 8 and v['resources'][0]['count'] == 4, v" || fail "JSON of a shape"
expect 2 "$GRIDMILL" check --shape 'slot=4/core=0'
says 'at character 13'
expect 2 env NO_COLOR=1 TERM=xterm "$PYTHON" -B "$GRIDMILL_SOURCE/tests/cli/terminal.py" 80 \
    "$GRIDMILL" check --shape 'slot=4/core=0'
says '^    1 \| slot=4/core=0$'
says '^      \|             \^$'

# The document of a command: version 1 where RFC 25 allows it.
expect 0 "$GRIDMILL" check --shape 'slot=2/core' --name hosts --time 10m --canonical -- hostname -s
"$PYTHON" - out "$work" <<'END' || fail "the document of a command"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["version"] == 1 and d["tasks"][0]["command"] == ["hostname", "-s"], d
s = d["attributes"]["system"]
assert (s["duration"], s["cwd"], s["job"]["name"]) == (600, sys.argv[2], "hosts"), s
END
expect 0 "$GRIDMILL" check --shape 'slot=1-2/core' --canonical -- hostname
"$PYTHON" -c "
import json
assert json.load(open('out'))['version'] == 999" || fail "a moldable shape is no version 1"

# They run, here, and leave ./NAME.h5.
expect 0 "$GRIDMILL" run --shape 'slot=1/core' -- sh -c 'echo "in $PWD"'
says "in $work\$"
[ -f sh.h5 ] || fail "no sh.h5"
expect 0 "$GRIDMILL" run --ranks 1 --name mine -- echo --not-an-option
says '^ +--not-an-option$'
[ -f mine.h5 ] || fail "no mine.h5"
expect 0 "$GRIDMILL" run --ranks 1 --results other.h5 -q -- echo
[ -f other.h5 ] || fail "no other.h5"
expect 2 "$GRIDMILL" run --ranks 1 --name mine -- echo again
says 'mine\.h5.*--force'
expect 1 "$GRIDMILL" run --ranks 1 --name bad -- false
expect 0 "$GRIDMILL" plan --ranks 1 --name planned -- hostname
says '^planned: 1 task in 1 stage on 1 rank'
[ ! -e planned.h5 ] || fail "plan left results"

refused() # REGEX ARGS...
{
    local want=$1
    shift
    expect 2 "$GRIDMILL" "$@"
    says "$want"
}
refused 'a command is missing' run --shape slot/core
refused 'a command stands behind --' run --shape slot/core x -- hostname
refused 'say how often: gridmill run --ranks N -- hostname, or --shape' run -- hostname
refused 'say how often' plan -- sh -c true
refused '--ranks stands beside --shape' run --shape slot/core --ranks 2 -- hostname
refused 'at character 6' run --shape slot= -- hostname
refused 'no slot' run --shape core=2 -- hostname
refused '--time' run --shape slot/core --time soon -- hostname
refused 'something is missing' run
exit 0
