"""The service model → for every constraint of every member an input that breaks it, and nothing at any other place."""

import re
from dataclasses import dataclass

# A text for each pattern; the first that matches is taken.
TEXTS = [
    "a",
    "/a",
    "s3://b/k",
    "text/csv",
    "mig-1g.5gb",
    "arn:aws:iam::123456789012:role/r",
    "arn:aws:sns:eu-west-1:123456789012:a",
    "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e",
]
# A text against all patterns, and one against those for which local paths are admitted besides.
BAD_TEXT, BAD_LOCATION = "?\n", "ftp://h/k"
LOCATIONS = ["Url", "S3ModelUri"]
CAN_BE = {
    "string": "a String",
    "integer": "an Integer",
    "float": "a Float",
    "boolean": "a Boolean",
    "timestamp": "a Timestamp",
    "structure": "a Structure",
    "list": "a List",
    "map": "a Map",
}


@dataclass(frozen=True)
class Violation:
    """An operation's input, and where and how its fault is told."""

    operation: str
    input: dict
    path: str
    constraint: str


def violations(model):
    """All of them, of a model as service_model.py writes it."""
    shapes = Shapes(model["shapes"])
    for operation, shape in model["operations"].items():
        for value, path, constraint in shapes.members_broken(shape, ""):
            yield Violation(operation, value, path, constraint)


class Shapes:
    def __init__(self, shapes):
        self.shapes = shapes

    def valid(self, name):
        """The smallest value with which nothing is wrong."""
        shape = self.shapes[name]
        match shape["type"]:
            case "structure":
                return {member: self.valid(shape["members"][member]) for member in shape.get("required", [])}
            case "list":
                return [self.valid(shape["member"])] * shape.get("min", 0)
            case "map":
                return {}
            case "string":
                return self.valid_text(shape)
            case "boolean":
                return False
            case _:
                return shape.get("min", 0)

    def holding(self, name, path):
        """The smallest value that has the member at this path; lists have it in their one element."""
        shape = self.shapes[name]
        if not path:
            return self.valid(name)
        if shape["type"] == "list":
            return [self.holding(shape["member"], path)]
        first, *rest = path
        return self.valid(name) | {first: self.holding(shape["members"][first], rest)}

    @staticmethod
    def valid_text(shape):
        if "enum" in shape:
            return shape["enum"][0]
        text = next(text for text in TEXTS if matches(shape.get("pattern", ".*"), text))
        return text + text[-1] * (shape.get("min", 0) - len(text))

    def broken(self, name, path):
        """(value, path, constraint) of every fault at this shape and below."""
        shape, kind = self.shapes[name], self.shapes[name]["type"]
        yield self.wrong_type(kind), path, f"can not be converted to {CAN_BE[kind]}"
        match kind:
            case "structure":
                yield from self.members_broken(name, path)
            case "list":
                yield from self.list_broken(shape, path)
            case "map":
                yield from self.map_broken(shape, path)
            case "string":
                yield from self.text_broken(name, path)
            case "integer" | "float":
                if "min" in shape:
                    yield shape["min"] - 1, path, f"Member must have value greater than or equal to {shape['min']}"
                if "max" in shape:
                    yield shape["max"] + 1, path, f"Member must have value less than or equal to {shape['max']}"

    @staticmethod
    def wrong_type(kind):
        return {"a": 1} if kind in ("list", "string", "timestamp") else "x"

    def members_broken(self, name, path):
        shape = self.shapes[name]
        yield self.valid(name) | {"Unknown": 1}, joined(path, "Unknown"), "Member must have one of the names ["
        for member in shape.get("required", []):
            yield self.valid(name) | {member: None}, joined(path, lower(member)), "Member must not be null"
        for member, target in shape["members"].items():
            for value, place, constraint in self.broken(target, joined(path, lower(member))):
                yield self.valid(name) | {member: value}, place, constraint

    def list_broken(self, shape, path):
        element = self.valid(shape["member"])
        yield from lengths(shape, path, lambda n: [element] * n)
        before = [element][: shape.get("max", 2) - 1]
        path = f"{path}.{len(before) + 1}.member"
        yield [*before, None], path, "Member must not be null"
        for value, place, constraint in self.broken(shape["member"], path):
            yield [*before, value], place, constraint

    def map_broken(self, shape, path):
        value, key = self.valid(shape["value"]), self.valid(shape["key"])
        yield from lengths(shape, path, lambda n: {f"{key}{i}": value for i in range(n)})
        for wrong, place, constraint in self.text_broken(shape["key"], path):
            yield {wrong: value}, joined(place, shown(wrong)), f"Map keys must satisfy constraint: [{constraint}"
        for wrong, place, constraint in self.broken(shape["value"], joined(path, key)):
            yield {key: wrong}, place, constraint

    def text_broken(self, name, path):
        shape = self.shapes[name]
        if "enum" in shape:
            yield BAD_TEXT, path, f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        if "pattern" in shape:
            text = BAD_LOCATION if name in LOCATIONS else BAD_TEXT
            text += text[0] * (shape.get("min", 0) - len(text))
            if not matches(shape["pattern"], text):
                yield text, path, f"Member must satisfy regular expression pattern: {shape['pattern']}"
        text = self.valid_text(shape)
        yield from lengths(shape, path, lambda n: (text + text[-1] * n)[:n])


def matches(pattern, text):
    """As Python reads it, which has not the classes of Unicode."""
    return re.fullmatch(re.sub(r"(\\p\{\w\})+", r"\\w", pattern), text)


def lengths(shape, path, of_length):
    if shape.get("min", 0) > 0:
        least = shape["min"]
        yield of_length(least - 1), path, f"Member must have length greater than or equal to {least}"
    if "max" in shape:
        most = shape["max"]
        yield of_length(most + 1), path, f"Member must have length less than or equal to {most}"


def joined(path, name):
    return f"{path}.{name}" if path else name


def lower(name):
    return name[0].lower() + name[1:]


def shown(text):
    """As faults write a key."""
    return text.replace("\n", "\\n") if len(text) <= 80 else text[:80] + "..."
