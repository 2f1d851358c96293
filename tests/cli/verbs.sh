# Each verb does what its line in the help says; --json is one JSON value; wrong usage is 2.
. "$(dirname "$0")/lib.sh"

json() # VERB ARGS...: exit 0 and one JSON value on standard output
{
    expect 0 "$GRIDMILL" "$@" --json
    "$PYTHON" -c 'import json, sys; v = json.load(sys.stdin); assert v' <out ||
        fail "no JSON: $*"
}

job=$(example digits)
expect 0 "$GRIDMILL" run "$(example hello)" -q
file=$work/jobspecs/hello.h5

expect 0 "$GRIDMILL" help
for verb in run resume watch plan check init topo kernels result doctor version help; do
    grep -qE "^ *(gridmill )?$verb\b" out || fail "help does not list $verb"
done
expect 0 "$GRIDMILL" --help
expect 0 "$GRIDMILL" run --help
says -- '--oversubscribe'
expect 0 "$GRIDMILL" version
says '^gridmill [0-9]+\.[0-9]+\.[0-9]+'
json version

expect 0 "$GRIDMILL" check "$job"
json check "$job"
expect 0 "$GRIDMILL" check --canonical "$job"
"$PYTHON" - out <<'END' || fail "the canonical form is not RFC 14's"
import json, sys
doc = json.load(open(sys.argv[1]))
assert sorted(doc) == ["attributes", "resources", "tasks", "version"], sorted(doc)
assert doc["attributes"]["user"]["gridmill"]["tasks"][0]["kernel"] == "mlp.train"
END

json check --canonical "$job"
"$PYTHON" - out <<'END' || fail "--canonical has no say in --json"
import json, sys
file = json.load(open(sys.argv[1]))["files"][0]
assert json.loads(file["canonical"])["attributes"]["system"]["job"]["name"] == "digits", file
END

json plan "$job"
nothing_left "$work/jobspecs/digits.h5"
json topo
expect 0 "$GRIDMILL" topo
says '[Cc]ore'
json kernels
for kernel in mlp.train mlp.infer gemm sleep noop; do
    expect 0 "$GRIDMILL" kernels
    says "^ *$kernel\b"
    expect 0 "$GRIDMILL" kernels "$kernel"
    json kernels "$kernel"
done
expect 0 "$GRIDMILL" kernels mlp.train
says '1 \.\. 1000000000  ' # whole numbers have all their digits
says_not '[0-9]e\+'
expect 2 "$GRIDMILL" kernels mlp.trian
says 'mlp\.train'

json result show "$file"
expect 0 "$GRIDMILL" result show "$file"
says 'hello from Gridmill'
json result hash "$file"
expect 2 "$GRIDMILL" result show none.h5
says 'none\.h5: '
echo "not HDF5" >text.h5
expect 2 "$GRIDMILL" result show text.h5
says 'text\.h5: '
expect 2 "$GRIDMILL" result hash text.h5

expect 0 "$GRIDMILL" doctor
for part in mpi pmix hdf5 openblas cuda slurm; do
    grep -qi "$part" out || fail "doctor says nothing of $part"
done
json doctor

# What of a GPU works, or why not: told by the list, by a kernel that could use one, by doctor.
expect 0 "$GRIDMILL" kernels
says '^cuda (works|is off): ..'
expect 0 "$GRIDMILL" kernels gemm
says '^  on +cpu, cuda \(cuda (works|is off): ..'
export GRIDMILL_CUDA_SO=/nowhere/x.so
expect 0 "$GRIDMILL" doctor
says '^cuda +off .*GRIDMILL_CUDA_SO: /nowhere/x\.so: no such file$'
expect 0 "$GRIDMILL" kernels --json
grep -q '"why_not": "GRIDMILL_CUDA_SO: /nowhere/x.so: no such file"' out || fail "the list says nothing of CUDA"
unset GRIDMILL_CUDA_SO

expect 2 "$GRIDMILL"
expect 2 "$GRIDMILL" rnu
says 'run'
expect 2 "$GRIDMILL" run
expect 2 "$GRIDMILL" run "$job" --no-such-option
says 'no-such-option'
expect 2 "$GRIDMILL" run "$job" --ranks
expect 2 "$GRIDMILL" run "$job" --ranks four
expect 2 "$GRIDMILL" run "$job" --ranks 0
expect 2 "$GRIDMILL" result
expect 2 "$GRIDMILL" result show

# A reader that goes away is no crash.
"$GRIDMILL" kernels mlp.train 2>err | head -n 1 >out
says_not 'Assertion|Segmentation|Aborted'
exit 0
