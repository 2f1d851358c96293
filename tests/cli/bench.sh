# bench/run models --quick: every line of the suite is measured once, in seconds; no number is judged but
# those that hold on any machine: the peer's logits are ours, and a step's parts make up the step.
. "$(dirname "$0")/lib.sh"

for program in bench_models bench_peer_decode; do
    [ -x "$GRIDMILL_BIN/$program" ] || skip "no $program in this build"
done
expect 0 "$PYTHON" -B "$GRIDMILL_SOURCE/bench/run" models --quick --build "$GRIDMILL_BIN/.." \
    --out "$work/lines.jsonl"
says 'PyTorch (is not installed|infer)' # who is missing is said

expect 0 "$PYTHON" -B - "$work/lines.jsonl" <<'PYTHON'
import json, math, sys

lines = [json.loads(text) for text in open(sys.argv[1], encoding="utf-8")]
names = [line["name"] for line in lines]
for start in ("gpt step B2 T16, 2 threads", "gpt step B2 T16, lm.train as a job, 1 x 2 threads",
              "gpt step B2 T16, lm.train as a job, 2 x 1 thread",
              "mlp.train b64 micro-batch 64, 2 threads",
              "mlp.train b64 micro-batch 64, a job, 1 x 2 threads",
              "mlp.train b64 micro-batch 64, a job, 2 x 1 thread", "mlp scores b32, 2 threads",
              "logits after 8 tokens", "decode 0.3 MB a token, 1 thread",
              "decode 0.3 MB a token, 2 threads", "gpt B2 T16, 2 threads: 1 x adamw"):
    assert any(name.startswith(start) for name in names), f"no line {start}"
for line in lines:
    assert math.isfinite(line["value"]) and line["value"] > 0, line
step = {line["name"].split(": ")[1]: line["value"] for line in lines
        if line["name"].startswith("gpt B2 T16, 2 threads: ")}
whole = step.pop("all")
assert len(step) > 20 and abs(sum(step.values()) - whole) < 1e-6 * whole, step
PYTHON
expect 2 "$PYTHON" -B "$GRIDMILL_SOURCE/bench/run" start --quick --build "$GRIDMILL_BIN/.."
says 'start has no quick form'
