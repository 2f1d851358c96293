# Kernels by name from the folders of GRIDMILL_PLUGIN_PATH: listed with their file, run like those
# that are linked in, by every rank from the file that the job was planned with.
. "$(dirname "$0")/../cli/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the plugins}"
mkdir -p good bad twice
cp "$GRIDMILL_PLUGINS"/{dot,odd}.so good/
cp "$GRIDMILL_PLUGINS"/{bad_abi,bad_size,other_name,large}.so bad/
echo 'no object' >bad/text.so
echo 'not looked at' >good/readme.txt
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
kernel: my.dot
matrix: {a: 1-6}
args: {of: ["${a}", 2]}
results: job.h5
END
right()
{
    h5 "assert f['stages/main/outputs/dot'][...].tolist() == [a * a + 4 for a in range(1, 7)]" job.h5
}

expect 2 "$GRIDMILL" check job.yaml
says "job.yaml:3:9: kernel: unknown kernel 'my.dot'$"
export GRIDMILL_PLUGIN_PATH=good
expect 0 "$GRIDMILL" kernels
says "^$work/good/dot.so$"
says '^my.dot +cpu +the dot product'
says '^my.odd +cpu +tasks that are not alike'
says '^gemm +cpu'
expect 0 "$GRIDMILL" kernels my.dot
says "from +$work/good/dot.so"
says 'of +ints +required'
expect 0 "$GRIDMILL" kernels ./good/dot.so
says_not gemm
says '^my.dot '
expect 0 "$GRIDMILL" kernels ./good/dot.so#my.dot
says 'my.dot - the dot product'
expect 2 "$GRIDMILL" kernels ./good/dot.so#my.dott
says "good/dot.so: no kernel 'my.dott' in it"
expect 2 "$GRIDMILL" kernels my.dott
says 'my.dott: no such kernel, did you mean my.dot'
expect 0 "$GRIDMILL" kernels --json
"$PYTHON" -c "
import json, sys
all = {k['name']: k for k in json.load(open('out'))['kernels']}
assert all['my.dot']['file'] == '$work/good/dot.so' and all['my.dot']['works']
assert all['gemm']['file'] is None" || fail "--json"

# It runs, here and under a foreign launcher, whose other ranks need no variable.
expect 0 "$GRIDMILL" check job.yaml
expect 0 "$GRIDMILL" run job.yaml
right
first=$(hash_of job.h5)
expect 0 "${MPIRUN[@]}" -n 1 "$RUNNER" job.yaml --force : -n 1 env -u GRIDMILL_PLUGIN_PATH "$RUNNER" job.yaml --force
right
[ "$(hash_of job.h5)" = "$first" ] || fail "another hash"

# The same file by its name and by its path, and one that came by its path first.
expect 0 "$GRIDMILL" run job.yaml --force --set kernel=./good/dot.so#my.dot
[ "$(hash_of job.h5)" = "$first" ] || fail "another hash by its path"
cat >both.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - {name: one, kernel: "./good/dot.so#my.dot", args: {of: [3]}}
  - {name: two, kernel: my.dot, args: {of: [4]}}
results: both.h5
END
expect 0 "$GRIDMILL" run both.yaml
h5 "assert f['stages/two/outputs/dot'][0] == 16" both.h5

# What cannot be used is told, and hinders nothing else.
GRIDMILL_PLUGIN_PATH=$work/none:bad:good
expect 0 "$GRIDMILL" kernels
says 'not usable'
says "$work/none: No such file or directory"
says 'bad_abi.so: my.dot speaks version 2 of the kernel ABI, this Gridmill 1'
says "bad_size.so: the table of my.dot has 64 bytes, at least 128 are read"
says 'text.so: is no shared object'
says '^my.dot +cpu'
expect 0 "$GRIDMILL" run job.yaml --force
right
GRIDMILL_PLUGIN_PATH=bad
expect 2 "$GRIDMILL" check job.yaml
says "unknown kernel 'my.dot'; not looked at: .*speaks version 2 of the kernel ABI"

# A name twice: nobody guesses.
cp good/dot.so twice/also.so
GRIDMILL_PLUGIN_PATH=good:twice
expect 0 "$GRIDMILL" kernels
says "$work/twice/also.so has a kernel of that name, too: a job says which"
expect 2 "$GRIDMILL" check job.yaml
says "'my.dot': $work/twice/also.so has a kernel of that name, too: .*kernel: $work/good/dot.so#my.dot"
GRIDMILL_PLUGIN_PATH=good

# A rank that sees another file under the same path is named.
cat >other_host.sh <<'END'
mount --bind "$1" "$2" || exit 9
shift 2
exec "$@"
END
if unshare -m true 2>/dev/null; then
    "${MPIRUN[@]}" -n 1 "$RUNNER" job.yaml --force : -n 1 unshare -m bash other_host.sh \
        good/odd.so good/dot.so "$RUNNER" job.yaml --force >out 2>err </dev/null
    rc=$?
    says 'rank 1 \(.*\): /.*/good/dot.so: is another file than the one the job was planned with \(SHA-256 [0-9a-f]{12} here'
    [ $rc -eq 2 ] || fail "exit $rc instead of 2"
else
    echo "another host's file: left out, no mount namespace here"
fi

# Gone on with where nobody says the folder any more: the plan knows the file.
cat >again.yaml <<'END'
ranks: 1
tasks:
  - {name: dot, kernel: my.dot, args: {of: [5]}}
  - {name: look, needs: [dot], command: [test, -e, go]}
  - {name: more, needs: [look], kernel: my.dot, args: {of: [6]}}
results: again.h5
END
expect 1 "$GRIDMILL" run again.yaml
touch go
expect 0 env -u GRIDMILL_PLUGIN_PATH "$GRIDMILL" resume again.h5 --failed -q
h5 "assert f['stages/more/outputs/dot'][0] == 36 and f['stages/dot/outputs/dot'][0] == 25" again.h5
exit 0
