# The options of `gridmill run`, and what a command's environment is.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
name: five
matrix: {x: 1-5}
command: [sh, -c, "echo x is ${x}"]
results: job.h5
END

expect 0 "$GRIDMILL" run job.yaml -q --ranks 1
[ ! -s out ] && [ ! -s err ] || fail "-q is not quiet"
[ -f job.h5 ] || fail "no job.h5"
first=$(hash_of job.h5)

expect 2 "$GRIDMILL" run job.yaml --ranks 1
says 'job\.h5.*--force'
expect 0 "$GRIDMILL" run job.yaml --ranks 1 --force
[ -f job.h5.old ] || fail "--force kept no job.h5.old"
[ "$(hash_of job.h5.old)" = "$first" ] || fail "job.h5.old is not the file that was there"
[ "$(hash_of job.h5)" = "$first" ] || fail "two equal runs have different hashes"

expect 0 "$GRIDMILL" run job.yaml --results "$work/other.h5" --ranks 1 --set matrix.x=[7]
[ "$(hash_of other.h5)" != "$first" ] || fail "--set changed nothing"
h5 "assert len(f['tasks']['index']) == 1" other.h5
expect 0 "$GRIDMILL" check job.yaml --canonical --name 12 --time 1.5m
says '"duration": ?90'
says '"name": ?"12"'
expect 2 "$GRIDMILL" run job.yaml --results "$work/none.h5" --time soon
says "time: 'soon' is no duration"
expect 2 "$GRIDMILL" run job.yaml --results "$work/none.h5" --set matrx.x=7
says matrx
nothing_left none.h5

# A folder with a blank and other letters; a jobspec elsewhere counts its paths from its folder.
mkdir -p "a b/ü"
cp job.yaml "a b/ü/job.yaml"
(cd / && expect 0 "$GRIDMILL" run "$work/a b/ü/job.yaml" --ranks 1) || exit 1
[ -f "a b/ü/job.h5" ] || fail "the results are not beside the jobspec"

# A launcher that can start something; a count that is one.
for launcher in dryrun ompi5; do
    expect 2 "$GRIDMILL" run job.yaml --results "$work/none.h5" --launcher $launcher
    says "launcher $launcher: must be mpirun or slurm to run; plan shows"
    nothing_left none.h5
done
expect 2 "$GRIDMILL" plan job.yaml --ranks 5000000000
says '^gridmill: --ranks 5000000000: must be a whole number from 1 to 9999999$'

# More ranks than cores: only when asked for, and then said.
many=$((CORES + 1))
expect 3 "$GRIDMILL" run job.yaml --results "$work/many.h5" --ranks $many
nothing_left many.h5
expect 0 "$GRIDMILL" run job.yaml --results "$work/many.h5" --ranks $many --oversubscribe
says 'oversubscribed|share'

# -v shows the launch line with its reasons; plan shows the same line and starts nothing.
expect 0 "$GRIDMILL" run job.yaml -v --force --ranks 1
says 'mpirun'
expect 0 "$GRIDMILL" plan job.yaml --results "$work/plan.h5" --ranks 1
says 'mpirun'
says 'gridmill-runner'
nothing_left plan.h5
exit 0
