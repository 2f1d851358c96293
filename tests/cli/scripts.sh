# Batch scripts: their directives are a jobspec, by gridmill and by gridmill-runner under mpirun.
. "$(dirname "$0")/lib.sh"

cat >batch.sh <<'END'
#!/bin/bash -u
# What the script needs:
#GRIDMILL: --ranks=2 --per-rank.cores 1 --oversubscribe  # two of them
#GRIDMILL: --time=10m --name="batch-job"
#GRIDMILL: --env='{WORD: "two words"}'

echo "$0 says $WORD"
END
expect 0 "$GRIDMILL" check batch.sh
says 'batch\.sh: fine: job batch-job, 1 stage, 1 task'
expect 0 "$GRIDMILL" check --canonical batch.sh
"$PYTHON" - out "$work" <<'END' || fail "the script's jobspec is not what it says"
import json, sys
d = json.load(open(sys.argv[1]))
a = d["attributes"]
(stage,) = a["user"]["gridmill"]["tasks"]
assert d["resources"][0]["count"] == 2 and a["system"]["duration"] == 600, d
assert a["system"]["job"]["name"] == "batch-job" and a["system"]["cwd"] == sys.argv[2], d
assert stage["command"] == ["/bin/bash", "-u", sys.argv[2] + "/batch.sh"], stage
assert stage["env"] == {"WORD": "two words"} and a["user"]["gridmill"]["oversubscribe"], stage
END
expect 0 "$GRIDMILL" plan batch.sh
says 'batch-job: 1 task in 1 stage on 2 ranks'
expect 0 "$GRIDMILL" run batch.sh
says "says two words"
first=$(hash_of batch-job.h5)
expect 0 "$GRIDMILL" run batch.sh --ranks 1 --force --set 'env.WORD=other'
says 'says other'

# Tasks between triple quotes, each fault in its own line of the script.
cat >block.sh <<'END'
#!/bin/sh
# gridmill: -n2 --set oversubscribe=true --results=block.h5
# gridmill: --tasks='''
# gridmill:   - name: say
# gridmill:     matrix: {x: 1-3}
# gridmill:     command: [echo, "x is ${x}"]
# gridmill: '''
# gridmill: --set tasks.say.env.A=1
END
expect 0 "$GRIDMILL" check block.sh
says '1 stage, 3 tasks'
expect 0 "$GRIDMILL" run block.sh
says 'x is 2'
one=$(hash_of block.h5)
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" --force block.sh
[ "$(hash_of block.h5)" = "$one" ] || fail "mpirun makes other results of a script"
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" --results m.h5 batch.sh
[ "$(hash_of m.h5)" = "$first" ] || fail "mpirun makes other results of a script that is run"
sed 's/command:/comand:/; s/1-3/3-1/' block.sh >wrong.sh
expect 2 "$GRIDMILL" check wrong.sh
says '^wrong\.sh:5:29: tasks\[0\]\.matrix\.x: '
says "^wrong\.sh:6:17: .*'comand'.*'command'"

# A shape makes a canonical job.
cat >shape.sh <<'END'
#!/bin/sh
#GRIDMILL: --shape=slot=2/core --name=shaped --time 90 --env='{N: 1}'
echo "shaped $N"
END
expect 0 "$GRIDMILL" check --canonical shape.sh
"$PYTHON" - out "$work" <<'END' || fail "the shape's document is not what it says"
import json, sys
d = json.load(open(sys.argv[1]))
s = d["attributes"]["system"]
assert d["version"] == 1 and "user" not in d["attributes"], d
(slot,) = d["resources"]
assert (slot["type"], slot["count"], slot["with"][0]["type"]) == ("slot", 2, "core"), d
assert d["tasks"][0]["command"] == ["/bin/sh", sys.argv[2] + "/shape.sh"], d
assert s["duration"] == 90 and s["environment"] == {"N": "1"} and s["job"]["name"] == "shaped"
END
if [ "$CORES" -ge 2 ]; then
    expect 0 "$GRIDMILL" run shape.sh
    says 'shaped 1'
    h5 "assert len(f['tasks']['index']) == 2" shaped.h5
fi

# What is wrong, where, and what to do.
n=0
refused() # REGEX LINES...: a script of these lines below #!/bin/sh
{
    local want=$1
    shift
    n=$((n + 1))
    { echo '#!/bin/sh'; printf '%s\n' "$@"; } >r.sh
    expect 2 "$GRIDMILL" check r.sh
    says "$want"
}
refused '^r\.sh:1:1: a script without directives.*#GRIDMILL: --ranks=4' 'echo hi'
refused "^r\.sh:2:12: .*'--rnaks'.*'--ranks'" '#GRIDMILL: --rnaks=4'
refused "^r\.sh:2:12: .*'--ntasks'; it is --ranks here" '#GRIDMILL: --ntasks 4'
refused "^r\.sh:2:12: .*'-x'" '#GRIDMILL: -x 4'
refused '^r\.sh:2:12: --ranks: needs a value' '#GRIDMILL: --ranks' '#GRIDMILL: --time=1m'
refused '^r\.sh:2:12: -n: needs a value' '#GRIDMILL: -n --time=1m'
refused '^r\.sh:2:12: -t 10: minutes to Flux and Slurm, .*: write 10m or 10s$' '#GRIDMILL: -t 10'
refused "^r\.sh:2:22: 'x' belongs to no option" '#GRIDMILL: --ranks=4 x'
refused "^r\.sh:2:12: per-rank: unknown key 'core'.*'cores'" '#GRIDMILL: --per-rank.core=2'
refused '^r\.sh:2:12: ranks: must be 1 or more' '#GRIDMILL: --ranks=0'
refused '^r\.sh:2:18: --set x: must be PATH=VALUE' '#GRIDMILL: --set x'
refused '^r\.sh:2:12: .*not YAML' '#GRIDMILL: --results=[a'
refused '^r\.sh:2:12: --shape: .*at character 6' '#GRIDMILL: --shape=slot='
refused '^r\.sh:2:12: --shape: no slot' '#GRIDMILL: --shape=node=2/core'
refused '^r\.sh:3:12: --ranks stands beside --shape' '#GRIDMILL: --shape=slot/core' '#GRIDMILL: --ranks=2'
refused '^r\.sh:4:2: a directive after the directives: line 3' '#GRIDMILL: -n1' 'date' '#GRIDMILL: -n2'
refused '^r\.sh:3:1: begins with' '#GRIDMILL: -n1' '# GRIDMILL: -n2'
refused '^r\.sh:2:19: the quote . is not closed' "#GRIDMILL: --name='x"
"$GRIDMILL" check - <batch.sh >out 2>err && fail "a script without a path was taken"
says '^-:1:1: .*standard input'
expect 2 "$GRIDMILL" check --document 2 batch.sh
echo "$n scripts refused"
