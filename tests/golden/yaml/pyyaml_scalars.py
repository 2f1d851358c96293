#!/usr/bin/env python3
"""What PyYAML's safe loader makes of plain scalars: the table beside this file.

  pyyaml_scalars.py write|check     77: PyYAML is not here

A row is TEXT, KIND, VALUE: null, bool, int, float, string, or refused (a date, or what the
loader raises an error for). The texts are drawn from a small grammar, always the same ones.
"""
import os
import random
import sys

try:
    import yaml
except ImportError:
    sys.exit(77)

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pyyaml-scalars.tsv")
ROWS = 3000

WORDS = """~ null Null NULL nULL yes Yes YES yES no No NO y Y n N true True TRUE tRue false False
FALSE on On ON oN off Off OFF oFF .inf .Inf .INF -.inf +.inf .iNf .nan .NaN .NAN -.nan inf nan = <<
<<< == 0 00 0_ 0_0 08 09 0o7 0o17 0O7 0x 0x_ 0b 0b_ 0x1F 0X1F -0x1f 0b101 -0b1 0b12 _1 1_ 1__0 + -1 +1
1e5 1e+5 1.e+5 1.5e5 1.5e-5 .5 -.5 +.5 .5_0 ._5 1. 1._ 1._5 1_0.5 . .. 5.5.5 1:30 1:60 01:30 0:30
0:30.5 -1:30 +1:30:59 1:2:3:4:5 190:20:30 190:20:30.15 1:30.5_0 1:30. 1:30:.5 12:5_0 1_0:30
9223372036854775807 9223372036854775808 -9223372036854775808 18446744073709551615 0xffffffffffffffff
0777777777777777777777 01777777777777777777777 2001-12-14 2001-1-4 2001-13-45 01-01-2001 2001-12
2001-12-14T21:59:43 2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43Z 2001-1-1T1:59:43+1 1-8 1e 1.5e+
e5 -e5 1.0e+308 1.0e+400 4.9e-324 1e400 0.1 -0.0 -0 +0 +08 -017 0x7fffffffffffffff node1 10m 2GiB
1.2.3 127.0.0.1 v1 - a/b ./x.csv 1/2 50% 1,000 1+1 ${lr} x:y 12:34pm null1 nulls noon only truex Of
offs NaN Inf -Inf""".split()


def number(rng):
    """Something that is nearly a number."""
    sign = rng.choice(["", "", "", "-", "+"])
    digits = lambda of, n: "".join(rng.choice(of) for _ in range(rng.randint(1, n)))
    form = rng.randrange(9)
    if form == 0:
        return sign + digits("0123456789_", 6)
    if form == 1:
        return sign + rng.choice(["0", "0x", "0b", "0o"]) + digits("01234567_89abfF", 5)
    if form == 2:
        return sign + digits("0123456789_", 3) + "." + digits("0123456789_", 4)
    if form == 3:
        return sign + digits("0123456789", 3) + rng.choice(["", ".", ".5", "._"]) + \
            rng.choice("eE") + rng.choice(["", "+", "-"]) + digits("0123456789", 2)
    if form == 4:
        return sign + ":".join(digits("0123456789", 2) for _ in range(rng.randint(2, 4)))
    if form == 5:
        return sign + ":".join(digits("0123456789", 2) for _ in range(rng.randint(2, 4))) + \
            "." + rng.choice(["", digits("0123456789_", 3)])
    if form == 6:
        return sign + "." + digits("0123456789_e+-", 5)
    if form == 7:
        return f"{rng.randint(0, 2100):04}-{digits('0123', 2)}-{digits('0123', 2)}" + \
            rng.choice(["", "T", "t", " "]) + rng.choice(["", "1:02:03", "12:34:56.7"]) + \
            rng.choice(["", "Z", "+1", " -02:30", "+3:3"])
    return "".join(rng.choice("0123456789abxo_.:+-eETZ~=<yntfYNTF") for _ in range(rng.randint(1, 7)))


def texts():
    """Distinct texts that stay plain scalars in a list item."""
    rng = random.Random(11)
    seen = {}
    for text in WORDS:
        seen[text] = None
    while len(seen) < ROWS:
        text = number(rng)
        if text != text.strip() or text in seen:
            continue
        seen[text] = None
    for text in seen:
        try:
            events = list(yaml.parse(f"- {text}\n"))
        except yaml.YAMLError:
            continue
        if len(events) == 7 and isinstance(events[3], yaml.ScalarEvent) and \
                events[3].style is None and events[3].value == text and events[3].tag is None:
            yield text


def row(text):
    try:
        value = yaml.safe_load(f"- {text}\n")[0]
    except (yaml.YAMLError, ValueError, OverflowError):
        return text, "refused", ""
    if value is None:
        return text, "null", ""
    if isinstance(value, bool):
        return text, "bool", str(value).lower()
    if isinstance(value, int):
        return text, "int", str(value)
    if isinstance(value, float):
        return text, "float", repr(value)
    if isinstance(value, str):
        assert value == text
        return text, "string", ""
    return text, "refused", ""


def main():
    table = "".join("\t".join(row(text)) + "\n" for text in texts())
    if sys.argv[1:] == ["write"]:
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(table)
        return 0
    if sys.argv[1:] != ["check"]:
        print(__doc__, file=sys.stderr)
        return 2
    with open(TABLE, encoding="utf-8") as f:
        if f.read() == table:
            print(f"PyYAML {yaml.__version__} agrees on {table.count(chr(10))} scalars")
            return 0
    print(f"PyYAML {yaml.__version__} reads other values than {TABLE} says", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
