"""Copies fields from crds/databasemigrations.yaml to crds/databasemigrationsets.yaml.

A set's `template` and `database` have fields of a DatabaseMigration. `python
docs/build_set_schema.py` copies them from the definition of the latter to the marked parts of the
definition of the former, and a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from dbmigrate.api.fleet.spec import NO_BACKUP

CRDS = Path(__file__).parent.parent / "crds"
SOURCE, TARGET = CRDS / "databasemigrations.yaml", CRDS / "databasemigrationsets.yaml"
TEMPLATE_FIELDS = (
    "source",
    "target",
    "rollback",
    "outOfOrder",
    "changedFiles",
    "takeOver",
    "approval",
    "rehearse",
    "timeouts",
    "retry",
    "job",
)
"""The fields of spec that a set's template has."""

Schema = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write each part in full, without anchors."""
        del data
        return True


def build(text: str) -> str:
    """The definition of sets, with its marked parts generated again."""
    spec = read_part("spec")
    text = _replace(text, "template", template_fields(spec))
    text = _replace(text, "database", database_fields(spec))
    return _replace(text, "plan", {"plan": read_part("status")["properties"]["plan"]})


def template_fields(spec: Mapping[str, Any]) -> Schema:
    """The fields of a template and their rules; `backup` exists only to be refused by name."""
    rules = deepcopy(spec["x-kubernetes-validations"])
    for each in rules:
        each["message"] = each["message"].replace("spec.", "spec.template.")
    fields = {name: spec["properties"][name] for name in TEMPLATE_FIELDS}
    refused = {
        "type": "object",
        "description": "Not possible for a set; save the databases by other means first.",
        "maxProperties": 16,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    rules.append({"rule": "!has(self.backup)", "message": NO_BACKUP})
    return {"x-kubernetes-validations": rules, "properties": {**fields, "backup": refused}}


def read_part(name: str) -> Schema:
    """The schema of a DatabaseMigration's spec or status."""
    crd = yaml.safe_load(SOURCE.read_text())
    (version,) = (each for each in crd["spec"]["versions"] if each["storage"])
    spec: Schema = version["schema"]["openAPIV3Schema"]["properties"][name]
    return spec


def database_fields(spec: Mapping[str, Any]) -> Schema:
    """The fields and their rules. Unlike in a DatabaseMigration they may change later."""
    database = deepcopy(spec["properties"]["database"])
    rules = [each for each in database["x-kubernetes-validations"] if "oldSelf" not in each["rule"]]
    return {"x-kubernetes-validations": rules, "properties": database["properties"]}


def _replace(text: str, name: str, fields: Schema) -> str:
    mark = re.compile(
        rf"^( *)# {name}: copied by docs/build_set_schema\.py\n.*?^ *# {name}: end\n", re.M | re.S
    )
    found = mark.search(text)
    if found is None:
        raise ValueError(f"{TARGET.name} has no marks for {name}")
    indent = found[1]
    body = yaml.dump(fields, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    lines = [f"{indent}{line}" if line else "" for line in body.splitlines()]
    head, tail = f"{indent}# {name}: copied by docs/build_set_schema.py", f"{indent}# {name}: end"
    return text[: found.start()] + "\n".join([head, *lines, tail]) + "\n" + text[found.end() :]


if __name__ == "__main__":
    TARGET.write_text(build(TARGET.read_text()))
