"""The schema of a database, as text that can be compared.

One query reads everything that users have created: each object becomes a row with its
kind, its name and a definition in the server's own words. Two databases have the same
schema if they have the same rows. Names are qualified, object ids and the physical order
of columns are left out, and what belongs to an extension counts as the extension.
Data is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dbmigrate.postgres.connection.search_path import READS_CATALOGS
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.schema.catalog_queries import OF_RELATIONS, OTHERS, own_sql
from dbmigrate.postgres.sqltext.deparsed import settle
from dbmigrate.postgres.sqltext.quoting import literal_bool


class ObjectName(NamedTuple):
    """An object: `table public.users`, `column public.users.name`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Catalog = Mapping[ObjectName, str]
"""Every object with its definition."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that differs between two catalogs."""

    object: ObjectName
    before: str | None
    """None: it was not there."""
    after: str | None
    """None: it is not there any more."""

    def describe(self) -> str:
        """The difference in a sentence."""
        if self.before is None:
            return f"{self.object} is left"
        if self.after is None:
            return f"{self.object} is gone"
        return f"{self.object} was {self.before!r}, and is {self.after!r}"


def read_catalog(
    session: Session,
    *,
    without: HistoryTable | None = None,
    ignoring: Iterable[int] = (),
    with_rights: bool = True,
) -> Catalog:
    """Read the schema, except for the history's own tables and the relations of these oids.

    Without `with_rights`, ownership and privileges are left out.
    Raises ServerFailure, ConnectionBroken.
    """
    ignored = f"c.oid = ANY ('{{{','.join(map(str, ignoring))}}}')"
    if without is not None:
        ignored += f" OR {own_sql(without)}"
    query = " UNION ALL ".join((*OF_RELATIONS, *OTHERS)).replace("$relation", "")
    query = query.replace("$ignored", ignored).replace("$with_rights", literal_bool(with_rights))
    (rows,) = session.query(f"BEGIN READ ONLY; {READS_CATALOGS}; {query}; COMMIT")
    return {ObjectName(kind or "", name or ""): settle(text or "") for kind, name, text in rows}


def compare(before: Catalog, after: Catalog) -> Iterator[Difference]:
    """The differences by kind and name; parts of a new or missing object are not repeated."""
    if before == after:
        return
    seen: set[str] = set()
    for name in sorted(before.keys() | after.keys(), key=_order):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        is_whole = old is None or new is None
        if is_whole and any(name.name.startswith(f"{whole}.") for whole in seen):
            continue
        if is_whole and name.kind in _WHOLES:
            seen.add(name.name)
        yield Difference(name, old, new)


_WHOLES = frozenset(("table", "view", "materialized view", "foreign table", "type", "schema"))


def _order(name: ObjectName) -> tuple[bool, ObjectName]:
    return name.kind not in _WHOLES, name
