# What each rank got is compared with the plan after the start: strict refuses with rank, planned
# and seen before anything is computed, warn goes on and records it, off says nothing.
. "$(dirname "$0")/lib.sh"
read -r -a cpu < <("$PYTHON" -c 'import os; print(*sorted(os.sched_getaffinity(0)))')
[ "${#cpu[@]}" -ge 2 ] || skip "one CPU: nothing to mix up"
here=$(hostname)
real=$(command -v mpirun) || fail "no mpirun"
mkdir made
cat >job.yaml <<END
ranks: 2
matrix: {x: 1-4}
command: [touch, $work/made/did]
results: $work/made/job.h5
END

# An mpirun that changes the rankfile or the plan in the job's folder by a sed script of ours, and
# then does as it is told.
cat >between <<END
#!/usr/bin/env bash
words=()
for word in "\$@"; do
    case \$word in
        */rankfile | */plan.json) sed -i -E "\$GRIDMILL_TEST_SED" "\$word" ;;
        */gridmill-runner) words+=(\$GRIDMILL_TEST_BEFORE) ;; # mpirun sets policies back
    esac
    words+=("\$word")
done
exec $real "\${words[@]}"
END
chmod +x between
swap="/^rank /{s/slot=${cpu[0]}\$/slot=x/;s/slot=${cpu[1]}\$/slot=${cpu[0]}/;s/slot=x/slot=${cpu[1]}/}"

