"""The canonical form, judged by others: PyYAML and json read it equal, and the JSON schemas of
RFC 14 and RFC 25 (in GRIDMILL_TEST_DATA) accept it. (By RFC 14's schema a count such as "1-4",
an idset and a range at once, is neither; no golden file has one.)

usage: canonical_form.py BIN SOURCE
"""
import glob
import json
import os
import subprocess
import sys

import yaml
from jsonschema import Draft7Validator

BIN, SOURCE = sys.argv[1:3]
DATA = os.environ.get("GRIDMILL_TEST_DATA", "")


def forms():
    """(name, text) of every canonical form: the golden ones, and of the examples."""
    for path in sorted(glob.glob(f"{SOURCE}/tests/golden/*/valid/*.canonical") +
                       glob.glob(f"{SOURCE}/tests/golden/canonical/*.canonical")):
        with open(path, encoding="utf-8") as f:
            yield os.path.relpath(path, SOURCE), f.read()
    for path in sorted(glob.glob(f"{SOURCE}/jobspecs/*.yaml")):
        done = subprocess.run([f"{BIN}/gridmill", "check", "--canonical", path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=True, timeout=60)
        yield os.path.relpath(path, SOURCE), done.stdout.decode()


def schema(name):
    with open(f"{DATA}/jobspec/rfc/{name}/schema.json", encoding="utf-8") as f:
        found = json.load(f)
    if name == "spec_14":  # a file of RFC 26, which demands keys that RFC 26 itself leaves out
        system = found["properties"]["attributes"]["properties"]["system"]["properties"]
        system["dependencies"] = {"type": "array"}
    return Draft7Validator(found)


def can_fail(validators, document):
    """Proves that the schemas judge: each of these must be refused."""
    for change in ({"version": "1"}, {"tasks": [{}]}, {"resources": []}):
        broken = {**document, **change}
        assert not any(v.is_valid(broken) for v in validators), change


def main():
    found = list(forms())
    assert len(found) >= 16, len(found)
    for name, text in found:
        assert json.loads(text) == yaml.safe_load(text), f"{name}: JSON and YAML differ"
        assert set(json.loads(text)) == {"version", "resources", "tasks", "attributes"}, name
    if not os.path.isdir(f"{DATA}/jobspec/rfc"):
        print(f"skipped: {len(found)} forms read, but no schemas: set GRIDMILL_TEST_DATA")
        return 77
    rfc14, rfc25 = schema("spec_14"), schema("spec_25")
    ones = 0
    for name, text in found:
        document = json.loads(text)
        judges = [rfc14] + ([rfc25] if document["version"] == 1 else [])
        ones += document["version"] == 1
        for judge in judges:
            faults = [f"{list(e.path)}: {e.message}" for e in judge.iter_errors(document)]
            assert not faults, f"{name}: {judge.schema['title']}: {faults}"
        can_fail(judges, document)
    assert 5 <= ones < len(found), ones
    print(f"{len(found)} canonical forms, {ones} of version 1")
    return 0


sys.exit(main())
