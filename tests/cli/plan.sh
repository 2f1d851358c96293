# gridmill plan on machines that are not here: every view and option of it, the JSON and the drawing
# read by Python, and what is refused.
. "$(dirname "$0")/lib.sh"

cat >job.yaml <<'END'
name: eight
ranks: 8
per-rank: {cores: 2}
tasks:
  - {name: a, kernel: sleep, args: {seconds: 0.01}, matrix: {x: 1-16}}
END
machine='host:2 pack:2 numa:1 core:8 pu:2 gpu:2'
on=(--machine "$machine")

py() # SCRIPT ARGS...: python with v, the JSON of the last command
{
    local script=$1
    shift
    cp out value
    "$PYTHON" -B -c "
import sys, json
v = json.load(open('value'))
def idset(text):
    return {i for part in text.split(',') if part for a, _, b in [part.partition('-')]
            for i in range(int(a), int(b or a) + 1)}
$script" "$@" || fail "python: $script"
}

# The text tells that it is a what-if, and has all ranks.
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}"
says "a what-if, on $machine\$"
says '^what-if launch: .*mpirun .*--host n0:4,n1:4'
[ "$(grep -cE '^ +[0-7]  n[01] ' out)" -eq 8 ] || fail "not a line a rank"
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --ranks 16 --cores 1 --set per-rank.gpus=0 --mapping pack
says '^  15  n0 +30-31 '
nothing_left "$work/eight.h5"

expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --gpus 1 --json
py '
assert v["schema"] == "gridmill.dryrun/2" and v["name"] == "eight", v
assert v["machine"]["what_if"] and [h["name"] for h in v["machine"]["hosts"]] == ["n0", "n1"]
assert all(h["cores"] == 16 and h["pus"] == 32 and h["gpus"] == 4 for h in v["machine"]["hosts"])
assert [r["rank"] for r in v["ranks"]] == list(range(8))
cpus = [(r["host"], c) for r in v["ranks"] for c in idset(r["cpus"])]
gpus = [(r["host"], g) for r in v["ranks"] for g in idset(r["gpus"])]
assert len(cpus) == len(set(cpus)) == 8 * 4 and len(gpus) == len(set(gpus)) == 8, v["ranks"]
for r in v["ranks"]:
    package = min(idset(r["cpus"])) // 16
    assert idset(r["mems"]) == {package} and {g // 2 for g in idset(r["gpus"])} == {package}, r
    assert r["threads"] == 2 and len(r["reason"]) > 5, r
assert v["score"]["total"] >= 0 and len(v["score"]["terms"]) == 7, v["score"]
assert v["stages"][0]["tasks"] == 16 and v["binder"] == "launcher"
launch = v["launch"]
assert launch["launcher"] == "mpirun" and len(launch["rankfile"].splitlines()) == 8
assert all(len(f["reason"]) > 5 for f in launch["flags"]) and launch["argv"][-1] == "--events"
assert launch["line"].endswith(" --events") and launch["argv"][0] in launch["line"]'
cp value whole.json

# An option is a key by another name.
for pair in 'nodes=2 --nodes=2' 'ranks-per-node=4 --ranks-per-node=4' 'per-rank.cores=3 --cores=3' \
    'per-rank.gpus=1 --gpus=1' 'per-rank.memory=16MiB --memory=16MiB' 'mapping=pack --mapping=pack' \
    'ranks=3 --ranks=3'; do
    expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --json --set "${pair% *}"
    cp out by-set.json
    expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --json "${pair#* }"
    py '
a, b = v, json.load(open("by-set.json"))
assert a["ranks"] == b["ranks"] and a["mapping"] == b["mapping"], (a, b)'
done
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --json --ranks 4 --cores 3
py 'assert {len(idset(r["cpus"])) for r in v["ranks"]} == {6}, v'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --cores none
says 'per-rank\.cores'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --memory 2x
says 'per-rank\.memory.*2x'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --mapping packed
says "did you mean 'pack'|none of auto"

# A command's options are parts of its shape.
expect 0 "$GRIDMILL" plan "${on[@]}" --json --ranks 2 --cores 3 --gpus 2 -- hostname
py 'assert [(len(idset(r["cpus"])), len(idset(r["gpus"]))) for r in v["ranks"]] == [(6, 2)] * 2, v
assert v["score"] is None'
expect 2 "$GRIDMILL" plan "${on[@]}" --ranks 2 --nodes 2 -- hostname
says '^gridmill: --nodes: a command is placed by its shape'
expect 2 "$GRIDMILL" plan "${on[@]}" --shape slot=2/core --cores 2 -- hostname
says '^gridmill: --cores stands beside --shape'

# The rankfile alone, for each version what it reads.
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --gpus 1 --rankfile --launcher ompi4
"$PYTHON" -c '
import json
v = json.load(open("whole.json"))
want = ["rank %d=%s slot=%s" % (r["rank"], r["host"], r["cpus"]) for r in v["ranks"]]
assert open("out").read().splitlines() == want, want' || fail "not the plan's rankfile"
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 core:8 pu:2(indexes=2*16:16*1)' --rankfile --launcher ompi5
says '^rank 0=localhost slot=0-3$'
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 core:8 pu:2(indexes=2*16:16*1)' --rankfile --launcher ompi4
says '^rank 0=localhost slot=0-1,16-17$'
expect 2 "$GRIDMILL" plan job.yaml --machine core:2 --oversubscribe --rankfile
says '^gridmill: --rankfile: this plan has none'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --launcher dryrun --rankfile
says 'this launcher takes none'

# Every launcher has a line, each flag with its reason; another name has the list.
for launcher in mpirun ompi4 ompi5 slurm dryrun; do
    expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --launcher $launcher --json
    py 'assert v["launch"]["launcher"] == sys.argv[1] and v["launch"]["flags"]' $launcher
done
expect 0 "$GRIDMILL" plan job.yaml --mapping pack --machine 'host:2 pack:2 core:4 pu:1' --launcher slurm
says '^  --distribution=arbitrary +each rank on the host'
says '^  --cpu-bind=mask_cpu:0x3,0xc,0x30,0xc0 +each rank of a host on the cores'
expect 0 "$GRIDMILL" plan job.yaml --mapping pack --machine 'host:2 pack:2 core:4 pu:1' --launcher slurm --rankfile
[ "$(sort out | uniq -c | tr -s ' \n' ' ')" = ' 4 n0 4 n1 ' ] || fail "not srun's host file"
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --launcher ompi6
says '^gridmill: --launcher ompi6: must be mpirun, ompi4, ompi5, .* or dryrun; did you mean ompi[45]\?'

# The same by the words of PRRTE, where they say the same: asking by them gives the same plan.
for mapping in pack spread; do
    one=(--machine "pack:2 numa:1 core:8 pu:2" --ranks 6 --cores 1 --json)
    expect 0 "$GRIDMILL" plan job.yaml "${one[@]}" --mapping $mapping
    cp out by-mapping.json
    words=$("$PYTHON" -c 'import json; print(json.load(open("out"))["launch"]["same_words"] or "")')
    [ "${words#--map-by }" != "$words" ] || fail "no words for $mapping: $words"
    expect 0 "$GRIDMILL" plan job.yaml "${one[@]}" --map-by "${words#--map-by }"
    py '
a = json.load(open("by-mapping.json"))
assert [r["cpus"] for r in v["ranks"]] == [r["cpus"] for r in a["ranks"]], (a, v)'
done
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 numa:1 core:8 pu:2' --mapping pack
says "^the same in PRRTE 5's own words: --map-by (core|slot):PE=2\$"

# Mappings beside each other.
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --gpus 1 --compare pack,spread,auto
says '^  mapping +ranks +cpus +total'
[ "$(grep -cE '^[* ] (pack|spread|auto = [a-z-]+) +8 +32 +[0-9.e-]+ .* 8/8 ' out)" -eq 3 ] || fail "not a row each"
[ "$(grep -c '^\* [psa]' out)" -eq 1 ] || fail "not one best"
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --compare pack,spread --compare auto --json
py '
assert v["schema"] == "gridmill.compare/1", v
rows = v["mappings"]
assert [r["words"] for r in rows] == ["pack", "spread", "auto"] and rows[2]["mapping"] != "auto"
least = min(r["score"]["total"] for r in rows)
assert v["best"] == next(r["words"] for r in rows if r["score"]["total"] == least)
assert all(r["ranks"] == 8 and r["error"] is None and r["slots_over_numas"] == 0 for r in rows)'
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 numa:1 core:3 pu:1 gpu:1' --ranks 3 --compare pack --json
py 'r = v["mappings"][0]; assert (r["slots_over_numas"], r["ranks"]) == (1, 3), r'
# What holds more is not better for it: gpu-near takes a GPU and the cores beside it, and a
# word that does not go with the job has a row.
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 numa:1 core:8 gpu:1' --ranks 2 --cores 2 --compare spread,gpu-near,inherited,core
says '^  gpu-near +2 +4 .* 2/2 .* not compared$'
says '^  inherited .* unbound$'
says '^  core +does not go with the job: .*a core has one CPU'
says '^\* spread +2 +4 '
expect 0 "$GRIDMILL" plan job.yaml --machine 'pack:2 numa:1 core:8 gpu:1' --ranks 2 --compare gpu-near,auto --json
py '
assert v["best"] == "auto" and [r["compared"] for r in v["mappings"]] == [False, True], v
assert [(r["cpus"], r["gpus"]) for r in v["mappings"]] == [(4, 2), (4, 0)], v'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --compare pack,sprad
says "^gridmill: --compare sprad: .*'sprad'"
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --compare ''
expect 3 "$GRIDMILL" plan job.yaml --machine core:2 --compare pack,spread
expect 2 "$GRIDMILL" plan "${on[@]}" --ranks 2 --compare pack -- hostname
says 'there is no mapping to choose'

# Why.
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --explain
says '^8 of 8 slots within one NUMA node'
says '^auto is spread here: its ranks do not speak to each other'
says '^score [0-9]'
says '^given up: '
for term in straddle gpu memory comm smt kind fragment; do
    says "^  $term +[0-9.e-]+ x [0-9.]+ +[A-Za-z]"
done

expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --explain --set pattern=ring --gpus 1
says '^auto is pack here: its ranks work together'
says '^ +0 .*; GPU [0-9]+ of NUMA [0-9]+'
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --explain --mapping pack
says_not '^auto is'

# The drawing is XML; each CPU is named once, each rank on its CPUs and in the legend; nothing leaves
# the sheet.
svg() # FILE PUS RANKS OWNED
{
    "$PYTHON" - "$@" <<'END' || fail "$1 is not the drawing"
import sys, xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
pus, ranks, owned = map(int, sys.argv[2:])
ns = "{http://www.w3.org/2000/svg}"
assert root.tag == ns + "svg"
width, height = float(root.get("width")), float(root.get("height"))
texts = lambda c: [t.text for t in root.iter(ns + "text") if t.get("class") == c]
boxes = [r for r in root.iter(ns + "rect") if r.get("class") == "pu"]
assert len(texts("cpu")) == pus and len(boxes) == pus + ranks, (len(texts("cpu")), len(boxes))
assert sum("style" in b.attrib for b in boxes) == owned + ranks
assert len(texts("rank")) == owned + ranks and set(texts("rank")) == {str(r) for r in range(ranks)}
for r in root.iter(ns + "rect"):
    x, y, w, h = (float(r.get(k)) for k in ("x", "y", "width", "height"))
    assert 0 <= x and 0 <= y and x + w <= width and y + h <= height, r.attrib
END
}
expect 0 "$GRIDMILL" plan job.yaml "${on[@]}" --svg plan.svg
says 'plan\.svg'
svg plan.svg 64 8 32
expect 0 "$GRIDMILL" plan job.yaml --machine 'host:3 pack:1 core:16 pu:1' --mapping pack --svg -
svg out 32 8 16 # the hosts without ranks once
says 'n\[1-2\] \(2 hosts alike, without ranks\)'
expect 2 "$GRIDMILL" plan job.yaml "${on[@]}" --svg /no/such/folder/x.svg
says '^gridmill: --svg: /no/such/folder/x\.svg: No such file'

# Machines that are none, and jobs that cannot fit: the sentence, and the code.
expect 2 "$GRIDMILL" plan job.yaml --machine nowhere.xml
says 'nowhere\.xml'
printf '<?xml version="1.0"?>\n<topology version="2.0">\n <object type="Machine"' >cut.xml
expect 2 "$GRIDMILL" plan job.yaml --machine cut.xml
says 'cut\.xml|cut: '
printf 'hosts:\n  - {name: "a[1-2", topology: "core:4"}\n' >cut.yaml
expect 2 "$GRIDMILL" plan job.yaml --machine cut.yaml
says 'cut\.yaml:2:'
for bad in '' 'pack:0 core:2' 'nonsense' 'core:2 pu' 'host:x core:1'; do
    expect 2 "$GRIDMILL" plan job.yaml --machine "$bad"
done
expect 3 "$GRIDMILL" plan job.yaml "${on[@]}" --gpus 5
# The hosts that have ranks are counted.
expect 0 "$GRIDMILL" plan job.yaml --machine 'host:4 core:8' --mapping pack
says '^eight: .* on 8 ranks, 2 of 4 hosts \(pack\)$'
expect 0 "$GRIDMILL" plan job.yaml --machine 'host:4 core:32' --mapping pack
says '^eight: .* on 8 ranks, host n0 \(pack\)$'
# What is offered keeps to what the job says elsewhere: its nodes, its pattern.
grep -v '^ranks:' job.yaml >free.yaml
expect 3 "$GRIDMILL" plan free.yaml --machine 'host:4 core:8' --cores 1 --nodes 5 --ranks-per-node 4
says 'ask for --nodes 4$'
expect 3 "$GRIDMILL" plan free.yaml --machine 'host:4 core:8' --cores 1 --nodes 4 --ranks-per-node 9
says 'ask for --ranks-per-node 8, or --oversubscribe$'
expect 3 "$GRIDMILL" plan free.yaml --machine 'core:8' --cores 1 --set 'pattern={stencil-2d: [2, 8]}'
says 'ask for --oversubscribe, or 2 such hosts$'
expect 3 "$GRIDMILL" plan job.yaml --machine 'pack:1 core:4'
expect 3 "$GRIDMILL" plan job.yaml "${on[@]}" --memory 1TiB
expect 3 "$GRIDMILL" plan job.yaml "${on[@]}" --nodes 3

# Constraints that no host keeps: what there would be.
cat >kinds.yaml <<'END_HOSTS'
hosts:
  - {name: "a[1-3]", topology: "core:4", properties: [gpu, fast]}
  - {name: b, topology: "core:2", properties: [big, gpu]}
END_HOSTS
expect 3 "$GRIDMILL" plan job.yaml --machine kinds.yaml --set 'constraints.properties=[huge]'
says 'allows none of 4 hosts: their properties: gpu, fast, big$'
expect 3 "$GRIDMILL" plan job.yaml --machine 'core:4' --set 'constraints.properties=[huge]'
says 'allows none of 1 host: no host has a property'

# A large one is told in short: the map in lines of hosts, the ranks with a gap, and at once.
start=$(date +%s%N)
expect 0 "$GRIDMILL" plan job.yaml --machine 'host:1000 pack:2 numa:2 core:16 pu:2' --ranks 32000
ms=$((($(date +%s%N) - start) / 1000000))
[ $ms -lt 20000 ] || fail "took $ms ms"
says 'ranks more \(--json has them all\)'
[ "$(wc -l <out)" -lt 120 ] || fail "$(wc -l <out) lines"
nothing_left "$work/eight.h5"
exit 0
