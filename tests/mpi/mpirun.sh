# mpirun with its sockets in a folder of its own: mpiruns of one user that begin and end at the same
# time take the shared one away from each other.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_orte_tmpdir_base=$(mktemp -d "${TMPDIR:-/tmp}/gm.XXXXXX") || exit
export OMPI_MCA_orte_tmpdir_base
trap 'rm -rf "$OMPI_MCA_orte_tmpdir_base"' EXIT
mpirun --oversubscribe "$@"
