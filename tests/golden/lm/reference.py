"""A trainer of GPT-2 and Llama in numpy, all in double: forward, backward, clipping, AdamW, schedule
and the order of sequences, written from the papers and from the headers' words alone. Weights are
a dictionary under Hugging Face's names."""
import json
import math
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sampler"))
import numpy as np
import philox

ORDER, SHIFT = 1 << 32, 1 << 33  # streams: plugins/kernel/lm_trainer.c


def read_safetensors(data):
    """The tensors (float32 as float64) and the config."""
    n, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    meta = head.pop("__metadata__")
    out = {}
    for name, t in head.items():
        assert t["dtype"] == "F32"
        a, b = t["data_offsets"]
        out[name] = np.frombuffer(data[8 + n + a:8 + n + b], "<f4").astype(np.float64).reshape(t["shape"])
    return out, json.loads(meta["config"]), meta


class Tape:
    """Arrays and the way back through what was done to them."""

    def __init__(self, weights):
        self.w, self.steps = weights, []
        self.g = {k: np.zeros_like(v) for k, v in weights.items()}

    def back(self):
        for step in reversed(self.steps):
            step()


class Node:
    def __init__(self, v):
        self.v, self.d = v, np.zeros_like(v)


def linear(t, x, name, bias=None, turned=False):
    w = t.w[name]
    y = Node(x.v @ (w.T if turned else w) + (t.w[bias] if bias else 0))

    def back():
        flat, d = x.v.reshape(-1, x.v.shape[-1]), y.d.reshape(-1, y.d.shape[-1])
        t.g[name] += d.T @ flat if turned else flat.T @ d
        if bias:
            t.g[bias] += d.sum(axis=0)
        x.d += y.d @ (w if turned else w.T)
    t.steps.append(back)
    return y


def norm(t, x, gain, bias, eps):
    """Layernorm; without a bias, rmsnorm."""
    m = x.v.mean(axis=-1, keepdims=True) if bias else 0
    c = x.v - m
    r = 1 / np.sqrt((c * c).mean(axis=-1, keepdims=True) + eps)
    h = c * r
    y = Node(h * t.w[gain] + (t.w[bias] if bias else 0))

    def back():
        flat = tuple(range(x.v.ndim - 1))
        t.g[gain] += (y.d * h).sum(axis=flat)
        if bias:
            t.g[bias] += y.d.sum(axis=flat)
        dh = y.d * t.w[gain]
        d = dh - h * (dh * h).mean(axis=-1, keepdims=True)
        if bias:
            d -= dh.mean(axis=-1, keepdims=True)
        x.d += r * d
    t.steps.append(back)
    return y


def add(t, a, b):
    y = Node(a.v + b.v)

    def back():
        a.d += y.d
        b.d += y.d
    t.steps.append(back)
    return y


def gelu(t, x):
    k = math.sqrt(2 / math.pi)
    u = np.tanh(k * (x.v + 0.044715 * x.v ** 3))
    y = Node(0.5 * x.v * (1 + u))

    def back():
        x.d += y.d * (0.5 * (1 + u) + 0.5 * x.v * (1 - u * u) * k * (1 + 3 * 0.044715 * x.v ** 2))
    t.steps.append(back)
    return y


def swiglu(t, a, b):
    s = 1 / (1 + np.exp(-a.v))
    y = Node(a.v * s * b.v)

    def back():
        a.d += y.d * b.v * (s + a.v * s * (1 - s))
        b.d += y.d * a.v * s
    t.steps.append(back)
    return y


