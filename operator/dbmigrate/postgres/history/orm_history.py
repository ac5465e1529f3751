"""The history in an ORM's table: which of its migrations a database has.

Its migrations are code in Python or Ruby, except for Prisma's: what can be taken over
is that the schema is at a certain point. So a history is kept here as text for messages,
and for Prisma, whose migrations are SQL, also as names with checksums.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.report import Reason


class Orm(StrEnum):
    """The tool of the table, by the words of `adopt -from`."""

    ALEMBIC = "alembic"
    DJANGO = "django"
    RAILS = "rails"
    PRISMA = "prisma"

    @property
    def table(self) -> str:
        """What the tool calls its table."""
        return _TABLES[self]

    @property
    def label(self) -> str:
        """The tool's name."""
        return self.value.capitalize()

    @property
    def possessive(self) -> str:
        """The tool's name before what is its own."""
        return f"{self.label}'" if self.label.endswith("s") else f"{self.label}'s"


RAILS_METADATA = "ar_internal_metadata"
"""What Rails has beside its table."""
_TABLES: Mapping[Orm, str] = {
    Orm.ALEMBIC: "alembic_version",
    Orm.DJANGO: "django_migrations",
    Orm.RAILS: "schema_migrations",
    Orm.PRISMA: "_prisma_migrations",
}


def way_to_adopt(orm: Orm, table: str = "") -> str:
    """How its history is taken over, as the beginning of a sentence; `table` is what ours has to be
    called where it can't have its usual name."""
    named = f"-history-table {table} " if table else ""
    command = f"dbmigrate {named}adopt -from {orm}"
    if orm is Orm.PRISMA:
        return f"take it over with `{command}`, beside the files that `dbmigrate convert` wrote"
    return (
        f"take it over with `{command} -as V`, V being the file that stands for it, or"
        f" `{command} -baseline NAME`, which writes that file"
    )


@dataclass(frozen=True, slots=True)
class PrismaMigration:
    """One that Prisma has applied."""

    name: str
    """That of its folder: 20240101120000_users."""
    checksum: str

    def matches(self, script: bytes) -> bool:
        """Whether this is what was applied, as Prisma's engine compares it (checksum.rs).

        Line ends do not count, nor do the zeros that older engines left out. Neither does a byte
        order mark, which is hashed there and was removed from the script here.
        """
        unix = script.replace(b"\r\n", b"\n")
        texts = (script, unix, unix.replace(b"\n", b"\r\n"), codecs.BOM_UTF8 + script)
        form = "02x" if len(self.checksum) == 64 else "x"
        digests = (hashlib.sha256(text).digest() for text in texts)
        return any("".join(format(byte, form) for byte in d) == self.checksum for d in digests)


@dataclass(frozen=True, slots=True)
class OrmHistory:
    """The state of a database according to an ORM."""

    orm: Orm
    table: str
    """With its schema, for people."""
    lines: tuple[str, ...]
    """What is applied, for people: a line for each head or app."""
    migrations: tuple[PrismaMigration, ...] = ()
    """Prisma's, by name."""


def read_history(orm: Orm, table: str, rows: Sequence[Row], environment: str | None) -> OrmHistory:
    """The history of the rows that the tool's query gave (dbmigrate.postgres.history.orm_table).

    Raises MigrationError for one that cannot be taken over: ForeignHistory where nothing
    is applied or several heads are, Dirty where a migration has failed.
    """
    if not rows:
        raise _refused(f"there is nothing to take over: {orm.possessive} {table} is empty")
    lines, migrations = _READERS[orm](table, rows)
    if environment is not None:
        lines = (*lines, f"environment: {environment}")
    return OrmHistory(orm, table, lines, migrations)


_Read = tuple[tuple[str, ...], tuple[PrismaMigration, ...]]


def _read_alembic(table: str, rows: Sequence[Row]) -> _Read:
    heads = sorted(row[0] or "" for row in rows)
    if len(heads) > 1:
        raise _refused(
            f"Alembic's {table} has several heads: {', '.join(heads)}",
            hint="merge them first (`alembic merge heads`, then `alembic upgrade head`):"
            " one number can't say where two branches stand",
        )
    return (f"revision {heads[0]}",), ()


def _read_django(table: str, rows: Sequence[Row]) -> _Read:
    del table
    return tuple(f"{app}: {count} applied, the last is {last}" for app, count, last in rows), ()


def _read_rails(table: str, rows: Sequence[Row]) -> _Read:
    wrong = [row[0] or "" for row in rows if not (row[0] or "").isdecimal()]
    if wrong:
        raise _refused(f"Rails' {table} holds {wrong[0]!r}, which is no version of Rails'")
    highest = max((row[0] or "" for row in rows), key=int)
    return (f"{len(rows)} applied, the highest is {highest}",), ()


def _read_prisma(table: str, rows: Sequence[Row]) -> _Read:
    failed = [name for name, _, is_finished, is_undone in rows if (is_finished, is_undone) == _OPEN]
    if failed:
        raise MigrationError(
            Reason.DIRTY,
            f"Prisma's {table} has a migration that failed or still runs: {failed[0]}",
            hint="bring it to an end with `prisma migrate resolve` and `prisma migrate deploy`",
        )
    found = {
        name or "": PrismaMigration(name or "", checksum or "")
        for name, checksum, _, is_undone in rows
        if is_undone == "f"
    }
    if not found:
        raise _refused(f"there is nothing to take over: all in Prisma's {table} was rolled back")
    migrations = tuple(found[name] for name in sorted(found))
    return (f"{len(migrations)} applied, the last is {migrations[-1].name}",), migrations


_OPEN = ("f", "f")
"""Neither finished nor rolled back."""

_READERS: Mapping[Orm, Callable[[str, Sequence[Row]], _Read]] = {
    Orm.ALEMBIC: _read_alembic,
    Orm.DJANGO: _read_django,
    Orm.RAILS: _read_rails,
    Orm.PRISMA: _read_prisma,
}


def _refused(message: str, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.FOREIGN_HISTORY, message, hint=hint)
