# gridmill check: all faults of all files, as lines, on a terminal with a caret, as JSON; what
# comes from standard input; the canonical form that can be fed back.
. "$(dirname "$0")/lib.sh"

cat >bad.yaml <<'END'
name: sweep
rnaks: 4
time: 10 minutes
tasks:
  - {name: train, kernel: sleep, args: {seconds: "${sed}"}, matrix: {seed: 1-8}}
END
cat >good.yaml <<'END'
ranks: 2
kernel: sleep
args: {seconds: 0}
END
cat >two.yaml <<'END'
name: one
ranks: 1
command: [echo, one]
---
name: two
ranks: 2
command: [echo, two]
END

# Lines, and nothing else, when nobody looks.
expect 2 "$GRIDMILL" check bad.yaml good.yaml
cat >wanted <<'END'
bad.yaml:2:1: unknown key 'rnaks'; did you mean 'ranks'?
bad.yaml:3:7: time: '10 minutes' is no duration: ' minutes' is not one of ms, s, m, h, d
bad.yaml:5:50: tasks[0].args.seconds: no axis 'sed' in the matrix; did you mean 'seed'?
END
cmp -s wanted err || fail "not the lines that were wanted: $(diff wanted err)"
[ "$(cat out)" = "good.yaml: fine: job good, 1 stage, 1 task" ] || fail "good.yaml is not fine"
expect 0 "$GRIDMILL" check two.yaml
says '^two\.yaml: fine: document 1, job one, 1 stage, 1 task$'
says '^two\.yaml: fine: document 2, job two, 1 stage, 1 task$'
expect 0 "$GRIDMILL" check --document two two.yaml
says_not 'job one'
expect 2 "$GRIDMILL" check --document three two.yaml
says 'one, two'

# On a terminal: the line, the caret, the totals; no colour when it is not wanted.
show() # COLUMNS CODE ARGS...
{
    local columns=$1 code=$2
    shift 2
    expect "$code" env LC_ALL=C.UTF-8 TERM=xterm "$PYTHON" -B \
        "$GRIDMILL_SOURCE/tests/cli/terminal.py" "$columns" "$@"
}
show 80 2 env NO_COLOR=1 "$GRIDMILL" check bad.yaml good.yaml
cat >wanted <<'END'
bad.yaml:2:1: unknown key 'rnaks'; did you mean 'ranks'?
    2 | rnaks: 4
      | ^
bad.yaml:3:7: time: '10 minutes' is no duration: ' minutes' is not one of ms, s, m, h, d
    3 | time: 10 minutes
      |       ^
