"""Reads a database's catalog repeatedly: in full at first, afterwards what has changed.

PostgreSQL never changes a catalog row in place, except for figures that are not part of a
schema (relpages, relhasindex and the like): any other change creates a new row, at a
new place (ctid) and by another transaction (xmin). So the rows of a relation, by place and
transaction, tell whether its columns, constraints, indexes, triggers, rules and policies are
those of the last reading.

Read again are the relations whose rows have changed, and those that depend on them, because
a view or a foreign key names the columns of other tables. The whole catalog is read again
where a relation has another name, where a type is made of a changed table, and where
anything has changed that is no part of a relation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dbmigrate.postgres.connection.search_path import READS_CATALOGS
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.schema.catalog import Catalog, ObjectName, read_catalog
from dbmigrate.postgres.schema.catalog_queries import OF_RELATIONS, OTHERS, own_sql
from dbmigrate.postgres.schema.changed_rows import DEPENDENTS, OTHER_ROWS, RELATION_ROWS
from dbmigrate.postgres.sqltext.deparsed import settle

_FIRST_VERSION = 140000
"""Before, a row's place has no hash, and the flags of an index were changed in place."""
_GENERIC = "SET LOCAL plan_cache_mode = force_generic_plan"

_Rows = Mapping[str, tuple[str, str]]
"""The name of each relation and the hash of its rows, by its oid."""
_Parts = dict[str, dict[ObjectName, str]]


class IncrementalCatalog:
    """The catalog of a database, for one session that reads it again and again."""

    def __init__(self, session: Session, without: HistoryTable) -> None:
        self._session = session
        self._without = without
        self._is_prepared = False
        self._rows: _Rows = {}
        self._other_rows: list[Row] = []
        self._relations: _Parts = {}
        """The objects of each relation, by its oid."""
        self._others: dict[ObjectName, str] = {}
        self._catalog: Catalog = {}

    def read(self) -> Catalog:
        """The catalog as it is now. Raises ServerFailure, ConnectionBroken."""
        if self._session.server_version < _FIRST_VERSION:
            return read_catalog(self._session, without=self._without)
        is_first = not self._is_prepared
        if is_first:
            self._prepare()
        others, relations = self._query("EXECUTE dbmigrate_others", "EXECUTE dbmigrate_rows")
        rows = {oid or "": (name or "", mark or "") for oid, name, mark in relations}
        if is_first or others != self._other_rows or self._is_renamed(rows):
            self._read_all(rows)
        elif rows != self._rows:
            self._read_changed(rows)
        else:
            return self._catalog
        self._rows, self._other_rows = rows, others
        self._catalog = dict(self._others)
        for part in self._relations.values():
            self._catalog |= part
        return self._catalog

    def _is_renamed(self, rows: _Rows) -> bool:
        return any(oid in rows and rows[oid][0] != name for oid, (name, _) in self._rows.items())

    def _read_all(self, rows: _Rows) -> None:
        others, relations = self._query("EXECUTE dbmigrate_other_objects", _chosen(rows))
        self._others = _by_name(others)
        self._relations = {}
        self._take(relations)

    def _read_changed(self, rows: _Rows) -> None:
        known = self._rows
        gone = known.keys() - rows.keys()
        new = rows.keys() - known.keys()
        changed = {oid for oid in rows.keys() & known.keys() if rows[oid] != known[oid]}
        if changed:
            (found,) = self._query(f"EXECUTE dbmigrate_dependents ({_array(changed)})")
            if any(oid is None for (oid,) in found):
                self._read_all(rows)
                return
            changed |= {oid for (oid,) in found if oid is not None and oid in rows}
            (others,) = self._query("EXECUTE dbmigrate_other_objects")
            self._others = _by_name(others)
        for oid in gone | new | changed:
            self._relations.pop(oid, None)
        if new or changed:
            self._take(self._query(_chosen(new | changed))[0])

    def _take(self, rows: list[Row]) -> None:
        for oid, kind, name, text in rows:
            part = self._relations.setdefault(oid or "", {})
            part[ObjectName(kind or "", name or "")] = settle(text or "")

    def _prepare(self) -> None:
        """Plan each query once: they are large, and the plans do not become outdated."""
        own = own_sql(self._without)

        def fill(query: str, ignored: str, relation: str = "") -> str:
            filled = query.replace("$ignored", ignored).replace("$relation", relation)
            return filled.replace("$with_rights", "true")

        others = " UNION ALL ".join(fill(query, own) for query in OTHERS)
        chosen = f"{own} OR c.oid <> ALL ($1)"
        relations = " UNION ALL ".join(fill(query, chosen, "c.oid,") for query in OF_RELATIONS)
        self._query(
            f"PREPARE dbmigrate_others AS {OTHER_ROWS}",
            f"PREPARE dbmigrate_rows AS {fill(RELATION_ROWS, own)}",
            f"PREPARE dbmigrate_dependents (oid[]) AS {DEPENDENTS}",
            f"PREPARE dbmigrate_other_objects AS {others}",
            f"PREPARE dbmigrate_relations (oid[]) AS {relations}",
        )
        self._is_prepared = True

    def _query(self, *statements: str) -> list[list[Row]]:
        """In one snapshot."""
        begin = f"BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ; {READS_CATALOGS}; {_GENERIC}"
        return self._session.query(f"{begin}; {'; '.join(statements)}; COMMIT")


def _chosen(oids: Iterable[str]) -> str:
    return f"EXECUTE dbmigrate_relations ({_array(oids)})"


def _array(oids: Iterable[str]) -> str:
    return f"'{{{','.join(oids)}}}'"


def _by_name(rows: list[Row]) -> dict[ObjectName, str]:
    return {ObjectName(kind or "", name or ""): settle(text or "") for kind, name, text in rows}
