"""The JSON Schema of the short form against jsonschema: it is one by draft 7's own meta-schema;
what the checker accepts it accepts; what the checker refuses it refuses, but for the files below.

usage: schema_jobspec.py PRINT_SCHEMA GRIDMILL SOURCE
PRINT_SCHEMA prints the schema of the kernels that the golden jobspecs are written for.
"""
import glob
import json
import os
import subprocess
import sys

try:
    import jsonschema
    import yaml

    import core_yaml
except ImportError as e:
    print(f"skipped: {e}: scripts/deps.sh --test")
    sys.exit(77)

# Valid for the checker and not for the schema.
NEEDS_SETS = {"sets.yaml": "an argument comes from --set"}

# Faults that no look at one value, one key or one kernel's table can see.
UNSEEN = {
    "args-nan.yaml": "JSON has no NaN, so a schema's number may be one",
    "constraints-deep.yaml": "how deep constraints nest",
    "count-no-scalar.yaml": "compares the shapes of two stages",
    "count.yaml": "compares the shapes of two stages",
    "cycle.yaml": "the graph of the stages",
    "empty.yaml": "no document to look at",
    "hosts-range.yaml": "a range that descends",
    "hosts-slots.yaml": "slots inside a text",
    "mapping-18.yaml": "how many keys a mapping has",
    "mapping-21.yaml": "compares two keys",
    "mapping-22.yaml": "compares two keys",
    "mapping-24.yaml": "words inside a text",
    "mapping-25.yaml": "words inside a text",
    "mapping-27.yaml": "words inside a text",
    "mapping-29.yaml": "words inside a text",
    "mapping-pe-cores.yaml": "words inside a text",
    "missing-file.yaml": "the data set is not there",
    "missing-over-axis.yaml": "a data set that an axis names is not there",
    "pattern-group.yaml": "compares two keys",
    "pattern-large.yaml": "a product",
    "pattern-nodes.yaml": "a product of two keys",
    "pattern-none.yaml": "how many keys a mapping has",
    "pattern-pairs.yaml": "a product",
    "pattern-ranks.yaml": "a product",
    "pattern-stencil.yaml": "how many items a list has",
    "pattern-two.yaml": "how many keys a mapping has",
    "ragged.yaml": "what the data set holds",
    "ranks-product.yaml": "a product of two keys",
    "references.yaml": "names of axes, stages and outputs",
    "set-value.yaml": "the faults are in --set",
    "sets-deep.yaml": "the faults are in --set",
    "shards-over-axes.yaml": "what the data sets hold",
    "telemetry-zero.yaml": "nothing, in any unit",
    "threads-and-cores.yaml": "compares two keys",
}


def judge(validator, path):
    """None: accepted; else what is wrong first."""
    with open(path, "rb") as f:
        data = f.read()
    try:
        documents = core_yaml.load_all(data)
    except yaml.YAMLError as e:
        return "not YAML: " + str(e).splitlines()[0]
    for document in documents:
        for fault in validator.iter_errors(document):
            return f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}"
    return None


def make(text):
    schema = json.loads(text)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def golden(source, kind):
    paths = sorted(glob.glob(os.path.join(source, "tests/golden/jobspec", kind, "*.yaml")))
    assert len(paths) >= 7, f"{kind}: only {len(paths)} files"
    return paths


def main(print_schema, gridmill, source):
    wrong = []
    validator = make(run(print_schema))
    for path in golden(source, "valid"):
        name, why = os.path.basename(path), judge(validator, path)
        if why is not None and name not in NEEDS_SETS:
            wrong.append(f"valid/{name}: refused by the schema: {why}")
        if why is None and name in NEEDS_SETS:
            wrong.append(f"valid/{name}: accepted, so NEEDS_SETS must not list it")
    for path in golden(source, "invalid"):
        name, why = os.path.basename(path), judge(validator, path)
        if why is None and name not in UNSEEN:
            wrong.append(f"invalid/{name}: the schema accepts it; if no schema can see its "
                         "fault, add it to UNSEEN with the reason")
        if why is not None and name in UNSEEN:
            wrong.append(f"invalid/{name}: refused ({why}), so UNSEEN must not list it")

    there = {os.path.basename(p) for k in ("valid", "invalid") for p in golden(source, k)}
    wrong += [f"{name}: listed, but not there" for name in {*NEEDS_SETS, *UNSEEN} - there]

    validator = make(run(gridmill, "check", "--schema"))
    examples = sorted(glob.glob(os.path.join(source, "jobspecs/*.yaml")))
    assert len(examples) >= 6, "where are the examples?"
    for path in examples:
        why = judge(validator, path)
        if why is not None:
            wrong.append(f"{path}: refused by the schema: {why}")
    for name in ("gemm", "command"):  # as they stand
        text = run(gridmill, "init", name)
        faults = [f.message for d in core_yaml.load_all(text) for f in validator.iter_errors(d)]
        wrong += [f"gridmill init {name}: {fault}" for fault in faults]
    for bad in ({"kernel": "gemm", "args": {"nn": 1}}, {"kernel": "gem"},
                {"kernel": "gemm", "args": {"n": "${axis} and more"}}, {}):
        if validator.is_valid(bad):
            wrong.append(f"accepted: {bad}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
