"""The list of a set's targets: a query, a key of a ConfigMap, or items in the manifest.

The runner's Pods read it. The operator passes it on and never reads the result of a query.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from dbmigrate.api.database import LARGEST_PORT
from dbmigrate.api.fields import Document, Fields
from dbmigrate.api.forms import DATA_KEY, HOST, IDENTIFIER, LABEL_VALUE, OBJECT_NAME, TABLE, Form

SQL = Form(16384, least=1)
TARGET_NAME = Form(255, r"[^\x00-\x1f\x7f]+", least=1)
SEARCH_PATH = Form(1024, r"[^\x00-\x1f\x7f]+", least=1)
ITEMS_LIMIT = 500
ITEMS_SIZE_LIMIT = 96 * 1024
"""Bytes of all items as JSON: they are an annotation of a Pod, together with the inline files."""
LIST_SUFFIXES = (".yaml", ".yml", ".json", ".csv")


@dataclass(frozen=True, slots=True)
class QueryTargets:
    """A SELECT on the catalog database."""

    sql: str


@dataclass(frozen=True, slots=True)
class ConfigMapTargets:
    """A list that is a key of a ConfigMap."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class ItemTargets:
    """A list in the manifest."""

    items: tuple[Document, ...]

    def to_json(self) -> str:
        """As the runner reads it."""
        return json.dumps({"targets": self.items}, separators=(",", ":"), ensure_ascii=False)


Targets = QueryTargets | ConfigMapTargets | ItemTargets


def parse_targets(fields: Fields) -> Targets:
    """Read `spec.targets`. Raises SpecError."""
    kind = fields.only_one_of("query", "configMap", "items")
    if kind == "query":
        return QueryTargets(fields.section("query").text("sql", SQL))
    if kind == "configMap":
        ref = fields.section("configMap")
        key = ref.text("key", DATA_KEY)
        if not key.endswith(LIST_SUFFIXES):
            raise ref.error("key", f"must end in one of {', '.join(LIST_SUFFIXES)}")
        return ConfigMapTargets(ref.text("name", OBJECT_NAME), key)
    return _parse_items(fields)


def _parse_items(fields: Fields) -> ItemTargets:
    items = tuple(_parse_item(each) for each in fields.sections("items", most=ITEMS_LIMIT))
    if not items:
        raise fields.error("items", "must hold a target")
    names = {item["name"] for item in items}
    if len(names) != len(items):
        raise fields.error("items", "names a target twice")
    found = ItemTargets(items)
    size = len(found.to_json().encode())
    if size > ITEMS_SIZE_LIMIT:
        problem = f"holds {size} bytes, more than {ITEMS_SIZE_LIMIT}: put the list into a ConfigMap"
        raise fields.error("items", problem)
    return found


def _parse_item(fields: Fields) -> Document:
    item: Document = {"name": fields.text("name", TARGET_NAME)}
    forms = {
        "host": HOST,
        "dbname": IDENTIFIER,
        "user": IDENTIFIER,
        "schema": IDENTIFIER,
        "searchPath": SEARCH_PATH,
        "historyTable": TABLE,
    }
    for name, form in forms.items():
        value = fields.optional_text(name, form)
        if value is not None:
            item[name] = value
    port = fields.integer("port", 0, most=LARGEST_PORT)
    if port:
        item["port"] = str(port)
    labels = fields.texts("labels", LABEL_VALUE, most=64)
    return {**item, "labels": labels} if labels else item
