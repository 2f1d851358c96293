# A job that says who speaks to whom: ranks stand nearer than by slot, each that moved says why, and
# what is wrong with a pattern or its matrix ends plan, check and run with 2 and its place.
. "$(dirname "$0")/lib.sh"

on=(--machine 'host:2 pack:2 core:4 pu:1')

job() # PATTERN [RANKS]: job.yaml
{
    printf 'ranks: %s\npattern: %s\nkernel: sleep\nargs: {seconds: 0}\n' "${2:-16}" "$1" >job.yaml
}

# The communication term, and the ranks that say whom they are near.
comm() # OPTIONS...
{
    expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" "$@" --json
    "$PYTHON" -B -c '
import json
v = json.load(open("out"))
seats = {(r["host"], r["cpus"]) for r in v["ranks"]}
assert len(seats) == len(v["ranks"]), v["ranks"]
print(v["score"]["terms"]["comm"], sum("which it speaks to" in r["reason"] for r in v["ranks"]))'
}

lower() # A B: a number below another
{
    "$PYTHON" -c 'import sys; sys.exit(not float(sys.argv[1]) < float(sys.argv[2]) - 1e-9)' "$1" "$2"
}

# Open MPI's words stand as they are, and are scored; ours give the seats by the pattern.
awk 'BEGIN { for (i = 0; i < 16; i++) print i, (i + 8) % 16, 100 + i }' >far.txt
for pattern in '{stencil-2d: [4, 4]}' '{matrix: far.txt}'; do
    job "$pattern"
    read -r slot near_slot <<<"$(comm --map-by core --bind-to core)"
    read -r ours near <<<"$(comm)"
    lower "$ours" "$slot" || fail "$pattern: $ours is not below $slot"
    [ "$near_slot" = 0 ] && [ "$near" -gt 0 ] || fail "$pattern: $near_slot and $near ranks moved"
done
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}"
says 'near rank [0-9]+, which it speaks to'

# A ring by slot is as good as can be: nothing moves.
job ring
read -r ours near <<<"$(comm)"
[ "$near" = 0 ] || fail "$near ranks of a ring moved"

# A stencil says how many ranks there are, a matrix of other ranks is refused where the count is known.
printf 'pattern: {stencil-2d: [2, 3]}\nkernel: sleep\nargs: {seconds: 0}\n' >job.yaml
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}"
says 'on 6 ranks'
printf '0 1\n1 0\n' >two.txt
job '{matrix: two.txt}' auto
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}"
says 'job.yaml:2:10: pattern: two.txt is a matrix of 2 ranks, and the job has 16$'
job '{all-to-all: 17}' auto
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}"
says 'job.yaml:2:10: pattern: all-to-all in groups of 17 ranks, and the job has 16$'
job '{matrix: far.txt}' 8
expect 2 "$GRIDMILL" check job.yaml
says 'job.yaml:2:10: pattern: far.txt names rank 15, and the job has 8 ranks'

# The matrix is read with the job.
job '{matrix: none.txt}'
expect 2 "$GRIDMILL" check job.yaml
says 'job.yaml:2:19: pattern.matrix: .*/none.txt: No such file or directory$'
bad() # TEXT WHY
{
    printf '%b' "$1" >bad.txt
    job '{matrix: bad.txt}'
    expect 2 "$GRIDMILL" plan job.yaml "${on[@]}"
    says "^job.yaml:2:19: pattern.matrix: .*/$2\$"
}
bad '0 1 2 3\n1 0 2\n' 'bad.txt:2:1: 3 numbers, and the lines above have 4'
bad '0 -1\n1 0\n' 'bad.txt:1:3: -1: bytes cannot be less than 0'
bad '0 1\nnan 0\n' "bad.txt:2:1: 'nan' is no number"
bad '' 'bad.txt: holds no numbers'
nothing_left "$work/job.h5"

# It runs, and the matrix is one of the job's inputs: a plan keeps its digest.
job '{matrix: two.txt}' 2
expect 0 "$GRIDMILL" run job.yaml --oversubscribe
"$PYTHON" - "$(sha256sum two.txt | cut -d' ' -f1)" <<'END' || fail "the matrix is no source of the results"
import sys
import h5py
found = []
def look(name, node):
    for value in list(node.attrs.values()) + ([node[()]] if isinstance(node, h5py.Dataset) else []):
        found.append(sys.argv[1] in str(value))
with h5py.File("job.h5") as f:
    f.visititems(look)
sys.exit(not any(found))
END
exit 0