bad.yaml:5:50: tasks[0].args.seconds: no axis 'sed' in the matrix; did you mean 'seed'?
    5 | …{name: train, kernel: sleep, args: {seconds: "${sed}"}, matrix: {seed:…
      |                                               ^
good.yaml: fine: job good, 1 stage, 1 task
3 errors, 0 warnings in 2 files
END
sed 's/^    5 | .*/    5 | /; /^      |  \{40,\}^$/d' out >shown
sed 's/^    5 | .*/    5 | /; /^      |  \{40,\}^$/d' wanted | cmp -s - shown ||
    fail "not what a terminal should show"
"$PYTHON" - out <<'END' || fail "the caret does not stand below its place"
import sys
lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
at = next(i for i, l in enumerate(lines) if l.startswith("    5 | "))
caret = lines[at + 1].index("^")
assert lines[at][caret:].startswith('"${sed}"'), lines[at:at + 2]
assert len(lines[at]) <= 80, len(lines[at])
END
show 80 2 "$GRIDMILL" check bad.yaml
grep -q $'\033\[1;31m^\033\[0m' out || fail "no colour on a terminal"
show 80 0 "$GRIDMILL" check good.yaml
says_not 'errors'

# JSON.
expect 2 "$GRIDMILL" check --json bad.yaml good.yaml two.yaml none.yaml
"$PYTHON" - out <<'END' || fail "the JSON is not what was wanted"
import json, sys
v = json.load(open(sys.argv[1]))
assert v["schema"] == "gridmill.check/1" and v["errors"] == 4 and v["warnings"] == 0, v
bad, good, two, none = v["files"]
assert not bad["valid"] and [f["line"] for f in bad["faults"]] == [2, 3, 5], bad
assert all(f["severity"] == "error" for f in bad["faults"])
assert bad["documents"] == [dict(document=1, form="short", name="sweep", valid=False)], bad
(d,) = good["documents"]
assert good["valid"] and d["form"] == "short" and d["name"] == "good", d
assert d["counts"] == dict(nodes=None, slots=2, tasks=1, cores=2, gpus=0, least=False), d
assert d["stages"] == [dict(name="main", kernel="sleep", tasks=1)], d
assert [d["name"] for d in two["documents"]] == ["one", "two"] and two["valid"]
assert not none["valid"] and none["faults"][0]["line"] == 0, none
END
printf 'name: a\nranks: 1\ncommand: [x]\n---\nname: b\nrank: 1\ncommand: [x]\n' >half.yaml
expect 2 "$GRIDMILL" check --json half.yaml
"$PYTHON" -c "
import json
d = json.load(open('out'))['files'][0]['documents']
assert [(x['name'], x['valid']) for x in d] == [('a', True), ('b', False)], d" ||
    fail "which document is wrong"

# The canonical form: of several jobs a stream, which is its own canonical form.
expect 0 "$GRIDMILL" check --canonical two.yaml
cp out canonical.yaml
"$PYTHON" - canonical.yaml <<'END' || fail "no stream of two JSON documents"
import json, sys
docs = open(sys.argv[1]).read().split("\n---\n")
assert [json.loads(d)["attributes"]["system"]["job"]["name"] for d in docs] == ["one", "two"]
END
expect 0 "$GRIDMILL" check --canonical canonical.yaml
cmp -s out canonical.yaml || fail "canonical(canonical(x)) is another"
expect 0 "$GRIDMILL" check canonical.yaml
says 'document 2, job two, 2 slots, 2 cores'
expect 0 "$GRIDMILL" check --require-version 1 canonical.yaml
sed -i 's/"version": 1,/"version": 999,/' canonical.yaml
expect 2 "$GRIDMILL" check --require-version 1 canonical.yaml
expect 0 "$GRIDMILL" check --require-version any canonical.yaml
expect 2 "$GRIDMILL" check --require-version 2 canonical.yaml
says 'must be 1 or any'
# RFC 25 that only the document itself asked for: what else there is.
cat >graph.yaml <<'END'
version: 1
resources: [{type: slot, label: s, count: 1, with: [{type: socket, count: 1, with: [{type: core, count: 1}]}]}]
tasks: [{command: [a], slot: s, count: {per_slot: 1}}]
attributes: {system: {duration: 0}}
END
expect 2 "$GRIDMILL" check graph.yaml
says '^graph\.yaml: note: version 1 is held to RFC 25; .* --require-version any$'
expect 0 "$GRIDMILL" check --require-version any graph.yaml
expect 2 "$GRIDMILL" check --require-version 1 graph.yaml
says_not 'note:'
for dialect in rfc flux-core fluxion; do
    expect 0 "$GRIDMILL" check --dialect $dialect canonical.yaml
done
expect 2 "$GRIDMILL" check --dialect short canonical.yaml
expect 2 "$GRIDMILL" check --dialect flux canonical.yaml
says 'short, rfc, flux-core or fluxion'

# Standard input, as YAML and as JSON.
"$GRIDMILL" check - <good.yaml >out 2>err || fail "check -"
says '^-: fine: job job, '
echo '{"kernel": "sleep", "args": {"seconds": 0}}' | "$GRIDMILL" check - >out 2>err || fail "JSON"
"$GRIDMILL" check - <bad.yaml >out 2>err && fail "a bad one is fine"
says '^-:2:1: '
"$GRIDMILL" run - --ranks 1 --results "$work/in.h5" -q <good.yaml >out 2>err || fail "run -"
echo '{"kernel": "sleep", "args": {"seconds": 0}}' |
    "$GRIDMILL" run - --ranks 1 --results "$work/json.h5" -q >out 2>err || fail "run - with JSON"
[ "$(hash_of in.h5)" = "$(hash_of json.h5)" ] || fail "JSON and YAML of one job differ"

# YAML alone.
expect 0 "$GRIDMILL" check --yaml-only bad.yaml
printf 'a: [1\nb: 2\n' >broken.yaml
expect 2 "$GRIDMILL" check --yaml-only broken.yaml bad.yaml
says '^broken\.yaml:2:'

# The schema takes no file, and nothing is too little.
expect 0 "$GRIDMILL" check --schema
"$PYTHON" -c "import json; assert json.load(open('out'))['type'] == 'object'" || fail "no schema"
expect 2 "$GRIDMILL" check --schema good.yaml
expect 2 "$GRIDMILL" check
exit 0
