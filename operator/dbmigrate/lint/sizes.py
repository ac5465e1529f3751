"""How large the tables are, to tell a rewrite of 12 rows from one of 12 million.

Two numbers of the catalogs, read-only: the planner's estimate of the rows,
and the bytes with indexes. A table that was never analyzed has no estimate. A partitioned
table has no data itself: it is as large as its partitions, and a parent as its children.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dbmigrate.lint.finding import Finding, Severity
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import literal

WAIT_MS = 1000
"""How long the query may wait for a table that another session has locked."""
SMALL_BYTES = 10 * 1024 * 1024
"""Up to this size a scan or a rewrite takes a negligible time."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of one table."""

    rows: int | None
    """None: not known."""
    bytes: int

    @property
    def is_small(self) -> bool:
        """Whether scanning all of it takes a negligible time."""
        return self.bytes <= SMALL_BYTES

    def __str__(self) -> str:
        size = f"{self.bytes / 1024 / 1024:,.1f} MB"
        return size if self.rows is None else f"{self.rows:,} rows, {size}"


def read_sizes(session: Session, tables: Iterable[str]) -> dict[str, Size]:
    """The sizes of those that exist, by the name as it is written.

    Raises ServerFailure, inside a failed transaction, and ConnectionBroken.
    """
    oids = session.resolve(sorted(set(tables)))
    if not oids:
        return {}
    values = ", ".join(f"({literal(name)}, {oid}::oid)" for name, oid in oids.items())
    (rows,) = session.query(
        f"BEGIN READ ONLY; SET LOCAL lock_timeout = {WAIT_MS};"
        f" WITH RECURSIVE tree (name, relation) AS (SELECT * FROM (VALUES {values}) v"
        " UNION SELECT t.name, i.inhrelid FROM tree t"
        " JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relation)"
        " SELECT name, pg_catalog.sum(c.reltuples::bigint)"
        " FILTER (WHERE c.reltuples >= 0 AND c.relkind <> 'p'),"
        " pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))"
        " FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.relation GROUP BY name; COMMIT"
    )
    return {
        name or "": Size(int(count) if count and int(count) >= 0 else None, int(size or 0))
        for name, count, size in rows
    }


def weigh(finding: Finding, sizes: dict[str, Size]) -> Finding:
    """The finding with the size of its table, which decides how much it matters."""
    size = sizes.get(finding.table or "")
    if size is None or not finding.rule.depends_on_size:
        return finding
    severity = Severity.INFO if size.is_small else finding.severity
    return replace(finding, severity=severity, note=str(size))