def attention(t, q, k, v, heads, kv_heads, theta):
    """Causal; rotary with theta (pairs i, i + half), or none with 0."""
    n, length, dim = q.v.shape
    size = dim // heads

    def split(x, h):
        return x.reshape(n, length, h, size).transpose(0, 2, 1, 3)

    def turn(x, sign):
        half = size // 2
        angle = np.arange(length)[:, None] * theta ** (-np.arange(half) * 2.0 / size)[None]
        c, s = np.cos(angle), sign * np.sin(angle)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * c - b * s, b * c + a * s], axis=-1)

    qs, ks, vs = split(q.v, heads), split(k.v, kv_heads), split(v.v, kv_heads)
    if theta:
        qs, ks = turn(qs, 1), turn(ks, 1)
    share = heads // kv_heads
    kr, vr = np.repeat(ks, share, axis=1), np.repeat(vs, share, axis=1)
    z = qs @ kr.transpose(0, 1, 3, 2) / math.sqrt(size)
    z = np.where(np.tril(np.ones((length, length), bool)), z, -np.inf)
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    y = Node((p @ vr).transpose(0, 2, 1, 3).reshape(n, length, dim))

    def back():
        d = split(y.d, heads)
        dp = d @ vr.transpose(0, 1, 3, 2)
        dz = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / math.sqrt(size)
        dq, dk = dz @ kr, dz.transpose(0, 1, 3, 2) @ qs
        dv = p.transpose(0, 1, 3, 2) @ d
        dk, dv = (x.reshape(n, kv_heads, share, length, size).sum(axis=2) for x in (dk, dv))
        if theta:
            dq, dk = turn(dq, -1), turn(dk, -1)
        for node, x in ((q, dq), (k, dk), (v, dv)):
            node.d += x.transpose(0, 2, 1, 3).reshape(node.d.shape)
    t.steps.append(back)
    return y


def embed(t, ids, name):
    y = Node(t.w[name][ids])

    def back():
        np.add.at(t.g[name], ids, y.d)
    t.steps.append(back)
    return y


def part(t, x, begin, end):
    y = Node(x.v[..., begin:end].copy())

    def back():
        x.d[..., begin:end] += y.d
    t.steps.append(back)
    return y


def gpt2(t, c, ids):
    dim, eps = c["n_embd"], c["layer_norm_epsilon"]
    place = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    x = add(t, embed(t, ids, "wte.weight"), embed(t, place, "wpe.weight"))
    for i in range(c["n_layer"]):
        h = f"h.{i}."
        y = norm(t, x, h + "ln_1.weight", h + "ln_1.bias", eps)
        y = linear(t, y, h + "attn.c_attn.weight", h + "attn.c_attn.bias")
        y = attention(t, *(part(t, y, j * dim, (j + 1) * dim) for j in range(3)), c["n_head"], c["n_head"], 0)
        x = add(t, x, linear(t, y, h + "attn.c_proj.weight", h + "attn.c_proj.bias"))
        y = norm(t, x, h + "ln_2.weight", h + "ln_2.bias", eps)
        y = gelu(t, linear(t, y, h + "mlp.c_fc.weight", h + "mlp.c_fc.bias"))
        x = add(t, x, linear(t, y, h + "mlp.c_proj.weight", h + "mlp.c_proj.bias"))
    y = norm(t, x, "ln_f.weight", "ln_f.bias", eps)
    return linear(t, y, "lm_head.weight" if "lm_head.weight" in t.w else "wte.weight", turned=True)


def llama(t, c, ids):
    eps = c["rms_norm_eps"]
    x = embed(t, ids, "model.embed_tokens.weight")
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        y = norm(t, x, h + "input_layernorm.weight", None, eps)
        q, k, v = (linear(t, y, f"{h}self_attn.{j}_proj.weight", turned=True) for j in "qkv")
        y = attention(t, q, k, v, c["num_attention_heads"], c["num_key_value_heads"], c["rope_theta"])
        x = add(t, x, linear(t, y, h + "self_attn.o_proj.weight", turned=True))
        y = norm(t, x, h + "post_attention_layernorm.weight", None, eps)
        gate, up = (linear(t, y, f"{h}mlp.{j}_proj.weight", turned=True) for j in ("gate", "up"))
        x = add(t, x, linear(t, swiglu(t, gate, up), h + "mlp.down_proj.weight", turned=True))
    y = norm(t, x, "model.norm.weight", None, eps)
    name = "lm_head.weight" if "lm_head.weight" in t.w else "model.embed_tokens.weight"
    return linear(t, y, name, turned=True)


