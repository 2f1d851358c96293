#!/usr/bin/env python3
"""Writes kernels/model/unicode_table.c: the classes of ASCII's characters, and beyond them Unicode's
letters and numbers as ranges, from the data that this Python has.

  scripts/unicode_table.py > kernels/model/unicode_table.c && clang-format -i kernels/model/unicode_table.c
"""
import sys
import unicodedata

CLASSES = {"L": 1, "N": 2}  # enum unicode_class
ASCII_SPACE, SPACE = "\t\n\v\f\r ", 3
MOST = 0xFFFF  # codes in one range


def ascii():
    for code in range(0x80):
        space = chr(code) in ASCII_SPACE
        yield SPACE if space else CLASSES.get(unicodedata.category(chr(code))[0], 0)


def ranges():
    """(first, count, class), ascending."""
    first, count, current = 0, 0, 0
    for code in range(0x80, sys.maxunicode + 2):
        category = unicodedata.category(chr(code)) if code <= sys.maxunicode else "Cn"
        this = CLASSES.get(category[0], 0)
        if this == current and count < MOST:
            count += 1
            continue
        if current:
            yield first, count, current
        first, count, current = code, 1, this


def main():
    found = list(ranges())
    print("/* Made by scripts/unicode_table.py from Unicode %s: letters (1), numbers (2) and,"
          % unicodedata.unidata_version)
    print(" * of ASCII, spaces (3). */")
    print('#include "unicode.h"\n')
    print("const unsigned char unicode_ascii[128] = {%s};\n" % ", ".join(map(str, ascii())))
    print("const struct unicode_range unicode_ranges[] = {")
    print(", ".join("{0x%X, %d, %d}" % r for r in found))
    print("};\n")
    print("const size_t unicode_n_ranges = %d;" % len(found))


if __name__ == "__main__":
    main()
