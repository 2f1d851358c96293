# gridmill plan --tasks: what single tasks get, compared with arithmetic done in Python, at once
# for any of 10^7; and with what tasks did get when their job ran.
. "$(dirname "$0")/lib.sh"

seq 1 1000 | sed 's/$/,1/' >rows.csv
cat >job.yaml <<'END'
name: big
tasks:
  - name: sweep
    kernel: sleep
    matrix: {a: 1-1000, b: 0-990:10, c: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.5], d: 3-12}
    args: {seconds: "${c}"}
  - name: scan
    matrix: {x: [one, two], y: 1-7}
    shards: {of: rows.csv, rows: 64}
    needs: [sweep]
    command: [echo, "${x}-${y}", "a b", "${shard.first}+${shard.count}", "${task.index}", "${results}"]
    env: {WHERE: "${shard.index}"}
END

expect 0 "$GRIDMILL" plan job.yaml --tasks sweep:4999999
says '^sweep\[4999999\] of 10000000, kernel sleep$'
says '  axes     a = 500$'
expect 0 "$GRIDMILL" plan job.yaml --tasks scan:17
says '  command  echo one-2 .a b. 64\+64 17 .\$\{results\}.$'
says '  shard    1 of 16: rows 64 to 127 of rows\.csv$'
says '  after    sweep$'

for which in sweep:0-999 sweep:4999500-5000499 sweep:9999000-9999999 scan:0-223; do
    expect 0 "$GRIDMILL" plan job.yaml --tasks $which --json
    "$PYTHON" - out $which <<'END' || fail "$which is not what arithmetic says"
import json, sys
v = json.load(open(sys.argv[1]))
stage, which = sys.argv[2].split(":")
first, last = map(int, which.split("-"))
assert v["schema"] == "gridmill.tasks/1" and v["stage"] == stage, v
assert [t["index"] for t in v["tasks"]] == list(range(first, last + 1))
MASK = (1 << 64) - 1

def seed(name, i):  # SplitMix64 over FNV-1a
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 & MASK
    h = (h + (i + 1) * 0x9E3779B97F4A7C15) & MASK
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & MASK
    h = (h ^ h >> 27) * 0x94D049BB133111EB & MASK
    return h ^ h >> 31

C = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.5]
for t in v["tasks"]:
    i = t["index"]
    assert t["seed"] == seed(stage, i), t
    if stage == "sweep":
        assert v["of"] == 10**7 and v["kernel"] == "sleep"
        a, b, c, d = i // 10000, i // 100 % 100, i // 10 % 10, i % 10
        assert t["axes"] == dict(a=1 + a, b=10 * b, c=C[c], d=3 + d), t
        assert t["args"]["seconds"] == C[c] and t["needs"] == [], t
        continue
    shard, y, x = i % 16, i // 16 % 7, i // 16 // 7
    assert v["of"] == 2 * 7 * 16 and t["axes"] == dict(x=["one", "two"][x], y=1 + y), t
    count = min(64, 1000 - 64 * shard)
    assert t["shard"] == dict(of="rows.csv", unit="rows", index=shard, first=64 * shard, count=count), t
    name = ["one", "two"][x]
    assert t["command"] == ["echo", "%s-%d" % (name, 1 + y), "a b",
                            "%d+%d" % (64 * shard, count), str(i), "${results}"], t
    assert t["env"] == {"WHERE": str(shard)} and t["needs"] == ["sweep"], t
END
done

# References go by their names, element to element.
cat >refs.yaml <<'END'
tasks:
  - {name: train, kernel: gemm, matrix: {n: [8, 16]}, args: {n: "${n}", repeat: 1}}
  - {name: show, matrix: {n: [8, 16]}, command: [echo, "${train.error}", "${train.error@min:error}"]}
END
expect 0 "$GRIDMILL" plan refs.yaml --tasks show:1
says 'command  echo .\$\{train\.error\[1\]\}. .\$\{train\.error@min:error\}.$'
says '  after    train(\[1\])?$'

# What is told before is what tasks got: every argument, word, variable and shard of a job that has all
# ways to cut and to refer. A stage's command prints its words, one a line.
mkdir parts
for i in 3 1 2 5 4; do
    echo "part $i" >parts/p$i.txt
