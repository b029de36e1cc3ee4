"""Writes src/aws/service_model/sagemaker.json: what the control plane's inputs may hold, from botocore's service model.

    python tests/clients/boto3/service_model.py

Types, required members, minima, maxima, patterns and enums are copied; documentation is left out. Where the server's
regular expressions lack something of the pattern's own (look-around, line ends as Java knows them, digits of ASCII
alone), `regex` says the same without it.
"""

import json
from pathlib import Path

import botocore
from botocore.loaders import Loader

FILE = Path(__file__).parents[3] / "src/aws/service_model/sagemaker.json"
SERVICE, VERSION = "sagemaker", "2017-07-24"
OPERATIONS = [
    "AddTags",
    "CreateEndpoint",
    "CreateEndpointConfig",
    "CreateModel",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteModel",
    "DeleteTags",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeModel",
    "ListEndpointConfigs",
    "ListEndpoints",
    "ListModels",
    "ListTags",
    "UpdateEndpoint",
    "UpdateEndpointWeightsAndCapacities",
]
KEPT = ["type", "required", "min", "max", "pattern", "enum"]

# Patterns with look-around, and the same languages without it.
NAME = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
WITHOUT_LOOK_AROUND = {
    r"(?!\s*$).+": r".*\S.*",
    r"/(?!.*\.\.)[a-zA-Z0-9/_.\-]+": r"/(\.|\.?[a-zA-Z0-9/_\-](\.?[a-zA-Z0-9/_\-])*\.?)",
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)(\/[0-9]{1,9})?":
        rf"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{{12}}:[a-z\-]*\/)?({NAME})(\/[0-9]{{1,9}})?",
}
LINE_ENDS = r"\n\r\x85\u2028\u2029"


def regex_of(pattern):
    """The pattern as the server compiles it: the whole text must match, in linear time."""
    regex, rest, in_class = "", WITHOUT_LOOK_AROUND.get(pattern, pattern), False
    while rest:
        token = rest[:2] if rest[0] == "\\" else rest[0]
        rest = rest[len(token) :]
        in_class = token == "[" or (in_class and token != "]")
        if token == "." and not in_class:
            token = f"[^{LINE_ENDS}]"
        elif token == r"\d":
            token = "0-9" if in_class else "[0-9]"
        regex += token
    assert "(?" not in regex, f"{pattern} has look-around that nobody rewrote"
    return regex


def facts(shape):
    kept = {name: shape[name] for name in KEPT if name in shape}
    if "pattern" in kept and regex_of(kept["pattern"]) != kept["pattern"]:
        kept["regex"] = regex_of(kept["pattern"])
    if "members" in shape:
        kept["members"] = {name: member["shape"] for name, member in shape["members"].items()}
    return kept | {part: shape[part]["shape"] for part in ("member", "key", "value") if part in shape}


def targets(shape):
    return [*shape.get("members", {}).values(), *(shape[part] for part in ("member", "key", "value") if part in shape)]


def reachable(shapes, roots):
    found, waiting = {}, list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = facts(shapes[name])
            waiting += targets(found[name])
    return dict(sorted(found.items()))


def text():
    """The file: compact, one operation or shape a line."""
    service = Loader().load_service_model(SERVICE, "service-2", VERSION)
    inputs = {name: service["operations"][name]["input"]["shape"] for name in OPERATIONS}
    source = f"botocore {botocore.__version__}, data/{SERVICE}/{VERSION}/service-2.json"
    parts = {"operations": inputs, "shapes": reachable(service["shapes"], inputs.values())}
    lines = [f'"source": {json.dumps(source)}']
    for part, values in parts.items():
        compact = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()]
        lines.append(f'"{part}": {{\n' + ",\n".join(compact) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text())
