# The efficiency receipt (docs/design/receipt.md): what real jobs get written in /receipt, in summary.json, on
# the screen and in GRIDMILL_RECEIPTS, and that it is right.
. "$(dirname "$0")/lib.sh"
mkdir lines

# Asks python about the file $1: d is the receipt of its summary, f the file, r its /receipt.
ask()
{
    "$PYTHON" - "$@" <<END || fail "receipt of $1"
import json, math, os, sys
import h5py, jsonschema, numpy as np
file = sys.argv[1]
f = h5py.File(file)
r = f["receipt"]
s = json.load(open(file[:-3] + ".summary.json"))
d = s["receipt"]
schema = json.load(open(os.environ["GRIDMILL_SOURCE"] + "/docs/schema/summary-1.json"))
jsonschema.validate(s, schema)

def refused(change):
    copy = json.loads(json.dumps(s))
    change(copy)
    try:
        jsonschema.validate(copy, schema)
    except jsonschema.ValidationError:
        return True
    return False

# The same in both, and each number where the other has it.
assert refused(lambda c: c["receipt"].pop("wall")) and refused(lambda c: c["receipt"].update(walls=1))
same = lambda a, b: (a is None and math.isnan(b)) or (a is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12))
text = lambda v: bytes(v).decode() if isinstance(v, (bytes, np.bytes_)) else str(v)
assert text(r.attrs["schema"]) == d["schema"] == "gridmill.receipt/1"
for key in d:
    if isinstance(d[key], list):
        table = r[key]
        assert len(table) == len(d[key]), key
        for name in table.dtype.names:
            assert all(same(row[name], x) for row, x in zip(d[key], table[name])), (key, name)
    elif isinstance(d[key], str):
        assert text(r.attrs[key]) == d[key], key
    else:
        assert same(d[key], r.attrs[key]), (key, d[key], r.attrs[key])
assert [text(n) for n in r["host_names"]] == [h["name"] for h in d["hosts"]]
for rank in d["ranks"]:
    parts = [rank[k] for k in ("busy", "wait", "comm", "write")]
    if None not in parts:
        assert math.isclose(sum(parts), rank["wall"], rel_tol=1e-6, abs_tol=1e-6), rank
$(cat)
END
}

echo "-- ranks without a task"
cat >nap.yaml <<'END'
ranks: 4
oversubscribe: true
time: 2h
per-rank: {memory: 2GiB}
kernel: sleep
matrix: {x: 1-2}
args: {seconds: 0.5}
END
export GRIDMILL_RECEIPTS=$PWD/lines
expect 0 "$GRIDMILL" run nap.yaml
says '^  request  2 ranks of 4, 128 MiB a rank of 2 GiB, 1 min of 2 h would have sufficed'
says 'ranks: 2, per-rank: {memory: 128MiB}, time: 1m; sbatch -n 2 --mem-per-cpu=128M -t 1'
ask nap.h5 <<'END'
assert d["launches"] == 1 and d["over"] == 1 and d["asked_ranks"] == 4 and d["asked_time"] == 7200
assert 0.2 < d["ranks_busy"] < 0.6 and d["ranks_used"] == 2, d
idle = sorted(x["wait"] for x in d["ranks"])
assert idle[0] < 0.3 and idle[3] > 0.4 and d["cpus_busy"] < 0.5, idle
assert d["flops"] == 0 and d["of_peak"] is None and d["peak_f32"] is None
assert d["stages"][0]["tasks"] == 2 and 1 <= d["stages"][0]["task_seconds"] < 1.5
assert d["fit_ranks"] == 2 and d["fit_time"] == 60 and d["fit_gpus"] is None and d["gpus_used"] == 0
END
expect 0 "$GRIDMILL" result show nap.h5
says '^  ranks    [0-9]+ % of their time in tasks, [0-9]+ % without a task; cores [0-9]+ % busy'
expect 0 "$GRIDMILL" result show --json nap.h5
"$PYTHON" -c 'import json; a = json.load(open("out"))["receipt"]; b = json.load(open("nap.summary.json"))["receipt"]
assert a == b, (a, b)' || fail "show --json is another receipt"
[ ! -e "$XDG_CACHE_HOME/gridmill" ] || fail "probed for a job that counts nothing"

echo "-- counted work, and the peak"
cat >work.yaml <<'END'
ranks: 1
tasks:
  - {name: wait, kernel: sleep, args: {seconds: 3.05}}
  - name: multiply
    needs: [wait]
    kernel: gemm
    matrix: {dtype: [float32, float64], seed: 1-2}
    args: {n: 256, m: 192, repeat: 20, dtype: "${dtype}", seed: "${seed}", check: false}