done
printf '0123456789abcdefghij' >data.bin
printf 'a\nb\nc\nd\ne\n' >notes.txt
printf '1\n2\n3\n4\n' >day-1.csv
printf '5\n6\n7\n8\n' >day-2.csv
cp "$EXAMPLES/data/digits.csv.gz" set-1.csv.gz
cp set-1.csv.gz set-2.csv.gz
"$PYTHON" -c '
import h5py, numpy
h5py.File("t.h5", "w")["x"] = numpy.loadtxt("set-1.csv.gz", delimiter=",")' || fail "no table"
cat >all.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: bytes
    shards: {of: data.bin, bytes: 8B}
    command: [printf, '%s\n', "${shard.path}", "${shard.first}:${shard.count}", "$${shard.path}"]
  - name: lines
    shards: {of: notes.txt, lines: 2}
    command: [printf, '%s\n', "of ${shard.path}", "${shard.index}", "${shard.first}", "${shard.count}"]
  - name: files
    shards: {of: "parts/*.txt", files: 2}
    command: [printf, '%s\n', before, "${shard.path}", "${task.index}"]
  - name: each
    shards: {of: parts, files: 1}
    command: [printenv, FILE]
    env: {FILE: "${shard.path}"}
  - name: days
    matrix: {day: 1-2}
    shards: {of: "day-${day}.csv", rows: 2}
    command: [printf, '%s\n', "${shard.path}", "${shard.first}", "${day}"]
  - name: train
    kernel: mlp.train
    matrix: {lr: [0.3, 1], width: 8-16:8, seed: [7]}
    args: {data: set-1.csv.gz, scale: 0.0625, layers: [64, "${width}", 10], epochs: 1, lr: "${lr}",
           init-seed: "${seed}", split-seed: 1}
  - name: sets
    kernel: mlp.train
    matrix: {n: 1-2}
    args: {data: "set-${n}.csv.gz", scale: 0.0625, layers: [64, 8, 10], epochs: 1}
  - name: score
    kernel: mlp.infer
    shards: {of: set-1.csv.gz, rows: 1024}
    args: {model: "${train.model@max:accuracy}", data: "${shard.path}", split-seed: 1, part: test}
  - name: table
    kernel: mlp.infer
    shards: {of: "t.h5:/x", rows: 1024}
    args: {model: "${train.model@min:accuracy}"}
  - name: count
    kernel: mlp.infer
    args: {model: "${train.model@max:accuracy}", data: set-1.csv.gz, split-seed: 1, part: test}
  - name: wide
    kernel: mlp.train
    args: {data: set-1.csv.gz, scale: 0.0625, layers: [64, "${count.rows}", 10], epochs: 1,
           lr: "${train.accuracy@max:accuracy}"}
  - name: say
    matrix: {lr: [0.3, 1], width: 8-16:8, seed: [7]}
    command: [printf, '%s\n', "${train.accuracy}", "${train.accuracy@min:accuracy}", "${count.rows}",
              "${lr} ${width}", "${results}"]
results: all.h5
END
expect 0 "$GRIDMILL" plan all.yaml --tasks files:2
says '^  shard    2 of 3: files 4 to 4 of parts/\*\.txt$'
says "^  files    $work/parts/p5\.txt\$"
says "^  command  printf .* before $work/parts/p5\.txt 2\$"
expect 0 "$GRIDMILL" plan all.yaml --tasks days:3
says '^  shard    1 of 2: rows 2 to 3 of day-2\.csv$'
expect 0 "$GRIDMILL" plan all.yaml --tasks wide:0
says '^           layers = \[64,"\$\{count\.rows\[0\]\}",10\]$'
expect 0 "$GRIDMILL" plan all.yaml --tasks table:1
says "^           data = \"$work/t\.h5:/x\"\$"
mkdir told
for which in bytes:0-2 lines:0-2 files:0-2 each:0-4 days:0-3 train:0-3 sets:0-1 score:0-1 table:0-1 count:0 \
    wide:0 say:0-3; do
    expect 0 "$GRIDMILL" plan all.yaml --tasks $which --json
    cp out told/${which%:*}.json
done
expect 0 "$GRIDMILL" run all.yaml
h5 '
import os, re
tasks, compared = f["tasks"], 0

def text(group, i):
    at = group["offset"]
    return group["data"][int(at[i]):int(at[i + 1])].tobytes().decode()

def best(stage, how, scalar):
    values = f["stages"][stage]["outputs"][scalar][...]
    return int(np.argmax(values) if how == "max" else np.argmin(values))

def found(name):  # what a name stands for: (stage, output, task)
    m = re.fullmatch(r"\$\{(\w+)\.(\w+)(?:\[(\d+)\]|@(max|min):(\w+))\}", name)
    return m and (m[1], m[2], int(m[3]) if m[3] else best(m[1], m[4], m[5]))

