"""YAML 1.2 by its core schema over PyYAML's parser: the types that Gridmill gives to plain
scalars, from somebody else's reader. Duplicate keys are errors, there are no merge keys."""
import math
import re

import yaml

INT = re.compile(r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$")
FLOAT = re.compile(
    r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
)


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise yaml.constructor.ConstructorError(None, None, "key", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, "twice", key_node.start_mark)
            # JSON has texts as keys alone, and so has a jobspec
            seen[key if isinstance(key, str) else key_node.value] = self.construct_object(
                value_node, deep=deep
            )
        return seen

    def flatten_mapping(self, node):
        pass

    def core_int(self, node):
        text = node.value
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)

    def core_float(self, node):
        text = node.value.lower()
        if text.endswith(".inf"):
            return -math.inf if text[0] == "-" else math.inf
        return math.nan if text == ".nan" else float(text)


Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), None)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), None
)
Loader.add_implicit_resolver("tag:yaml.org,2002:int", INT, None)
Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, None)
Loader.add_constructor("tag:yaml.org,2002:int", Loader.core_int)
Loader.add_constructor("tag:yaml.org,2002:float", Loader.core_float)


def load_all(data):
    """The documents of a file; yaml.YAMLError when it is none."""
    return list(yaml.load_all(data, Loader=Loader))
