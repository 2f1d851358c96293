# Ranks whose bits would differ are refused before the first task: products of doubles by other loops
# of OpenBLAS (another build: verify.sh). Products of floats do not care.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
ranks: 2
kernel: gemm
matrix: {i: 1-4}
args: {n: 64, repeat: 1, dtype: float64}
results: job.h5
END
pair() # CORE-OF-RANK-0 CORE-OF-RANK-1 OPTIONS...
{
    local a=$1 b=$2
    shift 2
    "${MPIRUN[@]}" -n 1 -x "OPENBLAS_CORETYPE=$a" "$RUNNER" job.yaml "$@" : \
        -n 1 -x "OPENBLAS_CORETYPE=$b" "$RUNNER" job.yaml "$@" >"$work/out" 2>"$work/err" </dev/null
}
pair Nehalem Nehalem --set 'args.dtype=float32' || fail "exit $?"
rm job.h5
pair Nehalem Nehalem || fail "exit $?: the same core on both"
h5 "
rank = f['ranks']
def texts(g):
    at, data = g['offset'][:], g['data'][:].tobytes()
    return [data[a:b].decode() for a, b in zip(at, at[1:])]
device = texts(rank['device']) if hasattr(rank['device'], 'keys') else [d.decode() for d in rank['device'][:]]
assert len(device) == 2 and all(d.startswith('cpu, OpenBLAS ') and 'Nehalem' in d for d in device), device" job.h5
rm job.h5

pair Nehalem Prescott
rc=$?
case $(cat err) in
    *Nehalem*) ;;
    *) [ $rc -ne 0 ] || skip "this OpenBLAS has one core only" ;;
esac
[ $rc -eq 2 ] || fail "exit $rc instead of 2"
says 'rank 1 \(.*\): stage main computes with OpenBLAS .*Prescott.* here, but with OpenBLAS .*Nehalem.* on rank 0 \('
says 'run it on hosts that agree'
[ "$(grep -c 'computes with' err)" -eq 1 ] || fail "said more than once"
nothing_left "$work/job.h5"
pair Nehalem Prescott --set 'args.dtype=float32' || fail "exit $?: floats depend on no core"
rm job.h5
# What varies from task to task may be of either kind.
pair Nehalem Prescott --set 'matrix.dtype=[float32, float64]' --set 'args.dtype=${dtype}'
rc=$?
[ $rc -eq 2 ] || fail "exit $rc instead of 2"
says 'computes with OpenBLAS'

exit 0