def known(v):  # an output is its number; a model the name of the one that was taken
    if isinstance(v, list):
        return [known(i) for i in v]
    at = isinstance(v, str) and found(v)
    if not at:
        return v
    stage, output, i = at
    return "%s.%s[%d]" % at if output == "model" else f["stages"][stage]["outputs"][output][i].item()

def compare_shard(t, told):
    s = t["shard"]
    files = s.get("files")
    assert (files is not None) == (s["unit"] == "files"), s
    assert files is None or len(files) == s["count"] and all(map(os.path.isfile, files)), s
    names = " ".join(map(os.path.basename, files)) if files else s["of"]
    for key, want in dict(path=names, first=s["first"], count=s["count"], index=s["index"]).items():
        assert told.pop("shard." + key, want) == want, (t, key)
    shard = told.pop("shard", None)
    assert shard in (None, dict(first=s["first"], count=s["count"])), (s, shard)

def compare_args(t, told):
    for key, value in told.items():
        mine = known(t["args"][key])
        # a path is told as it is written
        assert mine == (os.path.join(os.getcwd(), value) if key == "data" else value), (t, key, value)

def compare_words(t, said):
    lines = said.splitlines()
    words = [t["env"]["FILE"]] if t["command"][0] == "printenv" else t["command"][2:]
    assert len(words) == len(lines), (t, lines)
    for word, line in zip(words, lines):
        if word == "${results}":
            assert line.endswith(".h5"), line
        elif found(word):
            assert float(line) == known(word), (word, line)
        else:
            assert word == line, (t, line)

for name, stage in f["stages"].items():
    v = json.load(open("told/%s.json" % name))
    n = int(stage.attrs["n_tasks"])
    assert v["of"] == n and [t["index"] for t in v["tasks"]] == list(range(n)), v
    row = int(stage.attrs["task_rows"][0])
    for i, t in enumerate(v["tasks"]):
        told = json.loads(text(tasks["params"], row + i) or "{}")
        assert int(tasks["index"][row + i]) == i
        if "shard" in t:
            compare_shard(t, told)
        if v["kernel"]:
            compare_args(t, told)
        else:
            compare_words(t, text(f["logs"][name]["stdout"], i))
        compared += 1
assert compared == len(tasks["index"]) == 34, compared
' all.h5

# As many tasks as the machine has slots for.
cat >slots.yaml <<'END'
version: 9999
resources:
  - {type: slot, label: t, count: {min: 1, max: 4}, with: [{type: core, count: 1}]}
tasks:
  - {command: [printenv, A], slot: t, count: {per_slot: 1}}
attributes: {system: {duration: 60, environment: {A: "x${y}", B: null}}}
END
expect 0 "$GRIDMILL" plan slots.yaml --json
n=$("$PYTHON" -c 'import json; print(json.load(open("out"))["stages"][0]["tasks"])')
expect 0 "$GRIDMILL" plan slots.yaml --tasks $((n - 1))
says "^printenv\[$((n - 1))\] of $n, a command\$"
says '^  env      A = .x\$\{y\}.$'
says '^           B = \(unset\)$'
expect 2 "$GRIDMILL" plan slots.yaml --tasks "$n"
says "stage printenv has $n tasks?: 0 to $((n - 1))"

refused() # REGEX WHICH
{
    expect 2 "$GRIDMILL" plan job.yaml --tasks "$2"
    says "$1"
    [ ! -s out ] || fail "said something all the same"
}
refused 'has 2 stages: write sweep:5 or scan:5' 5
refused 'stage sweep has 10000000 tasks: 0 to 9999999' sweep:10000000
refused 'stage scan has 224 tasks: 0 to 223' scan:0-224
refused "no stage.*did you mean 'sweep'" swep:1
refused 'ends before it begins' scan:2-1
refused 'at most 1000' sweep:0-1000
for which in x scan: scan:x scan:1- scan:-1 scan:1-2-3 scan:1.5 '' scan:99999999999999999999; do
    refused 'must be \[STAGE:\]N' "$which"
done

# One task of 10^7 is not one of many.
start=$(date +%s%N)
for i in 1 2 3 4 5; do
    expect 0 "$GRIDMILL" plan job.yaml --tasks sweep:4999999
done
ms=$((($(date +%s%N) - start) / 5000000))
[ $ms -lt 2000 ] || fail "one task took $ms ms"
exit 0
