"""Objects drawn from a CRD's own schema, and whether an object is one that the schema lets in.

`Drawer` keeps to the schema and prefers its bounds. `spoil` puts something else in the place
of a part: what an older schema, or a hand in the store, may have left there. The drawer works
by a seed, which hypothesis chooses: thousands of objects take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.printable import lines

CRDS = Path(__file__).parents[3] / "crds"
Schema = dict[str, Any]
RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
NAMES = ("a", "app.kubernetes.io/name", "inline.dbmigrate.dev/0", "000001_a.up.sql", "1_b.sql")
TEXTS = (
    "",
    "a",
    "1",
    "latest",
    "x y",
    "a\nb",
    "\x1b[31m",
    "$(DBMIGRATE_DATABASE)",
    "\u202e",
    "é" * 9,
)
EXTREMES = (
    "a" * 253,
    "A" * 253,
    "0" * 127,
    "9" * 19 + ".1",
    "latest",
    "none",
    "99d" * 10 + "9d",
    "9999999.999s9999999.999s",
    "999999999ms" * 2,
    "0.001ms",
    "0s",
    "a" * 63 + "." + "b" * 63,
    "x" * 1024,
    "-1",
)
UNKNOWN: tuple[dict[str, Any], ...] = ({}, {"limits": {"memory": "1Gi"}}, {"a": [{"b": [{}]}]})
TIMES = (
    "2026-11-24T12:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "1969-12-31T23:59:59Z",
)


def nested(depth: int) -> Any:
    """Objects and lists inside each other."""
    value: Any = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    1e308,
    -0.5,
    "",
    "none",
    "999999999999999999999999999999d",
    "9" * 5000 + "s",
    "99999999999999999999999h",
    "1e9s",
    "../../secrets/x",
    "a/b?c=d",
    "\x00",
    "\u202e",
    "x" * 100_000,
    "x\x1b\u200b" * 9_000,
    [],
    {},
    [None],
    [[]],
    ["a", 1],
    [{"name": "a"}] * 300,
    {"name": {}},
    {"": ""},
    {"k" * 2000: "v"},
    {str(number): number for number in range(6000)},
    nested(40),
    nested(150),
)


def schema_of(plural: str) -> Schema:
    """The schema of the stored version of that CRD."""
    crd = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    (version,) = (each for each in crd["spec"]["versions"] if each["storage"])
    schema: Schema = version["schema"]["openAPIV3Schema"]
    for part in parts_of(schema):
        if "pattern" in part:
            matching(part["pattern"])  # hypothesis does not look for texts within a test
    return schema


def parts_of(schema: Schema) -> Iterator[Schema]:
    """The schema and all within it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    for part in (*inner, schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from parts_of(part)


def either_of(schema: Schema) -> list[Schema]:
    """What an integer or a string may be."""
    assert schema["x-kubernetes-int-or-string"]
    return [{**schema, "type": "integer", "format": "int32"}, {**schema, "type": "string"}]


class Drawer:
    """Draws values of a schema by a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._may_be_large = True
        """One part of an object is as large as may be: all of them would be megabytes."""

    def value(self, schema: Schema) -> Any:
        """A value; of an object the required parts and a few others."""
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "type" not in schema:
            schema = self._random.choice(either_of(schema))
        kind = schema["type"]
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._list(schema)
        if kind == "string":
            return self._text(schema)
        if kind == "boolean":
            return self._random.random() < 0.5
        least, most = _range(schema)
        return self._random.choice([least, most, self._random.randint(least, most)])

    def _chance(self, in_how_many: int) -> bool:
        return self._random.randrange(in_how_many) == 0

    def _grow(self) -> bool:
        """Whether this part is the large one."""
        if not self._may_be_large or not self._chance(8):
            return False
        self._may_be_large = False
        return True

    def _list(self, schema: Schema) -> list[Any]:
        if self._grow():
            return [self.value(schema["items"]) for _ in range(schema["maxItems"])]
        size = self._random.randint(schema.get("minItems", 0), min(3, schema["maxItems"]))
        return [self.value(schema["items"]) for _ in range(size)]

    def _object(self, schema: Schema) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        optional = [name for name in properties if name not in required]
        few = self._random.sample(optional, self._random.randint(0, min(4, len(optional))))
        found = {n: self.value(properties[n]) for n in (*required, *few) if n in properties}
        extra = schema.get("additionalProperties")
        if extra is not None:
            most = schema["maxProperties"]
            many = [f"{number}_a.up.sql" for number in range(most)] if self._grow() else NAMES
            names = many if many is not NAMES else self._random.sample(NAMES, min(2, most))
            found |= {name: self.value(extra) for name in names}
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            found |= deepcopy(self._random.choice(UNKNOWN))
        return found

    def _text(self, schema: Schema) -> str:
        if schema.get("format") == "date-time":
            return str(self._random.choice(TIMES))
        least: int = schema.get("minLength", 0)
        most: int = schema["maxLength"]
        pattern = schema.get("pattern")
        if pattern is not None:
            texts = matching(pattern)
            return self._random.choice([t for t in texts if least <= len(t) <= most])
        if most <= 4096 and self._chance(4):
            return "x" * most
        if self._grow():
            return "x" * most
        return self._random.choice([t for t in TEXTS if least <= len(t) <= most])


def spoil(random: Random, value: Any) -> Any:
    """The value with something else in the place of one of its parts, or of all of it."""
    places = [[value], *containers_of(value)]
    container = random.choice(places)
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    if keys:
        container[random.choice(keys)] = deepcopy(random.choice(JUNK))
    return places[0][0]


def containers_of(value: Any) -> Iterator[Any]:
    """All objects and lists of a value, from the outside to the inside."""
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers_of(item)


@cache
def matching(pattern: str) -> list[str]:
    """Texts that match, as hypothesis finds them, and some that are as long as may be."""
    found: list[str] = [text for text in EXTREMES if re.search(pattern, text)]

    @settings(max_examples=40, derandomize=True, database=None, deadline=None)
    @given(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    def collect(text: str) -> None:
        if "\n" not in text:
            found.append(text)

    collect()
    return found


def _range(schema: Schema) -> tuple[int, int]:
    low, high = RANGES[schema["format"]]
    return schema.get("minimum", low), schema.get("maximum", high)


def complaints(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """What the API server would refuse in a value, rules in CEL left out."""
    if "type" not in schema:
        schema = either_of(schema)[isinstance(value, str)]
    kind = schema["type"]
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
    }
    if not isinstance(value, types[kind]) or (kind == "integer" and isinstance(value, bool)):
        yield f"{path} is no {kind}: {value!r:.80}"
    elif kind == "object":
        yield from _complaints_of_object(schema, value, path)
    elif kind == "array":
        if len(value) > schema["maxItems"]:
            yield f"{path} has {len(value)} items"
        for number, item in enumerate(value):
            yield from complaints(schema["items"], item, f"{path}[{number}]")
    elif kind == "string":
        yield from _complaints_of_text(schema, value, path)
    elif kind == "integer":
        least, most = _range(schema)
        if not least <= value <= most:
            yield f"{path} is {value:.3g}"


def unsafe(value: Any) -> Iterator[str]:
    """The texts of a document that are not fit to be shown: a reader would change them."""
    for container in containers_of(value):
        for item in container.values() if isinstance(container, dict) else container:
            if isinstance(item, str) and lines(item) != item:
                yield item


def _complaints_of_object(schema: Schema, value: Any, path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in set(schema.get("required", ())) - set(value):
        yield f"{path}.{name} is missing"
    for name, item in value.items():
        part = properties.get(name, schema.get("additionalProperties"))
        if part is not None:
            yield from complaints(part, item, f"{path}.{name}")
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{name} is unknown, and would be lost"


def _complaints_of_text(schema: Schema, value: str, path: str) -> Iterator[str]:
    if not value.isascii():
        value.encode()  # half a surrogate pair is no UTF-8
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value!r:.80}"
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    if not least <= len(value) <= most:
        yield f"{path} has {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path} does not match: {value!r:.80}"
    is_time = schema.get("format") == "date-time"
    if is_time and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        yield f"{path} is no time: {value!r:.80}"