END
expect 0 "$GRIDMILL" run work.yaml
says '^  work     +2.11 Gflop, [0-9.]+ .?flop/s: [0-9.e-]+ % of the peak, [0-9.]+ .flop/s'
ask work.h5 <<'END'
each = 2 * 256 * 256 * 192 * 21
m = d["stages"][1]
assert d["flops"] == d["flops64"] == m["flops"] == 2 * each, d["flops"]
assert m["bytes"] == (4 + 8) * 2 * 21 * (192 * 256 + 256 * 256 + 192 * 256), m["bytes"]
assert m["counted"] == 4 and d["stages"][0]["counted"] == 0
host = d["hosts"][0]
assert host["cpus"] == 1 and host["peak_f32"] >= host["peak_f32_one"] > 1e8, host
assert host["peak_f32"] > host["peak_f64"] > 1e8 and host["peak_read"] > 1e8, host
assert 0 < d["of_peak"] <= 1.05 and 0 < m["of_peak"] <= 1.05, (d["of_peak"], m["of_peak"])
assert d["of_peak"] < m["of_peak"] and d["stages"][0]["of_peak"] is None
least = 2 * each / d["peak_f32"] + 2 * each / d["peak_f64"]
assert math.isclose(d["of_peak"], least / d["wall"], rel_tol=1e-9)
assert (f["attempts/flops"][1:3] == each).all() and f["attempts/flops64"][3] == each
END
probed=("$XDG_CACHE_HOME"/gridmill/peak/*-1.txt)
[ -s "${probed[0]}" ] || fail "the peak was not kept"

echo "-- a short job reads the cache, and never probes"
sed -e '/name: wait/d' -e '/needs/d' work.yaml >short.yaml
stat -c '%Y %i' "${probed[0]}" >before
expect 0 "$GRIDMILL" run short.yaml
ask short.h5 <<'END'
assert 0 < d["of_peak"] <= 1.05, d["of_peak"]
END
stat -c '%Y %i' "${probed[0]}" | cmp - before || fail "a short job has probed"
truncate -s 40 "${probed[0]}"
expect 0 "$GRIDMILL" run --force short.yaml
says 'this host.s peak was not probed: the job was short'
ask short.h5 <<'END'
assert d["of_peak"] is None and d["flops"] > 0 and d["hosts"][0]["peak_f32"] is None
END

echo "-- ranks of one task wait for each other; the hash does not know of it"
cat >group.yaml <<END
group: all
kernel: mlp.train
args: {data: $EXAMPLES/data/digits.csv.gz, layers: [64, 32, 10], scale: 0.0625, epochs: 3}
results: {file: group.h5, pack: sharded}
END
expect 0 "$GRIDMILL" run group.yaml --ranks 2 --set oversubscribe=true
"$GRIDMILL" result hash group.h5 | cut -c1-64 >two
ask group.h5 <<'END'
import gzip
table = np.loadtxt(gzip.open(os.environ["GRIDMILL_SOURCE"] + "/jobspecs/data/digits.csv.gz", "rt"), delimiter=",")
n = np.bincount(table[:, -1].astype(int))
train, valid = ((n * 60 + 50) // 100).sum(), ((n * 80 + 50) // 100).sum() - ((n * 60 + 50) // 100).sum()
all = 64 * 32 + 32 * 10
assert d["flops"] == 3 * (train * (6 * all - 2 * 64 * 32) + valid * 2 * all), d["flops"]
a, b = d["ranks"]
assert a["comm"] > 0 and b["comm"] > 0, d["ranks"]
assert math.isclose(a["flops"], b["flops"]) and a["flops"] + b["flops"] == d["flops"] > 0
assert d["stages"][0]["group"] == 0 and d["stages"][0]["rank_seconds"] > 1.99 * d["stages"][0]["task_seconds"]
assert d["fit_ranks"] is None, "a task on all ranks is on all"
END
flops=$("$PYTHON" -c 'import json; print(json.load(open("group.summary.json"))["receipt"]["flops"])')
expect 0 "$GRIDMILL" run --force group.yaml --ranks 1
"$GRIDMILL" result hash group.h5 | cut -c1-64 | cmp - two || fail "another hash on one rank"
ask group.h5 <<END
assert d["flops"] == $flops, "the work depends on the ranks"
assert d["ranks"][0]["comm"] == 0
END

echo "-- a launch that was stopped, and the one that went on"
cat >two.yaml <<'END'
ranks: 1
kernel: sleep
matrix: {x: 1-40}
args: {seconds: 0.1}
END
"$GRIDMILL" run two.yaml >out 2>err &
job=$!
for _ in $(seq 300); do
    "$GRIDMILL" watch --once --json two.h5 2>/dev/null | grep -Eq '"done": ?([3-9]|[1-3][0-9])' && break
    sleep 0.1
done
kill -TERM $job
wait $job
[ $? -eq 5 ] || fail "exit $? of a stopped job"
expect 0 "$GRIDMILL" result show two.h5
says '^  receipt'
says_not '^  request'
expect 0 "$GRIDMILL" resume two.h5
says 'of 2 launches'
ask two.h5 <<'END'
rank = d["ranks"][0]
assert d["launches"] == 2 and rank["launches"] == 2 and d["stages"][0]["tasks"] == 40
assert 4 <= rank["busy"] <= rank["wall"] and math.isclose(rank["wall"], d["wall"], rel_tol=0.01)
assert d["longest_launch"] < d["wall"] + 2
END

echo "-- under somebody else's mpirun"
cat >foreign.yaml <<'END'
kernel: sleep
matrix: {x: 1-4}
args: {seconds: 0.05}
results: foreign.h5
END
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" foreign.yaml
ask foreign.h5 <<'END'
assert d["asked_ranks"] == 2 and d["launches"] == 1 and all(x["tasks"] > 0 for x in d["ranks"])
END

echo "-- in a batch job that had more than its ranks took"
expect 0 env SLURM_JOB_ID=77 SLURM_JOB_NODELIST="$(hostname)" SLURM_JOB_NUM_NODES=1 SLURM_JOB_CPUS_PER_NODE=64 \
    SLURM_GPUS=h200:4 SLURM_JOB_START_TIME=1000 SLURM_JOB_END_TIME=8200 "${MPIRUN[@]}" -n 2 "$RUNNER" --force foreign.yaml
ask foreign.h5 <<'END'
assert d["given_cpus"] == 64 and d["given_gpus"] == 4 and d["asked_time"] == 7200 and d["fit_gpus"] == 0, d
assert "-n " in d["sbatch"] and "--gres=none" in d["sbatch"] and d["sbatch"].endswith("-t 1"), d["sbatch"]
assert "fewer than the 64 CPUs of the allocation" in d["advice"] and "no GPU of 4" in d["advice"], d["advice"]
END

echo "-- a line a job"
"$PYTHON" - "$(id -u)" "$(id -un)" <<'END' || fail "lines"
import os, re, sys
names = os.listdir("lines")
assert names == [f"uid-{sys.argv[1]}.txt"], names
assert os.stat(f"lines/{names[0]}").st_mode & 0o7777 & ~0o644 == 0
lines = open(f"lines/{names[0]}").read().splitlines()
jobs = [dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line)) for line in lines]
assert all(j["receipt"] == "1" and j["end"] == "1" and j["user"] == sys.argv[2] for j in jobs)
got = [(j["name"], j["outcome"]) for j in jobs]
assert got == [("nap", "done"), ("work", "done"), ("short", "done"), ("short", "done"), ("group", "done"),
               ("group", "done"), ("two", "incomplete"), ("two", "done"), ("foreign", "done"),
               ("foreign", "done")], got
nap, work, two = jobs[0], jobs[1], jobs[7]
assert nap["suggest"] == '"-n 2 --mem-per-cpu=128M -t 1"' and nap["fit_ranks"] == "2" and nap["of_peak"] == "n/a"
assert float(work["of_peak"]) > 0 and work["flops"] == str(4 * 2 * 256 * 256 * 192 * 21) and work["suggest"] == '""'
assert two["launches"] == "2" and nap["gpus"] == "0" and nap["jobid"] == "n/a"
assert jobs[9]["jobid"] == "77" and jobs[9]["gpus"] == "4"
END

echo "-- what is wrong with the folder is told, and fails no job"
GRIDMILL_RECEIPTS=$PWD/nowhere expect 0 "$GRIDMILL" run --force short.yaml
says 'note: the receipt was not noted: .*/nowhere/uid-[0-9]+.txt: No such file or directory'
GRIDMILL_RECEIPTS=$PWD/nowhere expect 0 "${MPIRUN[@]}" -n 1 "$RUNNER" --force foreign.yaml
says 'the receipt was not noted: .*/nowhere/'
[ "$(wc -l <lines/*.txt)" -eq 10 ] || fail "$(wc -l <lines/*.txt) lines"