def losses_and_gradient(w, c, ids, labels):
    """Loss of each token, and the gradient of their mean."""
    t = Tape(w)
    logits = (llama if "rms_norm_eps" in c else gpt2)(t, c, ids)
    z = logits.v - logits.v.max(axis=-1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=-1, keepdims=True)
    rows = np.take_along_axis(z, labels[..., None], axis=-1)
    losses = (np.log(total) - rows)[..., 0]
    d = p / total
    np.put_along_axis(d, labels[..., None], np.take_along_axis(d, labels[..., None], -1) - 1, -1)
    logits.d += d / labels.size
    t.back()
    return losses, t.g


def rate(o, t):
    peak, last, warmup, steps = o["lr"], o["lr-last"], o["warmup"], o["steps"]
    if t < warmup:
        return peak * (t + 1) / warmup
    x = min(1.0, (t - warmup) / (steps - warmup))
    form = o["schedule"]
    if form == "cosine":
        return last + (peak - last) * (1 + math.cos(math.pi * x)) / 2
    return peak + (last - peak) * x if form == "linear" else peak


class Order:
    """Where the sequences of the training begin, one after another."""

    def __init__(self, seed, n_train, context):
        self.seed, self.n, self.context, self.epoch = seed, n_train, context, None
        self.windows = max(1, (n_train - 1) // context - 1)

    def start(self, number):
        epoch, i = divmod(number, self.windows)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = philox.permutation(self.seed, ORDER + epoch, self.windows)
            self.shift = philox.Draws(self.seed, SHIFT + epoch).below(self.n - self.windows * self.context)
        return self.shift + self.order[i] * self.context


def train(w, c, o, ids):
    """The loss of each step; w becomes the trained weights."""
    n_train, length = int(len(ids) * (1 - o["valid-share"])), o["context"]
    order, batch = Order(o["data-seed"], n_train, length), o["batch"] * o["accumulation"]
    m, v = ({k: np.zeros_like(x) for k, x in w.items()} for _ in range(2))
    found = []
    for step in range(o["steps"]):
        starts = [order.start(step * batch + q) for q in range(batch)]
        x = np.array([ids[s:s + length] for s in starts])
        y = np.array([ids[s + 1:s + length + 1] for s in starts])
        losses, g = losses_and_gradient(w, c, x, y)
        found.append(losses.mean())
        size = math.sqrt(sum((a * a).sum() for a in g.values()))
        factor = o["clip"] / size if 0 < o["clip"] < size else 1
        lr = rate(o, step)
        for k in w:
            a = g[k] * factor
            m[k] = o["beta1"] * m[k] + (1 - o["beta1"]) * a
            v[k] = o["beta2"] * v[k] + (1 - o["beta2"]) * a * a
            mean, square = m[k] / (1 - o["beta1"] ** (step + 1)), v[k] / (1 - o["beta2"] ** (step + 1))
            decay = o["weight-decay"] if w[k].ndim > 1 else 0
            w[k] = w[k] - lr * (mean / (np.sqrt(square) + o["eps"]) + decay * w[k])
    return found, held_out(w, c, ids, n_train, length)


def held_out(w, c, ids, n_train, length):
    """The mean over all tokens from n_train on, each once, in windows that do not overlap."""
    total = 0.0
    for at in range(n_train, len(ids), length):
        n = min(length, len(ids) - at)
        x, y = (np.array([ids[at - back:at - back + n]]) for back in (1, 0))
        total += losses_and_gradient(w, c, x, y)[0].sum()
    return total / (len(ids) - n_train)
