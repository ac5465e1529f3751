"""The relations that exist before a step: their names for its locks, and their files, which tell
whether it rewrites them.

A statement that rewrites a table gives it another file (pg_class.relfilenode), whether the
table has rows or not. TRUNCATE does so too, but leaves the table its TOAST table. A table
without one that a step truncates and rewrites is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.sources.migration import Script

_RELATIONS = """
SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
  CASE WHEN c.relkind IN ('r', 'm') THEN c.relfilenode ELSE 0 END, c.reltoastrelid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND c.oid >= 16384
AND c.relname NOT IN ($own)"""


@dataclass(frozen=True, slots=True)
class StoredRelation:
    """A table, view or materialized view."""

    name: str
    """Quoted, with its schema."""
    file: str
    """Its relfilenode; 0: it has none."""
    toast: str
    """The oid of its TOAST table; 0: it has none."""


Relations = Mapping[str, StoredRelation]
"""By their oids."""


def read_relations(session: Session, *, without: HistoryTable) -> Relations:
    """Those of users, except for the history's own. Raises ServerFailure, ConnectionBroken."""
    own = ", ".join(map(literal, own_relations(without.name)))
    (rows,) = session.query(_RELATIONS.replace("$own", own))
    return {
        oid or "": StoredRelation(name or "", file or "", toast or "")
        for oid, name, file, toast in rows
    }


def find_rewritten(before: Relations, after: Relations, script: Script | None) -> tuple[str, ...]:
    """The tables that the script has rewritten, by the names that they had before."""
    changed = [
        (old, after[oid])
        for oid, old in before.items()
        if oid in after and old.file != after[oid].file
    ]
    if changed and _truncates(script):
        changed = [(old, new) for old, new in changed if old.toast != new.toast]
    return tuple(sorted(old.name for old, _ in changed))


def _truncates(script: Script | None) -> bool:
    if script is None:
        return False
    try:
        return any(each.words[:1] == ("TRUNCATE",) for each in split(script.load(), file=""))
    except MigrationError:
        return False
