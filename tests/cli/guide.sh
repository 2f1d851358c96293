# docs/guide/results.md: its commands are accepted and its Python reads, while a job runs and after.
. "$(dirname "$0")/lib.sh"
guide=$GRIDMILL_SOURCE/docs/guide/results.md
job=$(example farm)
cp "$(example digits)" .
ln -s jobspecs/data data
PATH=$GRIDMILL_BIN:$PATH

python_block() # N: its N-th block of Python
{
    awk -v want="$1" '/^```python$/ { n++; on = n == want; next } /^```$/ { on = 0 } on' "$guide"
}
command_line() # REGEX: the one command of the guide that it fits
{
    sed -n 's/^    \(gridmill .*\)/\1/p' "$guide" | sed 's/ *#.*//' | grep -E -- "$1"
}
obey() # CODE REGEX: the commands that fit
{
    local line n=0
    while read -r line; do
        expect "$1" bash -c "$line"
        n=$((n + 1))
    done < <(command_line "$2")
    [ $n -gt 0 ] || fail "no such command in the guide: $2"
}

# While it runs.
cat >slow.yaml <<'END'
ranks: 2
oversubscribe: true
matrix: {i: 1-40}
command: [sh, -c, "echo ${i}; sleep 0.1"]
results: farm.h5
END
gridmill run slow.yaml -q >run.out 2>&1 </dev/null &
pid=$!
for _ in $(seq 100); do
    [ "$(gridmill result tasks farm.h5 --status done 2>/dev/null | wc -l)" -ge 4 ] && break
    sleep 0.1
done
expect 0 "$PYTHON" -B -c "$(python_block 3)"
says '^[1-9][0-9]* done$'
obey 0 'pack farm.h5 -o sofar.h5$'
h5 "assert 3 <= (f['tasks/status'][:] == 1).sum() < 40" sofar.h5

# After a kill of gridmill.
kill -9 "$pid"
wait "$pid"
obey 0 'tasks farm.h5'
obey 0 'result failed farm.h5$'
for _ in $(seq 150); do # its ranks notice that they are alone
    "$GRIDMILL" resume farm.h5 --oversubscribe -q >out 2>err
    rc=$?
    [ $rc -eq 2 ] || break
    sleep 0.1
done
[ $rc -eq 0 ] || fail "resume: exit $rc"
h5 "assert (f['tasks/status'][:] == 1).all()" farm.h5
rm -f farm.*

# The farm itself.
expect 0 gridmill run "$job" -q --oversubscribe --results farm.h5
expect 0 gridmill run digits.yaml -q --oversubscribe
obey 0 'show farm.h5$'
obey 0 'tasks farm.h5'
obey 0 'export'
obey 0 'hash farm.h5$'
expect 0 "$PYTHON" -B -c "$(python_block 1)"
says '^64 of 64 done$'
says '^tried again: 8$'
expect 0 "$PYTHON" -B -c "$(python_block 4)"
says "^.*(would have sufficed|the request fits)'? 0\\.[0-9]+$"
says "^\\('tasks', 'counted'"
expect 0 "$PYTHON" -B -c "$(python_block 2)"
says '^64 '
says '^\{"column":4\}$'
cp farm.h5 yesterday.h5
cp farm.h5 today.h5
cp digits.h5 laptop.h5
mv digits.h5 cluster.h5
obey 0 'diff'
[ -s train.csv ] && [ -s farm.csv ] && [ -s loss.npy ] && [ -s digits.json ] || fail "an export is empty"
exit 0
