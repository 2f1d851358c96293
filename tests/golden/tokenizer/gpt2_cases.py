#!/usr/bin/env python3
"""Made vocab.json, merges.txt and cases.txt here: a small GPT-2 vocabulary and what the library
`tokenizers` of Hugging Face makes of texts. It is not needed to run the tests.

  gpt2_cases.py TEXT     (python3 with `tokenizers`; TEXT: a few hundred kB of English)
"""
import json
import random
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

OTHER = [
    "Fu\u0308hrer führte für fünf Füße über Flüsse",
    "нещо на Български, и още нещо: 123 думи",
    "中文字符測試，以及日本語のテキスト、한국어 텍스트",
    "كتاب العربية ١٢٣ हिन्दी १२३ ไทย ๑๒๓",
    "🦙.cpp 👨‍👩‍👧‍👦 😀😃 ½ ² Ⅷ ㊈ 𝟘𝟙 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]
CASES = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", " \n ", "\r\n", "a\r\nb", "\u00a0", "a\u00a0b",
    "Hello world", " Hello world", "Hello, y'all! How are you 😁 ?", "Hello  world", "Hello   world",
    "  leading", "trailing  ", "trailing \n", "a \n b", "a\n \nb", "a\t\tb", "\n\nx", "\n x", " \n\nx",
    "I'm you're he'll we've she'd it's don't 'tis", "'s's 's 'S 'RE 're'll", "'", "''", "' s", "x'x", "x'rex", "don''t",
    "!'s", "?'ve", "...'", "('d)", "'\u017f", "3's", "\u2019s", "0123456789", "3.14159", "12ab34", "ab12cd", "1,234.5",
    "²½Ⅷ x² ½cup", "١٢٣abc", "e\u0301", "n\u0303o", "\u200d\u200b", "a\u200bb", "\u2028x\u2029", "\u3000字", "\u1680\u2003x",
    "\x85y", "\x1c\x1d\x1e\x1f z", "\x00\x01\x02", "\x7f", "\ufeffbom", "\ud7ff\ue000\uffff", "𐀀𐐷 𝟘 🦙", "🦙🦙🦙", "👨‍👩‍👧‍👦",
    "<|endof text|>", "#include <stdio.h>\nint main(void)\n{\n    return 0;\n}\n", "a" * 300, "ab" * 100, " " * 70 + "x",
    "the" * 60, "\n" * 50, "!" * 99, "ThE qUiCk", "naïve café", "Ångström", "ǅ ʰ ª º", "\u0300\u0301", "_ __init__ a_b",
    "https://a.b/c?d=e&f=%20#g", "$100 €5 £3", "x=y+z; // 你好", "\u00ad soft", "\u180e m", "\u0085\u00a0\u2007\u202f\u205f w",
] + OTHER


def pieces(rng, n):
    pool = "aàbß 'sdtmrelv12½٣.,!?\n\t  \u00a0\u3000é字🦙\u0301\u200d"
    for _ in range(n):
        yield "".join(rng.choice(pool) for _ in range(rng.randrange(1, 60)))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        corpus = f.read()[:400000]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=[])
    tok.train_from_iterator([corpus] + OTHER * 40 + CASES, trainer)
    saved = json.loads(tok.to_str())["model"]
    vocab = saved["vocab"]
    vocab["<|endoftext|>"] = len(vocab)
    with open("vocab.json", "w", encoding="utf-8") as f:
        json.dump(vocab, f, separators=(",", ":"))
    with open("merges.txt", "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n")
        for m in saved["merges"]:
            f.write((m if isinstance(m, str) else " ".join(m)) + "\n")
    rng = random.Random(1)
    with open("cases.txt", "w", encoding="utf-8") as f:
        for text in CASES + list(pieces(rng, 300)) + [corpus[i:i + 200] for i in range(0, 4000, 200)]:
            ids = tok.encode(text).ids
            f.write(" ".join([text.encode("utf-8").hex() or "-"] + [str(i) for i in ids]) + "\n")


if __name__ == "__main__":
    main()
