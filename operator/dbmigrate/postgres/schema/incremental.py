"""Reads a database's catalog repeatedly, and in full only where it has to.

A plan may create a hundred indexes, each in a separate file, and after each only that
index is new. This can be verified without reading the content of all catalog rows.
PostgreSQL never changes such a row in place, except for figures that are not part of a
schema (relpages, relhasindex and the like), and before 14 the flags of an index: any other
change creates a new row, at a new place (ctid) and by another transaction (xmin). So if the
same rows exist before and after, by place and transaction, except for those of one index,
then everything but this index is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

from dbmigrate.postgres.connection.search_path import IN_UTC
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.schema.catalog import Catalog, ObjectName, read_catalog, read_indexes
from dbmigrate.postgres.sqltext.quoting import literal

_OF_INDEX = {
    "pg_class": "oid = $oid",
    "pg_attribute": "attrelid = $oid",
    "pg_index": "indexrelid = $oid",
    "pg_depend": "classid = 'pg_class'::regclass AND objid = $oid",
}
"""Where an index has rows. A comment on it is an object of its own."""
_CATALOGS = (
    "pg_class pg_attribute pg_index pg_depend pg_attrdef pg_constraint pg_inherits pg_type pg_enum"
    " pg_range pg_sequence pg_proc pg_aggregate pg_trigger pg_rewrite pg_policy pg_statistic_ext"
    " pg_description pg_partitioned_table pg_namespace pg_extension pg_operator pg_opclass"
    " pg_opfamily pg_cast pg_collation pg_conversion pg_ts_config pg_ts_dict pg_ts_parser"
    " pg_ts_template pg_language pg_transform pg_foreign_data_wrapper pg_foreign_server"
    " pg_foreign_table pg_am pg_default_acl pg_event_trigger pg_publication"
    " pg_publication_rel pg_db_role_setting pg_tablespace"
).split()
"""All that a catalog is read from, and on which the server's own words for it depend, but for
the names of roles, which are the whole server's."""
_FLAGS = {"pg_index": ", indisvalid, indisready"}

_Rows = dict[str, tuple[int, int]]
"""Which rows are there: how many of each catalog, and the sum of the hashes of their places."""


class CatalogWatch:
    """The catalog of a database that only `after` changes."""

    def __init__(self, session: Session, without: HistoryTable) -> None:
        """Raises ServerFailure, ConnectionBroken, as the methods do."""
        self._session = session
        self._without = without
        self._rows: _Rows | None = None
        """Of now, if they were looked at since the last change."""
        self.catalog: Catalog = read_catalog(session, without=without)

    def after(self, change: Callable[[], None], *, index: ObjectName | None = None) -> Catalog:
        """Make a change, and read the catalog after it.

        `index`: the only object that should change, if it is one; that is verified.
        """
        others = self._others(index) if index is not None else None
        self._rows = None
        change()
        if index is not None and self._others(index) == others:
            known = {name: text for name, text in self.catalog.items() if name != index}
            found = read_indexes(self._session, index, without=self._without)
            self.catalog = {**known, **found}
        else:
            self.catalog = read_catalog(self._session, without=self._without)
        return self.catalog

    def _others(self, index: ObjectName) -> _Rows:
        """The existing rows except for those of the index."""
        if self._rows is None:
            self._rows = self._look(_ALL)
        part = self._look(_PART.replace("$index", literal(index.name)))
        return {
            catalog: (count - part.get(catalog, _NONE)[0], total - part.get(catalog, _NONE)[1])
            for catalog, (count, total) in self._rows.items()
        }

    def _look(self, query: str) -> _Rows:
        (rows,) = self._session.query(f"BEGIN READ ONLY; {IN_UTC}; {query}; COMMIT")
        return {catalog or "": (int(count or 0), int(total or 0)) for catalog, count, total in rows}


_NONE = (0, 0)


def _rows_of(catalog: str, condition: str = "true") -> str:
    place = f"concat_ws(' ', ctid, xmin{_FLAGS.get(catalog, '')})"
    return (
        f"SELECT '{catalog}', count(*), sum(hashtextextended({place}, 0))"
        f" FROM {catalog} WHERE {condition}"
    )


_OID = "(SELECT oid FROM pg_class WHERE oid = to_regclass($index) AND relkind = 'i')"
_ALL = " UNION ALL ".join(map(_rows_of, _CATALOGS))
_PART = " UNION ALL ".join(
    _rows_of(catalog, condition.replace("$oid", _OID)) for catalog, condition in _OF_INDEX.items()
)
