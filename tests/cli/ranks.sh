# The same job gives the same bits for any number of ranks and either way of starting it; another
# bit gives another hash.
. "$(dirname "$0")/lib.sh"

sed -i 's/epochs: .*/epochs: 3/' "$(example digits)" "$(example pipeline)"
for name in digits pipeline; do
    job=$(example $name)
    first=
    for n in 1 2 3 4; do
        expect 0 "$GRIDMILL" run "$job" --ranks $n --oversubscribe -q --results "$work/$name-$n.h5"
        hash=$(hash_of "$work/$name-$n.h5")
        echo "$name: $n ranks: $hash"
        first=${first:-$hash}
        [ "$hash" = "$first" ] || fail "$name: $n ranks give other numbers than 1"
        h5 "
assert len(f['ranks']['host']) == int(sys.argv[2])
" "$work/$name-$n.h5" "$n"
    done

    expect 0 "${MPIRUN[@]}" -n 4 "$RUNNER" "$job"
    hash=$(hash_of "$work/jobspecs/$name.h5")
    echo "$name: mpirun -n 4 gridmill-runner: $hash"
    [ "$hash" = "$first" ] || fail "$name: started by mpirun directly gives other numbers"
done

# What a launcher gave is told: that ranks share cores always, where each stands with -v.
many=$((CORES + 1)) job=$(example hello)
expect 0 "${MPIRUN[@]}" -n $many --bind-to none "$RUNNER" "$job" -v --results "$work/many.h5"
says "oversubscribed: some of the $many ranks share cores"
says "rank $((many - 1)): .*, cpus .*: shares all cores"
expect 0 "${MPIRUN[@]}" -n $many --bind-to none "$RUNNER" "$job" -q --results "$work/quiet.h5"
says_not .

# The weights themselves, read by another library.
"$PYTHON" -B - "$work"/pipeline-[1234].h5 <<'END' || fail "the models differ"
import sys, h5py

models = []
for path in sys.argv[1:]:
    with h5py.File(path, "r") as f:
        heap = f["stages/train/outputs/model"]
        heap = heap["data"] if isinstance(heap, h5py.Group) else heap
        models.append(heap[...].tobytes())
assert len(models) == 4 and len(models[0]) > 4 * (64 * 32 + 32 * 10), len(models[0])
assert all(m == models[0] for m in models)
END

# One bit of one computed output.
cp "$work/digits-1.h5" "$work/bit.h5"
"$PYTHON" -B -c '
import sys, h5py
with h5py.File(sys.argv[1], "r+") as f:
    d = f["stages/score/outputs/correct"]
    d[0] = int(d[0]) ^ 1
' "$work/bit.h5" || fail "could not change a bit"
[ "$(hash_of "$work/bit.h5")" != "$(hash_of "$work/digits-1.h5")" ] ||
    fail "a changed output has the same hash"
# A measured one is not covered.
cp "$work/digits-1.h5" "$work/rate.h5"
"$PYTHON" -B -c '
import sys, h5py
with h5py.File(sys.argv[1], "r+") as f:
    d = f["stages/train/outputs/samples_per_s"]
    d[0] = float(d[0]) + 1
' "$work/rate.h5" || fail "could not change a rate"
[ "$(hash_of "$work/rate.h5")" = "$(hash_of "$work/digits-1.h5")" ] ||
    fail "a measured rate is in the hash"
exit 0
