# The main job classifies handwriting: at least 0.97 of the test rows, as the median over five
# ways to cut the rows, counted by h5py from the results.
. "$(dirname "$0")/lib.sh"
job=$(example digits)
for seed in 1 2 3 4 5; do
    expect 0 "$GRIDMILL" run "$job" --oversubscribe -q --results "$work/split-$seed.h5" \
        --set "tasks.train.args.split-seed=$seed" --set "tasks.score.args.split-seed=$seed"
done
"$PYTHON" -B - "$work"/split-*.h5 <<'END' || exit 1
import statistics, sys, h5py

found = []
for path in sys.argv[1:]:
    with h5py.File(path, "r") as f:
        o = f["stages/score/outputs"]
        rows, correct = int(o["rows"][...].sum()), int(o["correct"][...].sum())
    assert 340 <= rows <= 380, rows
    found.append(correct / rows)
print("test accuracy:", ", ".join(f"{a:.4f}" for a in found))
assert len(found) == 5 and len(set(found)) > 1, "five different cuts"
assert statistics.median(found) >= 0.97, statistics.median(found)
END
