#!/usr/bin/env python3
"""Llama 2's real vocabulary of 32,000 tokens: the ids of a set of texts are those that llama.cpp's
authors wrote down beside it.

  llama_vocab.py TOKENIZER_IDS     (GRIDMILL_TEST_DATA names the folder of test data; 77: not set)
"""
import lzma
import os
import struct
import subprocess
import sys
import tempfile

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class Gguf:
    """The key-value part of a GGUF file."""

    def __init__(self, data):
        self.data, self.at = data, 4
        assert data[:4] == b"GGUF"
        _, _, n = self.scalar("I"), self.scalar("Q"), self.scalar("Q")
        self.values = {}
        for _ in range(n):
            key = self.string().decode()
            self.values[key] = self.value(self.scalar("I"))

    def scalar(self, form):
        v, = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return v

    def string(self):
        n = self.scalar("Q")
        self.at += n
        return self.data[self.at - n:self.at]

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, n = self.scalar("I"), self.scalar("Q")
            return [self.value(inner) for _ in range(n)]
        return self.scalar(SCALARS[kind])


def tokenizer_bin(values):
    """As llama2.c's own export writes it: a blank where a piece has U+2581."""
    out = []
    for i, token in enumerate(values["tokenizer.ggml.tokens"]):
        text = {1: b"\n<s>\n", 2: b"\n</s>\n"}.get(i, token.replace("\u2581".encode(), b" "))
        out.append(struct.pack("<fi", values["tokenizer.ggml.scores"][i], len(text)) + text)
    return struct.pack("<i", max(map(len, out)) - 8) + b"".join(out)


def main(program):
    root = os.environ.get("GRIDMILL_TEST_DATA")
    if not root:
        return 77
    base = os.path.join(root, "models", "gguf-vocab", "ggml-vocab-llama-spm.gguf")
    with lzma.open(base + ".xz") as f:
        values = Gguf(f.read()).values
    with open(base + ".inp", encoding="utf-8", newline="") as f:
        texts = f.read().split("\n__ggml_vocab_test__\n")
    with open(base + ".out", encoding="utf-8") as f:
        wanted = [line.split() for line in f.read().split("\n")][:len(texts)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tokenizer.bin")
        with open(path, "wb") as f:
            f.write(tokenizer_bin(values))
        done = subprocess.run([program, "llama2.c", path], check=True, stdout=subprocess.PIPE,
                              input="".join(t + "\n=\n" for t in texts).encode())
    got = [line.split() for line in done.stdout.decode().split("\n")][:len(texts)]
    wrong = [(t, g, w) for t, g, w in zip(texts, got, wanted) if g != w]
    for t, g, w in wrong:
        print("%r: %s, not %s" % (t, " ".join(g), " ".join(w)))
    print("%d texts, %d wrong" % (len(texts), len(wrong)))
    return 1 if wrong or len(texts) < 20 or len(got) != len(wanted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
