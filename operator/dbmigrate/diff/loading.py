"""From rows to objects that refer to each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.names import default_not_null_name, unquoted
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.deparsed import settle

Row = dict[str, Any]


_DEPARSED = frozenset(
    "definition index_definition expression default using check partition_key bound".split()
)
"""Fields with the server's words for an expression."""
_OPTIONS = frozenset(("options", "index_options"))


class Loader:
    """Collects the objects of one database, and links them by their catalog addresses."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self._objects: dict[ObjectName, o.SchemaObject] = {}
        self._at: dict[str, ObjectName] = {}
        self._index_parts: list[tuple[ObjectName, str, str]] = []
        self._requires: dict[ObjectName, set[ObjectName]] = defaultdict(set)

    def add(self, kind: str, row: Row) -> None:
        """One row of the query for that kind."""
        places = [place for place in row.pop("at") if place]
        needs = row.pop("needs", ())
        if row.get("grants") is not None:
            row["grants"] = frozenset(o.Grant(*grant) for grant in row["grants"])
        for key in _DEPARSED & row.keys():
            if row[key] is not None:
                row[key] = settle(row[key])
        for key in _OPTIONS & row.keys():
            row[key] = sorted(row[key])  # their order has no meaning
        if "inherits" in row:
            row["parents"] = sorted(row["inherits"])
        if "statements" in row:
            row["statements"] = [settle(text) for text in row["statements"]]
        if "index_place" in row:
            row["index_comment"] = self._comments.get(row.pop("index_place") or "")
        if row.get("not_null") is not None:
            row["not_null"]["comment"] = self._comments.get(row["not_null"]["place"] or "")
        if places:
            row["comment"] = self._comments.get(places[0])
        made = _MAKERS[kind](row)
        self._objects[made.name] = made
        if needs:
            self._index_parts.append((made.name, *needs))
        for place in places:
            self._at.setdefault(place, made.name)

    def link(self, dependencies: Iterable[tuple[str, str]]) -> None:
        """The dependencies, by addresses: the first needs the second."""
        for user, used in dependencies:
            who, what = self._find(user), self._find(used)
            if who is not None and what is not None and who != what:
                self._requires[who].add(what)
        for name, parent, child in self._index_parts:
            whole, part = self._find(parent), self._find(child)
            if whole is not None and part is not None:
                self._requires[name].update((whole, part))
                self._requires[part].discard(whole)

    def finish(self) -> dict[ObjectName, o.SchemaObject]:
        """All objects, each with what it requires."""
        shapes: dict[str, list[ObjectName]] = defaultdict(list)
        for each in self._objects.values():
            self._requires[each.name].update(_implied(each))
            if _shapes_table(each) and each.part_of is not None:
                shapes[each.part_of.name].append(each.name)
        for each in self._objects.values():
            self._loosen(each)
            if isinstance(each, t.Attachment):
                self._requires[each.name].update(shapes[each.child], shapes[each.parent])
        for name, each in self._objects.items():
            known = frozenset(found for found in self._requires[name] if found in self._objects)
            # Nothing refers to it yet, so it may still be completed.
            object.__setattr__(each, "requires", known)
        return self._objects

    def _find(self, place: str) -> ObjectName | None:
        found = self._at.get(place)
        if found is None and not place.endswith(".0"):
            found = self._at.get(place.rpartition(".")[0] + ".0")
        return found

    def _loosen(self, each: o.SchemaObject) -> None:
        """Remove dependencies of pg_depend that ALTER can add and remove at any time."""
        required = self._requires[each.name]
        if isinstance(each, o.Sequence):
            # The owner can be changed at any time.
            required -= {name for name in required if name.kind in ("column", "table")}
        elif isinstance(each, t.Table) and each.partition_of is not None:
            required.discard(ObjectName("table", each.partition_of))
        elif isinstance(each, t.Constraint) and each.is_inherited:
            for name in tuple(required):
                other = self._objects.get(name)
                if isinstance(other, t.Constraint) and other.type == each.type:
                    required.discard(name)


def _shapes_table(each: o.SchemaObject) -> bool:
    """Whether a table's partitions have to have it, too."""
    if isinstance(each, t.Constraint):
        return each.type != "f"
    if isinstance(each, t.Index):
        # One that is not valid lacks parts, which an attachment would make.
        return each.is_valid or each.table_kind != "p"
    return isinstance(each, t.Column)


def _implied(each: o.SchemaObject) -> Iterable[ObjectName]:
    """The dependencies that pg_depend does not have."""
    if each.schema is not None:
        yield ObjectName("schema", each.schema)
    if each.part_of is not None:
        yield each.part_of
    if isinstance(each, o.Extension):
        yield ObjectName("schema", each.home)
    elif isinstance(each, t.Table):
        yield from (ObjectName("table", parent) for parent in each.inherits)
    elif isinstance(each, t.Attachment):
        yield ObjectName("table", each.parent)
    elif isinstance(each, t.Constraint):
        yield from (ObjectName("column", f"{each.table}.{name}") for name in each.columns)


