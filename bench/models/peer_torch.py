#!/usr/bin/python3
"""PyTorch as its users write it: a tiny GPT's training step, an MLP's step and inference.

  peer_torch.py gpt BATCH TOKENS THREADS CODE      layers 4, d 256, heads 4, 256 ids, tied head
  peer_torch.py train BATCH THREADS CODE           784-512-512-10, cross-entropy, momentum
  peer_torch.py infer BATCH THREADS CODE           the same, class scores
  peer_torch.py version

CODE: eager, or a tuned form of it. gpt: foreach (AdamW's update over all tensors at once),
trace (the network through torch.jit.trace). train: foreach. infer: frozen
(torch.jit.optimize_for_inference), mkldnn (weights in oneDNN's layout). Its pools are set by the
environment: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, OMP_WAIT_POLICY.

Speaks as bench/models/turns.py wants: "ready", then for each line "turn SECONDS" the
milliseconds of the median step.
"""
import math
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, WIDTH, HEADS, IDS = 4, 256, 4, 256
WIDTHS = (784, 512, 512, 10)


class Block(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        hidden = torch.ones(tokens, tokens).triu(1).bool()
        self.register_buffer("hidden", hidden.view(1, 1, tokens, tokens))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln_1(x)).split(d, dim=2)
        q, k, v = (y.view(b, t, HEADS, d // HEADS).transpose(1, 2) for y in (q, k, v))
        p = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(d // HEADS))
        p = F.softmax(p.masked_fill(self.hidden, float("-inf")), dim=-1)
        x = x + self.out((p @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.ids, self.places = nn.Embedding(IDS, WIDTH), nn.Embedding(tokens, WIDTH)
        self.blocks = nn.ModuleList(Block(tokens) for _ in range(LAYERS))
        self.ln = nn.LayerNorm(WIDTH)
        self.register_buffer("place", torch.arange(tokens))

    def forward(self, x):
        x = self.ids(x) + self.places(self.place)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.ln(x), self.ids.weight)


def gpt_step(batch, tokens, code):
    """Forward, backward, clipping by the global norm, AdamW: what lm.train does."""
    model = Gpt(tokens)
    params = list(model.parameters())
    optimizer = torch.optim.AdamW(params, lr=1e-3, foreach=code == "foreach")
    text = torch.randint(IDS, (batch, tokens + 1))
    x, y = text[:, :-1].contiguous(), text[:, 1:].reshape(-1)
    network = torch.jit.trace(model, x) if code == "trace" else model

    def step():
        loss = F.cross_entropy(network(x).view(-1, IDS), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    return step


def mlp():
    layers = []
    for a, b in zip(WIDTHS, WIDTHS[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train_step(batch, code):
    model = mlp()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, foreach=code == "foreach"
    )
    x, y = torch.rand(batch, WIDTHS[0]), torch.randint(WIDTHS[-1], (batch,))

    def step():
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def infer_step(batch, code):
    model, x = mlp().eval(), torch.rand(batch, WIDTHS[0])
    if code == "frozen":
        model = torch.jit.optimize_for_inference(torch.jit.trace(model, x))
    elif code == "mkldnn":
        from torch.utils import mkldnn

        model, x = mkldnn.to_mkldnn(model), x.to_mkldnn()

    def step():
        with torch.inference_mode():
            model(x)

    return step


def main():
    torch.manual_seed(1)
    what, words = sys.argv[1], sys.argv[2:]
    if what == "version":
        print(torch.__version__)
        return
    numbers, code = [int(v) for v in words[:-1]], words[-1]
    torch.set_num_threads(numbers[-1])
    made = {"gpt": gpt_step, "train": train_step, "infer": infer_step}[what]
    step = made(*numbers[:-1], code)
    for _ in range(5):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, took = float(line.split()[1]), []
        end = time.perf_counter() + seconds
        while not took or time.perf_counter() < end:
            start = time.perf_counter()
            step()
            took.append(time.perf_counter() - start)
        print(statistics.median(took) * 1e3, flush=True)


if __name__ == "__main__":
    main()