through() # SED-SCRIPT EXIT OPTIONS...
{
    local sed=$1 rc=$2
    shift 2
    rm -rf made/*
    expect "$rc" env GRIDMILL_MPIRUN="$work/between" GRIDMILL_TEST_SED="$sed" \
        "$GRIDMILL" run job.yaml "$@"
}

refused() # PATTERN: said, and nothing was computed or left behind
{
    says "$1"
    [ -z "$(ls made)" ] || fail "something was left behind: $(ls made)"
}

lines() # N PATTERN: so many lines of the errors say it
{
    [ "$(grep -cE -- "$2" err)" -eq "$1" ] || fail "not $1 lines of: $2"
}

recorded() # FILE PYTHON-EXPRESSION over the columns of /ranks
{
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
r = {k: [text(v) for v in f['ranks'][k][...]]
     for k in ('host', 'planned', 'inherited', 'seen', 'memory', 'gpus', 'mismatch')}
assert ($2), r" "$1"
}

# A rankfile that is wrong on purpose.
wrong="planned on cpus ${cpu[0]}, but the launcher bound it to ${cpu[1]}"
through "$swap" 2
refused "2 ranks are not as planned, the first of them: rank 0 \($here\): $wrong"
says "rank 1 \($here\): planned on cpus ${cpu[1]}, but the launcher bound it to ${cpu[0]}"
through "$swap" 2 --verify-binding strict
refused "$wrong"
through "$swap" 0 --verify-binding warn
lines 1 "not as planned: rank 0 \($here\): $wrong"
lines 2 "not as planned"
recorded made/job.h5 "r['seen'] == r['inherited'] == r['planned'][::-1] and all(
    'planned on cpus ' + p + ', but' in m for p, m in zip(r['planned'], r['mismatch']))"
through "$swap" 0 --verify-binding off
says_not 'as planned|planned on'
recorded made/job.h5 "r['seen'] == r['planned'][::-1] and r['mismatch'] == ['', '']"
through "" 0
says_not 'not as planned'
recorded made/job.h5 "r['seen'] == r['planned'] and r['mismatch'] == ['', ''] and
    r['gpus'] == ['all'] * 2"

# A binding that is right at the start and changed while the task runs.
cat >moved.yaml <<END
ranks: 1
command: [sh, -c, 'taskset -acp ${cpu[1]} \$PPID >/dev/null']
results: $work/made/moved.h5
END
moved="planned on cpus ${cpu[0]}, but the kernel shows ${cpu[0]}[-,]${cpu[1]} while its task runs"
rm -rf made/*
expect 5 "$GRIDMILL" run moved.yaml
says "rank 0 \($here\): $moved"
rm -rf made/*
expect 5 "${MPIRUN[@]}" -n 1 --bind-to core "$RUNNER" moved.yaml --verify-binding strict
says "rank 0 \($here\): $moved"
rm -rf made/*
expect 0 "$GRIDMILL" run moved.yaml --verify-binding warn
lines 1 "not as planned: rank 0 \($here\): $moved"
recorded made/moved.h5 "'while its task runs' in r['mismatch'][0]"
rm -rf made/*
expect 0 "$GRIDMILL" run moved.yaml --verify-binding off
says_not 'planned on'

# Another host than planned.
through "s/^( *\"host\": )\"$here\"/\\1\"elsewhere\"/" 2
refused "rank 0 \($here\): planned on host elsewhere, but the launcher started it on $here"

# Memory: nodes that the cpuset does not have, and a strict policy.
through 's/"mems": "[0-9,-]+"/"mems": "77"/' 2
refused 'rank 0 .*planned on memory of NUMA nodes 77, but its cpuset allows only [0-9]'
cat >bound.py <<'END'
import ctypes, os, sys
mask = (ctypes.c_ulong * 16)(1)
if ctypes.CDLL(None, use_errno=True).syscall(238, 2, mask, 1025) != 0:  # MPOL_BIND to node 0
    sys.exit(99)
os.execvp(sys.argv[1], sys.argv[1:])
END
if [ "$(uname -m)" = x86_64 ] && "$PYTHON" bound.py true; then
    export GRIDMILL_TEST_BEFORE="$PYTHON $work/bound.py"
    through 's/"mems": "[0-9,-]+"/"mems": "77"/' 2
    refused 'planned on memory of NUMA nodes 77, but a strict memory policy binds it to 0'
    through 's/"mems": "[0-9,-]+"/"mems": "0"/' 0
    recorded made/job.h5 "r['memory'] == ['0', '0'] and r['mismatch'] == ['', '']"
    unset GRIDMILL_TEST_BEFORE
else
    echo "no memory policy here: not tried"
fi

# Threads: the plan's; more than a rank has PUs is told where somebody else set them.
cat >threads.yaml <<'END'
ranks: 2
command: [sh, -c, 'echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS']
results: made/threads.h5
END
stdout_is() # TEXT
{
    h5 "
got = bytes(f['logs/main/stdout/data'][...].tobytes()).decode()
assert got == sys.argv[2] + '\n', got" made/threads.h5 "$1"
}
rm -rf made/*
expect 0 env OMP_NUM_THREADS=64 OPENBLAS_NUM_THREADS=64 "$GRIDMILL" run threads.yaml
stdout_is "1 1"
says_not 'NUM_THREADS'
foreign() # EXIT MPIRUN-ARGUMENTS...
{
    local rc=$1
    shift
    rm -rf made/*
    expect "$rc" "${MPIRUN[@]}" -n 2 --bind-to core "$@"
}
foreign 0 env OMP_NUM_THREADS=64 "$RUNNER" threads.yaml
lines 1 "not as planned: rank 1 .*: OMP_NUM_THREADS=64, but it has 1 PU \(cpus [0-9]+\)"
lines 2 "not as planned"
stdout_is "1 1"
recorded made/threads.h5 "all('OMP_NUM_THREADS=64' in m for m in r['mismatch'])"
foreign 2 env OPENBLAS_NUM_THREADS=64,2 "$RUNNER" threads.yaml --verify-binding strict
refused 'rank 0 .*OPENBLAS_NUM_THREADS=64, but it has 1 PU'
foreign 0 env OMP_NUM_THREADS=1 "$RUNNER" threads.yaml --verify-binding strict
foreign 0 env OMP_NUM_THREADS=64 "$RUNNER" threads.yaml --verify-binding off
says_not 'as planned'
expect 2 "$GRIDMILL" run job.yaml --set 'env={OMP_NUM_THREADS: "3"}'
says 'rank 0 .*: stage main sets OMP_NUM_THREADS=3, but it has 1 PU'

# More ranks than are told one by one.
foreign_many=("${MPIRUN[@]}" -n 11 --bind-to none env OMP_NUM_THREADS=9999)
expect 0 "${foreign_many[@]}" "$RUNNER" threads.yaml --force --set ranks=11
lines 9 'not as planned'
lines 1 'not as planned: and 3 more ranks$'
expect 2 "${foreign_many[@]}" "$RUNNER" threads.yaml --force --set ranks=11 --verify-binding strict
says '11 ranks are not as planned, the first of them: rank 0 .*OMP_NUM_THREADS=9999'

# Two ranks on one GPU, which nobody asked for: refused also where the rest is only told.
gpu=(env CUDA_VISIBLE_DEVICES=1,0)
foreign 2 env CUDA_VISIBLE_DEVICES=0 "$RUNNER" threads.yaml --set per-rank.gpus=1
refused "rank 1 \($here\): has GPU 0 in common with rank 0: give each rank its own"
foreign 2 env ROCR_VISIBLE_DEVICES=GPU-4e,2 "$RUNNER" threads.yaml --set per-rank.gpus=1
refused "rank 1 \($here\): has GPU GPU-4e in common with rank 0"
foreign 0 "${gpu[@]}" "$RUNNER" threads.yaml --set per-rank.gpus=1 --verify-binding warn
lines 1 'not as planned: rank 1 .*has GPU [01] in common with rank 0'
recorded made/threads.h5 "'GPU' in r['mismatch'][1] and r['gpus'] == ['1,0', '1,0']"
foreign 0 "${gpu[@]}" "$RUNNER" threads.yaml --set per-rank.gpus=1 --verify-binding off
foreign 0 sh -c "CUDA_VISIBLE_DEVICES=\$OMPI_COMM_WORLD_RANK exec '$RUNNER' threads.yaml --set per-rank.gpus=1"
foreign 0 "${gpu[@]}" "$RUNNER" threads.yaml # no GPUs asked for, none looked at
foreign 2 "$RUNNER" threads.yaml --set per-rank.gpus=1
says 'rank 1 .*has GPU all in common with rank 0'

# Two builds of the runner in one job.
build=$("$RUNNER" --version | sed 's/^gridmill-runner //')
other=$(tr 'a-f0-9' 'b-g1-9a' <<<"${build#*+}" | cut -c "1-${#build}")
sed "s/${build#*+}/$other/g" "$RUNNER" >runner-other
chmod +x runner-other
[ "$(./runner-other --version)" = "gridmill-runner ${build%%+*}+$other" ] || fail "no other build made"
rm -rf made/*
expect 2 "${MPIRUN[@]}" -n 1 "$RUNNER" threads.yaml : -n 1 ./runner-other threads.yaml
refused "rank 1 \($here\): is gridmill ${build%%+*}.$other, but rank 0 \($here\) is gridmill ${build%%+*}.${build#*+}"

# Words that are none.
expect 2 "$GRIDMILL" run job.yaml --verify-binding sometimes
says "must be one of strict, warn, off, not 'sometimes'"
exit 0
