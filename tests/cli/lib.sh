# Shared by the tests of the programs; source it first. A test is bash, gets its programs through
# GRIDMILL_BIN, works in a folder of its own ($work, removed at the end) and says what it wants:
#
#   expect CODE COMMAND...   runs it; $work/out and $work/err hold what it said
#   says REGEX               in either of them (extended regular expression)
#   says_not REGEX
#   fail TEXT...             ends the test
#   lanes "PART PART"...     functions that mostly wait: those of a lane one after the other, all lanes
#                            at once, each part in a folder of its own ($work); `before_part` is called
#                            there first
#   skip TEXT...             ends it visibly, as not run
set -uo pipefail

: "${GRIDMILL_BIN:?the folder of gridmill and gridmill-runner}"
: "${GRIDMILL_SOURCE:?the source tree}"
PYTHON=${GRIDMILL_PYTHON:-/usr/bin/python3}
GRIDMILL=$GRIDMILL_BIN/gridmill
RUNNER=$GRIDMILL_BIN/gridmill-runner
EXAMPLES=$GRIDMILL_SOURCE/jobspecs
CORES=$(nproc)

# What a test environment may leave behind and a launch would listen to.
unset "${!SLURM_@}" "${!OMPI_@}" "${!PMIX_@}" "${!GRIDMILL_LAUNCH@}" GRIDMILL_RECEIPTS

work=$(mktemp -d "${TMPDIR:-/tmp}/gridmill-test.XXXXXX")
# What is probed of the machine is kept there, and is not the user's.
export XDG_CACHE_HOME=$work.cache
# For mpirun called here directly; gridmill decides this for itself. Its sockets stand in a folder of
# the test's own: mpiruns that end remove a shared one while others begin.
MPIRUN=(env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    "OMPI_MCA_orte_tmpdir_base=$work.mpi" mpirun --oversubscribe)
at_end=()
_end()
{
    local rc=$? what
    for what in "${at_end[@]}"; do
        $what
    done
    rm -rf "$work" "$work.mpi" "$work.cache"
    exit "$rc"
}
trap _end EXIT
trap 'exit 129' HUP INT TERM
cd "$work" || exit 1
: >out
: >err

_show()
{
    sed 's/^/    out: /' "$work/out" | tail -n 40
    sed 's/^/    err: /' "$work/err" | tail -n 40
}

fail()
{
    echo "FAILED: $*"
    _show
    exit 1
}

skip()
{
    echo "skipped: $*"
    exit 77
}

expect()
{
    local want=$1 rc
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    rc=$?
    [ "$rc" -eq "$want" ] || fail "exit $rc instead of $want: $*"
}

says()
{
    grep -qE -- "$1" "$work/err" "$work/out" || fail "did not say: $1"
}

says_not()
{
    if grep -qE -- "$1" "$work/err" "$work/out"; then
        fail "said: $1"
    fi
}

# FILE and all that a run keeps beside it are not there.
nothing_left()
{
    local found
    found=$(find "$(dirname "$1")" -maxdepth 1 -name "$(basename "$1")*")
    [ -z "$found" ] || fail "left behind: $found"
}

# A copy of an example and its data, so that its results stay in this test's folder.
example()
{
    [ -d "$work/jobspecs" ] || {
        mkdir "$work/jobspecs"
        cp "$EXAMPLES"/*.yaml "$work/jobspecs/"
        ln -s "$EXAMPLES/data" "$work/jobspecs/data"
    }
    echo "$work/jobspecs/$1.yaml"
}

hash_of()
{
    "$GRIDMILL" result hash "$1" 2>"$work/err" | grep -oE '[0-9a-f]{64}' ||
        fail "no hash of $1"
}

h5() # SCRIPT-LINE ARGS...: python with h5py; f is the file sys.argv[1]
{
    local script=$1
    shift
    "$PYTHON" -B -c "
import sys, json, h5py, numpy as np
f = h5py.File(sys.argv[1], 'r')
$script" "$@" || fail "h5py: $script"
}

_part() # NAME FOLDER
{
    at_end=()
    trap _end EXIT # of this subshell
    work=$2/$1
    mkdir "$work" && cd "$work" || exit 1
    : >out
    : >err
    before_part
    "$1"
    exit 0
}

before_part()
{
    :
}

lanes()
{
    local lane part i pids=() failed=0 top=$work
    for lane in "$@"; do
        for part in $lane; do
            (_part "$part" "$top") || exit 1
        done >"$top/lane.${#pids[@]}" 2>&1 &
        pids+=($!)
    done
    for i in "${!pids[@]}"; do
        wait "${pids[i]}" || failed=1
        cat "$top/lane.$i"
    done
    [ $failed -eq 0 ] || exit 1
}
