# gridmill plan --tasks: what single tasks get, compared with arithmetic done in Python, at once
# for any of 10^7.
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
says '  command  echo one-2 "a b" 64\+64 17 \$\{results\}$'
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
    assert t["shard"] == dict(of="rows.csv", index=shard, first=64 * shard, count=count), t
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
says 'command  echo \$\{train\.error\[1\]\} \$\{train\.error@min:error\}$'
says '  after    train(\[1\])?$'

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
