"""Networks of ours beside PyTorch and llama2.c's published way of decoding, each as a program that
takes turns with its peer, and beside what the machine can do; then where a GPT's step goes."""
import array
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import jobs  # noqa: E402
import torch_peer  # noqa: E402
import turns  # noqa: E402

SGEMM = 2048
# dim, hidden, layers, heads, vocabulary, context: stories15M's, and a small one
SHAPE, SMALL = (288, 768, 6, 6, 32000, 256), (48, 128, 2, 4, 512, 32)
WEIGHTS = 784 * 512 + 512 * 512 + 512 * 10  # of the MLP
TRAIN_FLOPS = 2 * (3 * WEIGHTS - 784 * 512)  # of a row: no gradient of the inputs
MICRO_BATCHES = (8, 64, 256)
JOB_MICRO_BATCH = 64  # what mlp.train takes by itself for this size


class Models:
    def __init__(self, build, quick):
        self.build = build
        self.program = os.path.join(build, "bin", "bench_models")
        self.peer_decode = os.path.join(build, "bin", "bench_peer_decode")
        self.quick = quick
        self.rounds, self.seconds = (1, 0.02) if quick else (9, 0.6)
        self.torch = torch_peer.version()
        if self.torch is None:
            print("models: PyTorch is not installed (scripts/deps.sh --bench): its lines have no "
                  "peer", file=sys.stderr)

    def rows(self, folder):
        """A file of rows to train on, written once."""
        path = os.path.join(folder, "rows.npy")
        if not os.path.exists(path):
            jobs.write_rows(path, 512 if self.quick else 4096, 784, 10)
        return path

    def ours(self, *words):
        return turns.Program([self.program, *map(str, words)])

    def told(self, *words):
        return subprocess.run([self.program, *map(str, words)], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def torch_of(self, what, numbers, threads):
        """A program and its setting, or no program and why."""
        if self.torch is None:
            return None, "none"
        program, how = torch_peer.tuned(what, numbers, threads, self.seconds, self.quick)
        return program, f"PyTorch {self.torch} {how}"

    def rates(self, threads, nbytes):
        """GFLOP/s of the bare cblas_sgemm, GB/s of reading so many bytes."""
        programs = (self.ours("sgemm", 256 if self.quick else SGEMM, threads),
                    self.ours("read", nbytes, threads))
        found = [statistics.median(s) for s in turns.rounds(programs, self.rounds,
                                                            self.seconds / 4)]
        for program in programs:
            program.end()
        return found

    def all_beside(self, programs, peer):
        """Numbers of each program and, last, of the peer unless it is None; in turns; all end."""
        programs = programs + ([] if peer is None else [peer])
        told = turns.rounds(programs, self.rounds, self.seconds)
        for program in programs:
            program.end()
        return told

    def beside(self, ours, peer):
        """Numbers of ours and of the peer (or None)."""
        told = self.all_beside([ours], peer)
        return told[0], told[1] if peer is not None else None


def pair(name, unit, samples, floor, floor_how, peer, peer_how):
    """One line against the peer, one against the floor."""
    if peer is not None:
        yield harness.line("models", name, unit, samples, None, f"peer: {peer_how}",
                           statistics.median(peer))
    yield harness.line("models", f"{name}, floor", unit, samples, floor, floor_how)


def job_shapes(cores):
    """Ranks and the cores of each."""
    return ((1, cores), (cores, 1)) if cores > 1 else ((1, 1),)


def threads_of(n):
    return f"{n} thread{'s' if n > 1 else ''}"


def shipped_micro_batch(batch, tokens):
    """lm.train's preset: sequences of 512 tokens."""
    return min(batch, max(1, 512 // tokens))


def gpt_job(m, folder, batch, tokens, ranks, cores):
    text = os.path.join(folder, "text")
    if not os.path.exists(text):
        jobs.write_text(text, 5_000 if m.quick else 50_000)
    return jobs.Job(
        m.build, folder, f"gpt{batch}x{tokens}x{ranks}x{cores}", f"""ranks: {ranks}
per-rank: {{cores: {cores}}}
kernel: lm.train
group: all
args: {{data: {text}, tokenizer: byte, layers: 4, dim: 256, heads: 4, context: {tokens},
  batch: {batch}, steps: {2 if m.quick else 30}, sample-tokens: 0, valid-every: 0}}""",
        "tokens_per_s", lambda rate: 1e3 * batch * tokens / rate)


def gpt(m, folder, cores):
    """The step alone and as lm.train in a job: on one rank and on as many as cores."""
    sgemm, read = m.rates(cores, 4 << 20 if m.quick else 64 << 20)
    for batch, tokens in ((2, 16),) if m.quick else ((8, 128), (4, 64)):
        micro = shipped_micro_batch(batch, tokens)
        flops, nbytes = map(float, m.told("cost", "gpt", batch, tokens).split())
        peer, how = m.torch_of("gpt", (batch, tokens), cores)
        found = [(threads_of(cores), m.ours("gpt", batch, tokens, micro, cores))]
        for ranks, threads in job_shapes(cores):
            found.append((f"lm.train as a job, {ranks} x {threads_of(threads)}",
                          gpt_job(m, folder, batch, tokens, ranks, threads)))
        told = m.all_beside([program for _, program in found], peer)
        for (which, _), samples in zip(found, told):
            yield from pair(
                f"gpt step B{batch} T{tokens}, {which}", "ms", samples,
                flops / sgemm * 1e-6 + nbytes / read * 1e-6,
                f"{flops * 1e-9:.3g} GFLOP at cblas_sgemm's {sgemm:.0f} GFLOP/s, "
                f"{nbytes * 1e-6:.3g} MB of state at {read:.3g} GB/s; micro-batch {micro}, fixed "
                "order (there is no free one)",
                told[-1] if peer is not None else None, f"{how}; micro-batch {micro}, fixed order")


def train_job(m, folder, batch, micro, ranks, cores):
    return jobs.Job(
        m.build, folder, f"mlp{ranks}x{cores}", f"""ranks: {ranks}
per-rank: {{cores: {cores}}}
kernel: mlp.train
group: all
args: {{data: {m.rows(folder)}, layers: [784, 512, 512, 10], lr: 0.01, split: [100, 0, 0],
  epochs: {1 if m.quick else 4}, batch: {batch}, micro-batch: {micro}}}""",
        "samples_per_s", lambda rate: 1e3 * batch / rate)


def train(m, folder, cores):
    """A task alone at several micro-batches, and as a job: on one rank and on as many as cores."""
    batch = 64 if m.quick else 256
    sgemm, _ = m.rates(cores, 4 << 20)
    peer, peer_how = m.torch_of("train", (batch,), cores)
    found = [(f"micro-batch {micro}, {threads_of(cores)}", m.ours("train", batch, micro, cores))
             for micro in (MICRO_BATCHES[1:2] if m.quick else MICRO_BATCHES)]
    for ranks, threads in job_shapes(cores):
        found.append((f"micro-batch {JOB_MICRO_BATCH}, a job, {ranks} x {threads_of(threads)}",
                      train_job(m, folder, batch, JOB_MICRO_BATCH, ranks, threads)))
    told = m.all_beside([program for _, program in found], peer)
    for (how, _), samples in zip(found, told):
        yield from pair(
            f"mlp.train b{batch} {how}", "ms", samples, batch * TRAIN_FLOPS / sgemm * 1e-6,
            f"the products' flops at cblas_sgemm's {sgemm:.0f} GFLOP/s; fixed order",
            told[-1] if peer is not None else None, f"{peer_how}; fixed order")


def infer(m, threads):
    sgemm, read = m.rates(threads, 4 * WEIGHTS)
    for rows in (32,) if m.quick else (1, 32, 256):
        peer, how = m.torch_of("infer", (rows,), threads)
        ours, theirs = m.beside(m.ours("infer", rows, threads), peer)
        least = max(2 * WEIGHTS * rows / sgemm * 1e-6, 4 * WEIGHTS / read * 1e-6)
        yield from pair(
            f"mlp scores b{rows}, {threads_of(threads)}", "ms", ours, least,
            f"the more of flops at {sgemm:.0f} GFLOP/s and weights at {read:.3g} GB/s", theirs, how)


def logits(program, *words):
    subprocess.run([program, *words], check=True)
    found = array.array("f")
    with open(words[-1], "rb") as f:
        found.frombytes(f.read())
    return found


def check_logits(m, folder, weights):
    """The peer computes the same network, or it is none."""
    n = "8" if m.quick else "64"
    ours = logits(m.program, "logits", weights, n, os.path.join(folder, "ours"))
    theirs = logits(m.peer_decode, "logits", weights, n, os.path.join(folder, "theirs"))
    most = max(abs(a) for a in theirs)
    worst = max(abs(a - b) for a, b in zip(ours, theirs))
    if len(ours) != len(theirs) or not worst <= 1e-4 * most:
        raise RuntimeError(f"logits of the same weights differ by {worst} of {most}")
    return harness.line("models", f"logits after {n} tokens, ours less the peer's", "1", [worst],
                        1e-4 * most, "the most that is taken for rounding")


def tuned_peer(m, weights, threads):
    """The peer with the better way to wait for its threads."""
    found = []
    for wait in ("passive",) if m.quick else ("passive", "brief"):
        program = turns.Program([m.peer_decode, "speed", weights, str(threads)],
                                turns.waiting(wait))
        found.append((min(program.turn(m.seconds) for _ in range(2)), wait, program))
    found.sort(key=lambda one: one[0])
    for _, _, slower in found[1:]:
        slower.end()
    return found[0][2], f"waiting {found[0][1]}"


def decode(m, folder):
    weights = os.path.join(folder, "weights.bin")
    m.told("weights", weights, *(SMALL if m.quick else SHAPE))
    yield check_logits(m, folder, weights)
    past = (SMALL if m.quick else SHAPE)[-1] // 2
    _, nbytes = map(float, m.told("cost", "decode", weights, past).split())
    for threads in (1, 2):
        _, read = m.rates(threads, int(nbytes))
        peer, how = tuned_peer(m, weights, threads)
        ours, theirs = m.beside(m.ours("decode", weights, threads), peer)
        yield from pair(
            f"decode {nbytes / 1e6:.1f} MB a token, {threads_of(threads)}", "tokens/s",
            [1e3 / ms for ms in ours], read * 1e9 / nbytes,
            f"its bytes at the {read:.3g} GB/s of reading as many",
            [1e3 / ms for ms in theirs], f"llama2.c's loop, -Ofast -march=native, {how}")


def profile(m, threads):
    batch, tokens, steps = (2, 16, 1) if m.quick else (8, 128, 15)
    return harness.json_lines([m.program, "profile", str(batch), str(tokens),
                               str(shipped_micro_batch(batch, tokens)), str(threads), str(steps)])


def run(build, root, quick=False):
    del root
    m = Models(build, quick)
    folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir="/dev/shm")
    try:
        for threads in (2,) if quick else (2, 1):
            yield from gpt(m, folder, threads)
            yield from profile(m, threads)
            yield from train(m, folder, threads)
            yield from infer(m, threads)
        yield from decode(m, folder)
    finally:
        shutil.rmtree(folder)
