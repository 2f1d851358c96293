"""PyTorch on the perceptrons of bench_gpu.c: a training step (momentum, rows from the host's
memory) and inference to the host, as JSON lines. Exit code 77: no PyTorch, or it sees no GPU.

  mlp_torch.py
"""
import json
import statistics
import sys
import time

try:
    import torch
except ImportError:
    print("python3 has no PyTorch", file=sys.stderr)
    sys.exit(77)
if not torch.cuda.is_available():
    print(f"PyTorch {torch.__version__} sees no GPU", file=sys.stderr)
    sys.exit(77)

TURNS, TARGET = 9, 0.02
NETS = [([784, 512, 512, 10], 256), ([784, 4096, 4096, 10], 4096)]


def timed(run, calls):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


def median_of(run):
    timed(run, 10)
    calls = min(2000, max(3, int(TARGET / max(timed(run, 3), 1e-7))))
    return statistics.median(timed(run, calls) for _ in range(TURNS))


def network(widths):
    layers = []
    for wide, (i, o) in enumerate(zip(widths, widths[1:])):
        layers.append(torch.nn.Linear(i, o))
        if wide < len(widths) - 2:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers).cuda()


def bench(widths, rows, tf32):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.manual_seed(1)
    net = network(widths)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=True)
    loss = torch.nn.CrossEntropyLoss()
    x, labels = torch.rand(rows, widths[0]), torch.arange(rows) % widths[-1]

    def step():
        sgd.zero_grad(set_to_none=True)
        loss(net(x.cuda()), labels.cuda()).backward()
        sgd.step()

    def infer():
        with torch.inference_mode():
            p = torch.softmax(net(x.cuda()), 1)
            return p.cpu(), p.argmax(1).cpu()

    for name, run in (("train", step), ("infer", infer)):
        seconds = median_of(run)
        print(
            json.dumps(
                {
                    "suite": "gpu",
                    "name": f"torch mlp.{name} {'-'.join(map(str, widths))}"
                    f" {'tf32' if tf32 else 'f32'}, batch {rows}",
                    "unit": "rows/s",
                    "value": rows / seconds,
                }
            ),
            flush=True,
        )


print(json.dumps({"suite": "gpu", "torch": torch.__version__, "cuda": torch.version.cuda}))
for shape, batch in NETS:
    for fast in (False, True):
        bench(shape, batch, fast)