_RELATION_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "c": "composite type",
    "f": "foreign table",
}


def _make(
    made: type[o.SchemaObject], kind: str, row: Row, part_of: ObjectName | None = None
) -> o.SchemaObject:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    name = ObjectName(kind, fields.pop("name"))
    return made(name=name, part_of=part_of, **fields)


def _simple(made: type[o.SchemaObject], kind: str) -> Callable[[Row], o.SchemaObject]:
    return lambda row: _make(made, kind, row)


def _on_table(made: type[o.SchemaObject], kind: str) -> Callable[[Row], o.SchemaObject]:
    def make(row: Row) -> o.SchemaObject:
        relation_kind = _RELATION_KINDS[row.pop("part_of_kind", "r")]
        return _make(made, kind, row, ObjectName(relation_kind, row["table"]))

    return make


def _column(row: Row) -> o.SchemaObject:
    row["settings"] = _settings(row["settings"])
    row["not_null"] = _not_null(row["not_null"], row["relation"], row["column"])
    part_of = ObjectName(_RELATION_KINDS[row["relation_kind"]], row["relation"])
    return _make(t.Column, "column", row, part_of)


def _settings(found: Row | None) -> o.SequenceSettings | None:
    return None if found is None else o.SequenceSettings(**found)


def _not_null(found: Row | None, relation: str, column: str) -> o.NotNull | None:
    if found is None:
        return None
    name = found["name"]
    is_usual = name is None or unquoted(name) == default_not_null_name(relation, column)
    return o.NotNull(
        name=name,
        is_usual=is_usual,
        is_local=found.get("local") is True,
        is_inherited_by_none=bool(found["no_inherit"]),
        is_validated=found["validated"] is not False,
        comment=found["comment"],
    )


def _default(row: Row) -> o.SchemaObject:
    part_of = ObjectName("column", row["name"])
    return _make(t.Default, "default", row, part_of)


def _sequence(row: Row) -> o.SchemaObject:
    row["settings"] = _settings(row["settings"])
    part_of = ObjectName("column", row["owned_by"]) if row["is_identity"] else None
    return _make(o.Sequence, "sequence", row, part_of)


def _view(row: Row) -> o.SchemaObject:
    kind = "materialized view" if row["is_materialized"] else "view"
    return _make(o.View, kind, row)


def _default_privileges(row: Row) -> o.SchemaObject:
    part_of = None if row["schema"] is None else ObjectName("schema", row["schema"])
    return _make(o.DefaultPrivileges, "default privileges", row, part_of)


def _attachment(row: Row) -> o.SchemaObject:
    return _make(t.Attachment, "partition", row, ObjectName("table", row["child"]))


def _domain(row: Row) -> o.SchemaObject:
    row["not_null"] = _not_null(row["not_null"], row["name"], "")
    return _make(o.Domain, "domain", row)


def _domain_constraint(row: Row) -> o.SchemaObject:
    part_of = ObjectName("domain", row["domain"])
    return _make(o.DomainConstraint, "domain constraint", row, part_of)


def _routine(row: Row) -> o.SchemaObject:
    kind = "procedure" if row.pop("kind") == "p" else "function"
    return _make(o.Routine, kind, row)


_MAKERS: dict[str, Callable[[Row], o.SchemaObject]] = {
    "schema": _simple(o.Namespace, "schema"),
    "extension": _simple(o.Extension, "extension"),
    "default privileges": _default_privileges,
    "table": _simple(t.Table, "table"),
    "view": _view,
    "column": _column,
    "default": _default,
    "partition": _attachment,
    "sequence": _sequence,
    "constraint": _on_table(t.Constraint, "constraint"),
    "index": _on_table(t.Index, "index"),
    "index partition": _simple(t.IndexAttachment, "index partition"),
    "trigger": _on_table(t.Trigger, "trigger"),
    "rule": _on_table(t.RewriteRule, "rule"),
    "policy": _on_table(t.Policy, "policy"),
    "statistics": _on_table(t.Statistics, "statistics"),
    "enum": _simple(o.EnumType, "enum"),
    "domain": _domain,
    "domain constraint": _domain_constraint,
    "composite type": _simple(o.Composite, "composite type"),
    "range": _simple(o.RangeType, "range"),
    "function": _routine,
    "aggregate": _simple(o.Aggregate, "aggregate"),
    **{
        kind: _simple(o.Other, kind)
        for kind in (
            "collation",
            "cast",
            "operator",
            "text search dictionary",
            "text search configuration",
            "event trigger",
            "publication",
        )
    },
    "foreign-data wrapper": _simple(o.Wrapper, "foreign-data wrapper"),
    "server": _simple(o.ForeignServer, "server"),
    "foreign table": _simple(o.ForeignTable, "foreign table"),
}
"""By the kind that the reader gives; the object's own kind may be narrower."""
