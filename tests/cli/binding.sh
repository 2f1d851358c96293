# A binding is proved, not believed: the kernel's word stands in the results, and a launcher that
# puts the ranks elsewhere than planned fails the run with rank, planned and seen.
. "$(dirname "$0")/lib.sh"
cpus=$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)))')
[ "$cpus" -ge 2 ] || skip "one CPU: nothing to mix up"
cat >job.yaml <<'END'
ranks: 2
matrix: {x: 1-4}
command: [grep, Cpus_allowed_list, /proc/self/status]
results: job.h5
END

expect 0 "$GRIDMILL" run job.yaml
h5 "
r = f['ranks']
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
planned = [text(v) for v in r['planned'][...]]
seen = [text(v) for v in r['seen'][...]]
assert len(set(planned)) == 2, planned
assert seen == planned, (planned, seen)" job.h5

# An mpirun that exchanges the two ranks' slots in the rankfile and then does as it is told.
real=$(command -v mpirun) || fail "no mpirun"
cat >swapped <<END
#!/usr/bin/env bash
for word in "\$@"; do
    if [ -f "\$word" ] && [ "\$(basename "\$word")" = rankfile ]; then
        mapfile -t slot < <(sed 's/.*slot=//' "\$word")
        sed -i "1s/slot=.*/slot=\${slot[1]}/; 2s/slot=.*/slot=\${slot[0]}/" "\$word"
    fi
done
exec $real "\$@"
END
chmod +x swapped
mkdir wrong
sed 's/^results:.*/results: wrong\/job.h5/' job.yaml >wrong.yaml
expect 2 env GRIDMILL_MPIRUN="$work/swapped" "$GRIDMILL" run wrong.yaml
says 'rank 0 .*planned on cpus [0-9]+.* [0-9]+'
[ ! -e wrong/job.h5 ] || fail "results, though the ranks stood wrong"

# A foreign launcher's binding: kept where it bound the ranks apart or to part of the machine, made
# by the runner where all are free; what the ranks saw is what the plan says in any case.
cat >foreign.yaml <<'END'
matrix: {x: 1-6}
command: [grep, Cpus_allowed_list, /proc/self/status]
results: foreign.h5
END
all=$("$PYTHON" -c 'import os; print(*sorted(os.sched_getaffinity(0)))')
read -r -a cpu <<<"$all"

foreign() # WANTED COMMAND...; WANTED: "kept apart", "kept shared", "made apart", "kept all"
{
    local want=$1
    shift
    rm -f foreign.h5 foreign.summary.json
    expect 0 "$@"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
inherited, planned, seen = ([text(v) for v in f['ranks'][k][...]] for k in ('inherited', 'planned', 'seen'))
who, how = sys.argv[2].split()
assert seen == planned, (planned, seen)
assert (planned == inherited) == (who == 'kept'), (inherited, planned)
assert (len(set(planned)) == len(planned)) == (how == 'apart'), planned
assert how != 'shared' or set(planned) == {sys.argv[3]}, planned" foreign.h5 "$want" "${cpu[1]}"
}
run=("$RUNNER" foreign.yaml -q)
foreign "kept apart" "${MPIRUN[@]}" -n 2 --bind-to core "${run[@]}"
foreign "made apart" "${MPIRUN[@]}" -n 2 --bind-to none "${run[@]}"
foreign "kept shared" "${MPIRUN[@]}" -n 2 --bind-to none taskset -c "${cpu[1]}" "${run[@]}"
foreign "kept shared" "${MPIRUN[@]}" -n 2 --bind-to core taskset -c "${cpu[1]}" "${run[@]}"
foreign "made apart" "${MPIRUN[@]}" -n 2 --bind-to none taskset -c "${cpu[0]},${cpu[1]}" "${run[@]}"
foreign "kept all" "${MPIRUN[@]}" -n $((cpus + 1)) --bind-to none "${run[@]}"
# Words that are a launcher's to obey bind nobody here; threads count as cores do.
for set in mapping=inherited mapping=ppr:2:node per-rank.threads=$((cpus + 1)); do
    foreign "kept all" "${MPIRUN[@]}" -n 2 --bind-to none "${run[@]}" --set "$set"
done
exit 0
