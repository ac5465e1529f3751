"""Names of objects that exist only during the plan: an old type, a new index, a helper check.

Such a name must be free before and after, and fit into the 63 bytes that PostgreSQL keeps: it
would truncate the name silently, and then find it taken, or drop another object.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.names import last_part, made_up, quoted, unquoted
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.schema.catalog import ObjectName


class InterimNames:
    """Chooses them, each once."""

    def __init__(self, *schemas: Schema) -> None:
        self._schemas = schemas
        self._taken: set[str] = set()
        self._chosen: dict[tuple[ObjectName, str], str] = {}

    def choose(self, about: ObjectName, first: str, second: str, label: str) -> str:
        """`first_second_label`, or with a number behind it; as SQL needs it, without a schema.

        `first` and `second` are not quoted. The same object gets the same name again.
        """
        if (about, label) not in self._chosen:
            if not self._taken:
                self._taken.update(chain.from_iterable(map(_names, self._schemas)))
            tries = chain((label,), (f"{label}{number}" for number in count(1)))
            names = (made_up(first, second, each) for each in tries)
            name = next(name for name in names if name not in self._taken)
            self._taken.add(name)
            self._chosen[about, label] = quoted(name)
        return self._chosen[about, label]


def _names(schema: Schema) -> Iterator[str]:
    """Of relations, types and constraints in all schemas: a check is inherited by children, which
    may be in another schema."""
    for each in schema.objects.values():
        if each.name.kind in _NAMED:
            yield unquoted(last_part(each.name.name))
        if isinstance(each, t.Column | o.Domain) and each.not_null is not None:
            yield unquoted(each.not_null.name or "")
    yield from schema.taken
    for name in schema.unhandled:
        yield unquoted(last_part(name.name))


_NAMED = frozenset(
    (
        "table",
        "view",
        "materialized view",
        "sequence",
        "index",
        "composite type",
        "enum",
        "domain",
        "range",
        "constraint",
    )
)
