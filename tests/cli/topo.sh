# gridmill topo: this host, and machines from texts and files; the JSON and the drawing read by Python.
. "$(dirname "$0")/lib.sh"

value() # SCRIPT ARGS...: python with v, the JSON of the last command
{
    local script=$1
    shift
    cp out value
    "$PYTHON" -B -c "
import sys, json
v = json.load(open('value'))
$script" "$@" || fail "python: $script"
}

# This host: as many CPUs as this process may use.
expect 0 "$GRIDMILL" topo
says "[, ]$CORES PUs?,"
expect 0 "$GRIDMILL" topo --json
value '
assert v["schema"] == "gridmill.topology/2" and v["machine"] is None, v
assert len(v["hosts"]) == len(v["shapes"]) == 1 and v["hosts"][0]["shape"] == 0
s = v["shapes"][0]
assert s["pus"] == int(sys.argv[1]) == sum(n["kind"] == "pu" for n in s["nodes"]), s
assert s["cores"] == sum(n["kind"] == "core" for n in s["nodes"])
assert len(s["digest"]) >= 32 and s["core_classes"] >= 1' "$CORES"

# A text, by word and by option.
expect 0 "$GRIDMILL" topo 'host:12 pack:2 numa:1 core:4 pu:2 gpu:1'
says '12 equal hosts'
says '^n\[0-11\]: n/a, 2 packages, 2 NUMA nodes, 8 cores, 16 PUs, 2 GPUs, .* memory$'
cp out by-word
expect 0 "$GRIDMILL" topo --machine 'host:12 pack:2 numa:1 core:4 pu:2 gpu:1'
cmp -s out by-word || fail "--machine is another machine"
expect 2 "$GRIDMILL" topo --machine core:2 core:4
says '^gridmill: --machine core:2: is another machine than core:4'
expect 0 "$GRIDMILL" topo 'host:12 pack:2 numa:1 core:4 pu:2 gpu:1' --json
value '
assert [h["name"] for h in v["hosts"]] == ["n%d" % i for i in range(12)]
assert {h["shape"] for h in v["hosts"]} == {0} and len(v["shapes"]) == 1
s = v["shapes"][0]
kinds = [n["kind"] for n in s["nodes"]]
assert [kinds.count(k) for k in ("host", "package", "numa", "core", "pu", "gpu")] == [1, 2, 2, 8, 16, 2]
assert all(n["memory"] == "DRAM" for n in s["nodes"] if n["kind"] == "numa")
assert [g["gpu"] for g in s["gpu_list"]] == [0, 1]
assert all(s["nodes"][g["node"]]["kind"] == "gpu" for g in s["gpu_list"])
assert s["gpu_links"] is None or len(s["gpu_links"]) == 2'

# A cluster file: names, properties, slots; a topology once for all who have it.
cat >cluster.yaml <<'END'
hosts:
  - {name: "gpu[001-003]", topology: "pack:2 numa:1 core:4 pu:2 gpu:2", properties: [gpu, big]}
  - {name: login, topology: "core:4 pu:1", slots: 3}
END
expect 0 "$GRIDMILL" topo cluster.yaml --json
value '
assert [h["name"] for h in v["hosts"]] == ["gpu001", "gpu002", "gpu003", "login"], v["hosts"]
assert [h["shape"] for h in v["hosts"]] == [0, 0, 0, 1] and len(v["shapes"]) == 2
assert v["hosts"][1]["properties"] == ["gpu", "big"] and v["hosts"][3]["properties"] == []
assert [h["slots"] for h in v["hosts"]] == [None, None, None, 3] and v["machine"] == "cluster.yaml"'
expect 0 "$GRIDMILL" topo cluster.yaml
says '^gpu\[001-003\]: n/a, 2 packages'
says '^login: n/a, .* 4 cores, 4 PUs'

# hwloc's own writing, where lstopo is there: the same counts.
if command -v lstopo-no-graphics >/dev/null; then
    lstopo-no-graphics -i 'pack:2 [numa(memory=8GiB)] l3:2 core:3 pu:2' --of xml m.xml 2>err || fail "lstopo"
    expect 0 "$GRIDMILL" topo m.xml --json
    value '
s = v["shapes"][0]
kinds = [n["kind"] for n in s["nodes"]]
assert v["hosts"][0]["name"] == "m"
assert [kinds.count(k) for k in ("package", "numa", "cache", "core", "pu")] == [2, 2, 4, 12, 24], kinds
assert s["memory"] == 2 * 8 << 30, s["memory"]'
fi

# The drawing: every CPU, every GPU; a host that is like another once.
svg() # FILE HOSTS PUS GPUS
{
    "$PYTHON" - "$@" <<'END' || fail "$1 is not the drawing"
import sys, xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
classes = [e.get("class") for e in root.iter("{http://www.w3.org/2000/svg}rect")]
assert [classes.count(c) for c in ("host", "pu", "gpu")] == list(map(int, sys.argv[2:])), classes
END
}
expect 0 "$GRIDMILL" topo cluster.yaml --svg m.svg
svg m.svg 2 20 4
expect 0 "$GRIDMILL" topo --svg -
svg out 1 "$CORES" "$("$PYTHON" -c 'import re; print(open("out").read().count("class=\"gpu\""))')"
printf 'hosts:\n  - {name: "a&b<c>", topology: "core:1 pu:1"}\n' >odd.yaml
"$GRIDMILL" topo odd.yaml --svg odd.svg 2>err && svg odd.svg 1 1 0

# What is none.
expect 2 "$GRIDMILL" topo nowhere.xml
says 'nowhere\.xml'
expect 2 "$GRIDMILL" topo 'core:0'
expect 2 "$GRIDMILL" topo 'core:2' 'core:4'
expect 2 "$GRIDMILL" topo --svg /no/such/folder/x.svg
says '^gridmill: --svg: /no/such/folder/x\.svg'
exit 0
