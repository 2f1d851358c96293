# A kernel from a shared object: checked by its own table, run under mpirun, refused with the exact
# cause when the table or the file is not what it should be.
. "$(dirname "$0")/../cli/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the plugins}"
mkdir lib
cp "$GRIDMILL_PLUGINS"/*.so lib/
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: square
    kernel: ./lib/dot.so#my.dot
    matrix: {a: 1-4, b: [10, 40]}
    args: {of: ["${a}", 2, "${b}"]}
  - name: again
    kernel: lib/dot.so#my.dot
    args: {of: ["${square.dot@max:dot}", 1]}
results: job.h5
END

expect 0 "$GRIDMILL" check job.yaml
expect 0 "$GRIDMILL" run job.yaml --set 'tasks.again.args.of=[3, 4]'
h5 "
dot = f['stages/square/outputs/dot'][...]
want = [a * a + 4 + b * b for a in (1, 2, 3, 4) for b in (10, 40)]
assert dot.tolist() == want, (dot, want)
assert f['stages/again/outputs/dot'][0] == 25" job.h5
rm -f job.h5 job.summary.json

# The argument is checked by the plugin's table, also what comes from another stage.
expect 2 "$GRIDMILL" check job.yaml --set 'tasks.square.args.of=[1001]'
says 'must be -1000 \.\. 1000, not 1001'
expect 2 "$GRIDMILL" check job.yaml --set tasks.square.args.off=1
says "the kernel 'my.dot' has no argument 'off'; did you mean 'of'"
expect 1 "$GRIDMILL" run job.yaml
says 'again.*args.of: item 0.*-1000 \.\. 1000, not 1620'
rm -f job.h5 job.summary.json

refused() # KERNEL REGEX
{
    expect 2 "$GRIDMILL" check job.yaml --set "tasks.again.kernel=$1"
    says "again|kernel"
    says "$2"
}
refused ./lib/bad_abi.so#my.dot 'version 2 of the kernel ABI, this Gridmill 1'
refused ./lib/bad_size.so#my.dot 'the table of my.dot has 64 bytes, at least 128 are read'
refused ./lib/large.so#my.dot 'the table of my.dot has [0-9]+ bytes, but at most [0-9]+ are known here'
refused ./lib/no_step.so#my.dot 'not whole: open, begin, step, end and close'
refused ./lib/no_help.so#my.dot 'not whole: parameter 0'
refused ./lib/other_name.so#my.dot "calls itself 'my.dot2', not 'my.dot'"
refused ./lib/dot.so#my.sum "no symbol 'my_sum_kernel'"
refused ./lib/nowhere.so#my.dot 'nowhere.so: No such file or directory'
refused ./job.yaml#my.dot 'job.yaml: is no shared object'

# A table of the first version is shorter, and works.
expect 0 "$GRIDMILL" run job.yaml --set tasks.square.kernel=./lib/old.so#my.dot \
    --set 'tasks.again.args.of=[3, 4]'
h5 "assert f['stages/square/outputs/dot'].shape == (8,)" job.h5
rm -f job.h5 job.summary.json

# The canonical form names the file, and is the same job.
expect 0 "$GRIDMILL" check --canonical job.yaml
cp out canonical.json
grep -q './lib/dot.so#my.dot' canonical.json || fail "the file is not named"
expect 0 "$GRIDMILL" check --canonical canonical.json
cmp out canonical.json || fail "not the same again"

# A foreign launch loads it in every rank, too.
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml --set 'tasks.again.args.of=[3, 4]'
h5 "assert f['stages/again/outputs/dot'][0] == 25" job.h5
exit 0
