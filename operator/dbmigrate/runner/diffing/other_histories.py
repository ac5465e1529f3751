"""The tables of migration tools in a live schema, which no migration makes.

A database keeps the table of the tool from which it has been taken over, and the history of another
application that lives in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dbmigrate.diff.names import last_part, quoted, unquoted, without_last
from dbmigrate.diff.objects import Sequence
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.tables import Column
from dbmigrate.postgres.history.foreign.tools import TOOL_TABLES
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.schema.catalog import ObjectName

_COMPANIONS = {
    "databasechangelog": ("databasechangeloglock",),
    "knex_migrations": ("knex_migrations_lock",),
    "_yoyo_migration": ("_yoyo_log", "_yoyo_version", "yoyo_lock"),
}
"""Tables that a tool has beside its history."""


def find_history_tables(live: Schema, made: Schema) -> frozenset[ObjectName]:
    """Those that the migrations do not make, their sequences, and the schemas that exist for them
    alone."""
    tables = frozenset(_find(live)) - made.objects.keys()
    tables |= {
        each.name
        for each in live.objects.values()
        if isinstance(each, Sequence)
        and each.owned_by is not None
        and ObjectName("table", without_last(each.owned_by)) in tables
    }
    schemas = {ObjectName("schema", without_last(name.name)) for name in tables}
    emptied = {
        name
        for name in schemas - made.objects.keys()
        if set(live.dependents.get(name, ())) <= tables
    }
    return tables | emptied


def _find(live: Schema) -> Iterator[ObjectName]:
    columns: dict[str, set[str]] = defaultdict(set)
    for each in live.objects.values():
        if isinstance(each, Column):
            columns[each.relation].add(unquoted(each.column))
    for relation, found in columns.items():
        bare = unquoted(last_part(relation))
        if any(bare == tool.name and tool.columns <= found for tool in TOOL_TABLES):
            schema = without_last(relation)
            for name in (*own_relations(bare), *_COMPANIONS.get(bare, ())):
                table = ObjectName("table", f"{schema}.{quoted(name)}")
                if table in live.objects:
                    yield table
