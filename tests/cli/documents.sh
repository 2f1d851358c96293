# Several documents in a file are several jobs: their order, what can never run, one of them.
. "$(dirname "$0")/lib.sh"

job() # NAME WORDS NEEDS...
{
    local name=$1 words=$2
    shift 2
    printf -- '---\nname: %s\nranks: 1\ncommand: [%s]\nneeds: [%s]\n' "$name" "$words" "$*"
}
{
    job report 'sh, -c, "echo report >> log"' afterok:train
    job prepare 'sh, -c, "echo prepare >> log"'
    job train 'sh, -c, "echo train >> log"' afterok:prepare, after:prepare
    job clean 'sh, -c, "echo clean >> log"' afternotok:train
    job last 'sh, -c, "echo last >> log"' afterany:clean, afterany:report
} >jobs.yaml

order() # WORDS: who ran, in this order
{
    [ "$(tr '\n' ' ' <log)" = "$1 " ] || fail "ran $(tr '\n' ' ' <log) instead of $1"
    rm -f log
}
expect 0 "$GRIDMILL" check jobs.yaml
expect 1 "$GRIDMILL" run jobs.yaml
order "prepare train report last"
says '^  clean    not run: needs afternotok:train, but train is done$'
says '^  report   done$'
[ ! -e clean.h5 ] || fail "a job that was not run has results"
[ -f prepare.h5 ] && [ -f last.h5 ] || fail "no results of a job"

sed 's/echo train >> log/exit 3/' jobs.yaml >failing.yaml
expect 1 "$GRIDMILL" run failing.yaml --force --json
order "prepare clean last"
"$PYTHON" - out <<'END' || fail "the list of summaries"
import json, sys
v = json.load(open(sys.argv[1]))
assert v["schema"] == "gridmill.runs/1" and v["code"] == 1, v
jobs = {j["name"]: j for j in v["jobs"]}
assert [j["document"] for j in v["jobs"]] == [1, 2, 3, 4, 5]
assert jobs["prepare"]["summary"]["schema"] == "gridmill.summary/1"
assert jobs["train"]["code"] == 1 and jobs["train"]["run"], jobs["train"]
assert not jobs["report"]["run"] and jobs["report"]["summary"] is None
assert jobs["report"]["reason"] == "needs afterok:train, but train failed", jobs["report"]
assert jobs["clean"]["code"] == 0
END

# One of them, by name and by number; alone it waits for nobody.
expect 0 "$GRIDMILL" run jobs.yaml --document clean --force
order clean
says 'clean: .*--document'
expect 0 "$GRIDMILL" run jobs.yaml --document 2 --force -q
order prepare
expect 0 "$GRIDMILL" plan jobs.yaml --document train
says '^train: 1 task'
expect 2 "$GRIDMILL" plan jobs.yaml
says 'holds 5 jobs: choose one by --document.*report, prepare, train, clean, last'
expect 2 "$GRIDMILL" run jobs.yaml --document nobody
says 'report, prepare'
expect 2 "$GRIDMILL" run jobs.yaml --document 6
says '6'
expect 2 "$GRIDMILL" run jobs.yaml --document 0
for which in prepare 2; do
    rm -f log
    expect 0 "${MPIRUN[@]}" -n 1 "$RUNNER" --document $which --force jobs.yaml
    order prepare
done
expect 2 "${MPIRUN[@]}" -n 1 "$RUNNER" --force jobs.yaml
says 'document'

# A time to begin at: waited for, others before it.
now=$(date +%s)
{
    job late 'sh, -c, "echo late >> log"' "\"begin-time:$((now + 3))\""
    job early 'sh, -c, "echo early >> log"'
} >time.yaml
expect 0 "$GRIDMILL" run time.yaml
order "early late"
[ "$(date +%s)" -ge $((now + 3)) ] || fail "the job did not wait for its time"
says 'late: begins in'

# Ctrl-C while it waits ends all.
sed "s/begin-time:[0-9]*/begin-time:$((now + 3600))/" time.yaml >hours.yaml
: >err # the last one said the same
"$GRIDMILL" run hours.yaml --force >out 2>err &
pid=$!
for i in $(seq 100); do
    grep -q 'late: begins in' err && break
    sleep 0.1
done
kill -INT $pid
wait $pid
[ $? -eq 5 ] || fail "not 5 after Ctrl-C"
says 'late +not run: stopped on request'

# What cannot be waited for, before anything runs.
refused() # REGEX: of the jobs on standard input
{
    cat >r.yaml
    rm -f log
    expect 2 "$GRIDMILL" run r.yaml
    says "$1"
    [ ! -e log ] || fail "something ran all the same"
}
refused "^r\.yaml:5:9: needs: no job of this file is called 'trian'; did you mean 'train'\?$" < <(
    job score 'sh, -c, "echo >> log"' afterok:trian; job train 'sh, -c, "echo >> log"')
refused '^r\.yaml:10:9: needs: the jobs wait for each other: a -> b -> a$' < <(
    job a 'sh, -c, "echo >> log"' afterok:b; job b 'sh, -c, "echo >> log"' afterany:a)
mv r.yaml cycle.yaml
expect 2 "$GRIDMILL" check cycle.yaml
says '^cycle\.yaml:10:9: needs: the jobs wait for each other: a -> b -> a$'
refused 'this file holds no other: put both into one file, as documents with ---' < <(
    job score 'sh, -c, "echo >> log"' afterok:train)
expect 0 "$GRIDMILL" check r.yaml # another file may hold it
# A --set that is wrong in each of them is told once.
expect 2 "$GRIDMILL" check --set ranks=x r.yaml cycle.yaml
[ "$(cat "$work/out" "$work/err" | grep -c "^--set ranks=x: ranks: ")" -eq 2 ] || fail "a --set told for each document"
exit 0
