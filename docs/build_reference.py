"""Makes docs/reference.md from the custom resources in crds/.

`python docs/build_reference.py` writes it; a test compares. The descriptions are those that
`kubectl explain` shows; correct them in crds/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parent
CRDS = DOCS.parent / "crds"
PAGE = DOCS / "reference.md"
HEAD = """\
# Reference of the resources

`docs/build_reference.py` generates this page from `crds/`. `kubectl explain dbm.spec` shows \
the same.
"""

Schema = Mapping[str, Any]


def build() -> str:
    """The whole page."""
    parts = [HEAD]
    for file in sorted(CRDS.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            parts.append(_describe_resource(document))
    return "\n".join(parts)


def _describe_resource(crd: Schema) -> str:
    names = crd["spec"]["names"]
    (version,) = (each for each in crd["spec"]["versions"] if each["storage"])
    schema = version["schema"]["openAPIV3Schema"]
    lines = [
        f"## {names['kind']}",
        "",
        _plain(schema.get("description", "")),
        "",
        f"`apiVersion: {crd['spec']['group']}/{version['name']}`, short name "
        + ", ".join(f"`{name}`" for name in names.get("shortNames", ()))
        + ".",
        "",
        "| column of `kubectl get` | field |",
        "| --- | --- |",
    ]
    for column in version.get("additionalPrinterColumns", ()):
        wide = " (wide)" if column.get("priority") else ""
        lines.append(f"| {column['name']}{wide} | `{_escape(column['jsonPath'])}` |")
    for part in ("spec", "status"):
        lines += ["", f"### {names['kind']} {part}", ""]
        lines += ["| field | type | meaning |", "| --- | --- | --- |"]
        lines += _describe_fields(schema["properties"][part], part)
        rules = [*_find_rules(schema["properties"][part], part)]
        if rules:
            lines += ["", "Rules:", "", *rules]
    return "\n".join(lines) + "\n"


def _describe_fields(schema: Schema, path: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        notes = [_plain(field.get("description", ""))]
        if name in required:
            notes.append("Required.")
        if "default" in field:
            notes.append(f"Default: `{json.dumps(field['default'])}`.")
        if "enum" in field:
            notes.append("One of " + ", ".join(f"`{value}`" for value in field["enum"]) + ".")
        meaning = _escape(" ".join(filter(None, notes)))
        yield f"| `{here}` | {_type_of(field)} | {meaning} |"
        yield from _describe_fields(_inner(field), here + _suffix(field))


def _find_rules(schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"- `{path}`: {rule.get('message', rule['rule'])}"
    for name, field in schema.get("properties", {}).items():
        yield from _find_rules(field, f"{path}.{name}")
    if "items" in schema:
        yield from _find_rules(schema["items"], f"{path}[]")


def _inner(field: Schema) -> Schema:
    """The schema whose properties are described below the field."""
    if "items" in field:
        return _inner(field["items"])
    extra = field.get("additionalProperties")
    return _inner(extra) if isinstance(extra, Mapping) else field


def _suffix(field: Schema) -> str:
    if "items" in field:
        return "[]"
    return ".*" if isinstance(field.get("additionalProperties"), Mapping) else ""


def _type_of(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type_of(field['items'])}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"map of {_type_of(field['additionalProperties'])}"
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    return str(field.get("format") or field.get("type", "any"))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(build())
