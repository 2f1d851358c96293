# What the tests on several hosts share, beside tests/cli/lib.sh: a cluster of their own in $work,
# taken down at the end however the test ends. Source it first.
#
#   cluster_up N [OPTION]...   or a visible skip where namespaces are not to be had
#   on HOST COMMAND...
#   by_srun COMMAND...         on the login host; again where Slurm's start hangs
#   sbatch_end ARGUMENTS...    submits, waits, prints "STATE CODE " ("COMPLETED 0:0 ")
. "$(dirname "$0")/../cli/lib.sh"

cluster=$GRIDMILL_SOURCE/tests/cluster/cluster.sh
export GRIDMILL_CLUSTER=$work/cluster

cluster_down()
{
    "$cluster" down
}

cluster_up()
{
    local rc
    at_end+=(cluster_down)
    "$cluster" up "$@" --with $$ >"$work/out" 2>"$work/err"
    rc=$?
    [ "$rc" -ne 77 ] || skip "$(tail -n 1 "$work/err")"
    [ "$rc" -eq 0 ] || fail "no cluster, exit $rc"
}

on()
{
    "$cluster" exec "$@"
}

# Where an MPI program does not start at all, it is not ours to test.
need_mpirun() # HOST...
{
    local list=$*
    on head timeout 60 mpirun -H "${list// /,}" -n $# hostname >"$work/out" 2>"$work/err" </dev/null ||
        skip "mpirun does not work across namespaces here: $(grep -m 1 . "$work/err")"
    [ "$(sort "$work/out" | xargs)" = "$list" ] || fail "not one process a host"
}

need_srun()
{
    on head timeout 60 srun --mpi=pmix -n 2 --overcommit true >"$work/out" 2>"$work/err" ||
        skip "srun --mpi=pmix does not work here: $(head -n 1 "$work/err")"
}

# On a busy machine Slurm 22.05 with PMIx sometimes lets no rank out of MPI_Init, a bare MPI program's
# neither (docs/design/hosts.md): a start that takes 30 s is ended and tried again, visibly.
by_srun() # COMMAND...: on the login host
{
    local try rc
    for try in 1 2 3; do
        timeout 30 "$cluster" exec head "$@"
        rc=$?
        [ $rc -eq 124 ] || return $rc
        echo "start $try took 30 s and was ended: $*" >&2
    done
    return $rc
}

sbatch_end()
{
    local id state
    id=$(on head sbatch --parsable "$@" 2>"$work/err") || fail "sbatch: $(cat "$work/err")"
    for _ in $(seq 600); do
        state=$(on head scontrol show job "$id" 2>/dev/null |
            sed -nE 's/.*JobState=([A-Z_]+).*/\1/p; s/.*ExitCode=([0-9:]+).*/\1/p' | tr '\n' ' ')
        case $state in
            PENDING* | RUNNING* | COMPLETING* | CONFIGURING*) sleep 0.2 ;;
            *) echo "$state"; return ;;
        esac
    done
    echo "still $state"
}

# What a run on hosts must have left: the laptop's numbers, every rank where it was planned.
#   placed FILE WANTED-HASH "HOST HOST ..." [apart]   apart: no core of a host is of two ranks
placed()
{
    [ "$(hash_of "$1")" = "$2" ] || fail "$1: another result than on one host"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
r = {k: [text(v) for v in f['ranks'][k][...]] for k in ('host', 'planned', 'seen', 'mismatch')}
assert r['host'] == sys.argv[2].split(), r
assert r['seen'] == r['planned'] and '' not in r['seen'], r
assert set(r['mismatch']) == {''}, r
hosts = [text(v) for v in f['hosts']['name'][...]]
assert hosts == sorted(set(r['host'])), hosts
assert set(f['hosts']['topology'][...].tolist()) == {0}, 'a topology each'
assert len(f['hosts']['xml']) == 1 and len(f['hosts']['digest']) == 1, 'a topology each'
for host in hosts if sys.argv[3] == 'apart' else []:
    cpus = [c for h, c in zip(r['host'], r['planned']) if h == host]
    assert len(set(cpus)) == len(cpus), cpus" "$1" "$3" "${4:-shared}"
}
