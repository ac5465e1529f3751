"""The shape of the log's table: its columns and indexes, its version, and the way forward.

The log lives as long as the database, and several versions of dbmigrate write to it. Its
shape has a number, in a comment on the table, with the oldest number whose programs may go
on with it. A table without that comment (one of an older dbmigrate, or one that a person has
commented) is known by its columns, if they are exactly those of a shape. What a newer
dbmigrate has made unreadable, and what was changed by hand, is refused in words.

    shape 1: 19 columns
    shape 2: done_checksum
    shape 3: the number itself, and the indexes by which the log is read

A comment on the column id says whether the table has ever had a row, and under which name. It is
committed with the first one, so that a step that was rolled back leaves no trace, and stays where
the rows are removed or the table is renamed. Likewise a comment on the column executed_by says who
migrates the database.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason

SHAPE = 3
"""What this version makes."""
READABLE_SINCE = 1
"""The oldest shape whose programs may read and write what this one makes."""

COLUMNS = {
    "id": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "version": "{version}",
    "name": "text NOT NULL",
    "direction": "text NOT NULL",
    "from_version": "{version}",
    "to_version": "{version}",
    "checksum": "text",
    "down_file": "text",
    "down_script": "text",
    "started_at": "timestamptz NOT NULL",
    "finished_at": "timestamptz",
    "milliseconds": "bigint",
    "executed_by": "text NOT NULL DEFAULT session_user",
    "executed_from": "text NOT NULL",
    "tool_version": "text NOT NULL",
    "outcome": "text NOT NULL",
    "statements": "integer",
    "statements_done": "integer",
    "done_checksum": "text",
    "error": "text",
}
"""One row a step. version: whose script ran; from_version and to_version: the database's
before and after, NULL for nothing applied. direction: up, down, force, baseline, gap, and the
kinds of notes (dbmigrate.postgres.history.log.notes).
outcome: applied, failed, noted, running (a step without a transaction that has not ended),
interrupted (one that was asked to stop: the next run continues it).
{version} is bigint, or text where the format's versions are no numbers."""

ADDED = {"done_checksum": 2}
"""The shapes that have brought further columns; each of those may be NULL."""

INDEXES = (("version", "outcome", "direction", "name", "id"), ("version", "to_version", "id"))
"""By the first the newest row of each step is found, by the second that of each version which
was set without a step (dbmigrate.postgres.history.log.reading)."""

TELLING = ("executed_from", "to_version", "outcome")
"""By these a log is looked for under whatever name."""

_MEANINGFUL = frozenset(
    {"id", "version", "name", "direction", "from_version", "to_version", "outcome"}
)
"""Columns that say which versions are applied: empty ones in their place would say otherwise."""
_NAMES = {"timestamptz": "timestamp with time zone"}
"""Types as the catalogs write them, where that is not how they are declared."""
_NO_ROWS = "dbmigrate: no row yet"
_HAD_ROWS = re.compile(r"dbmigrate: has had rows(?:, as .+)?", re.DOTALL)
_OWNER = re.compile(r"dbmigrate: migrated by (\S+)")
_COMMENT = re.compile(r"dbmigrate: log of shape ([0-9]{1,9}), readable since shape ([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class LogShape:
    """What was found of a log's table."""

    number: int | None = None
    """The shape; None: it is none of ours."""
    columns: frozenset[str] = frozenset()
    is_indexed: bool = False
    is_numbered: bool = False
    """Whether the comment on the table tells the number."""
    may_be_numbered: bool = True
    """Whether there is no comment of a person's."""
    may_alter: bool = True
    """Whether the session's role may act as the table's owner."""
    had_rows: bool | None = None
    """Whether it has had a row, by its own word; None: it does not say."""
    may_say_so: bool = False
    """Whether a role that may alter it can write that down: there is no comment of a person's."""
    owner: str | None = None
    """Who migrates the database, by its own word, as the log's note has it."""
    may_name_owner: bool = False
    """Whether a role that may alter it can write that down: there is no comment of a person's."""
    unfilled: tuple[str, ...] = ()
    """Columns that must have a value and get none from dbmigrate."""
    problem: MigrationError | None = None
    """Why it can't be read as a log."""

    @property
    def is_behind(self) -> bool:
        """Whether a run that writes should bring it up to date first."""
        if self.number is None or self.number > SHAPE or not self.may_alter:
            return False
        wants_number = not self.is_numbered and self.may_be_numbered
        return self.number < SHAPE or not self.is_indexed or wants_number


CURRENT = LogShape(SHAPE, frozenset(COLUMNS), is_indexed=True, is_numbered=True, had_rows=True)
"""What `create_sql` makes."""


@dataclass(frozen=True, slots=True)
class LogColumn:
    """A column as the catalogs describe it."""

    name: str
    type: str
    must_be_filled: bool
    """It is NOT NULL and has no default."""
    number: str
    """Its attnum."""


def shape_of(
    table: str,
    columns: Iterable[LogColumn],
    *,
    version_type: str,
    comment: str | None,
    index_keys: Collection[str],
    may_alter: bool,
    id_comment: str | None = None,
    owner_comment: str | None = None,
) -> LogShape:
    """The shape of a table, named with its schema; `index_keys` as pg_index.indkey, `id_comment`
    that of its first column, `owner_comment` that of executed_by."""
    found = {column.name: column for column in columns}
    stated = _COMMENT.fullmatch(comment or "")
    had = _HAD_ROWS.fullmatch(id_comment or "")
    owner = _OWNER.fullmatch(owner_comment or "")
    here = LogShape(
        columns=frozenset(found),
        may_be_numbered=stated is not None or not comment,
        may_alter=may_alter,
        is_numbered=stated is not None,
        had_rows=True if had else False if id_comment == _NO_ROWS else None,
        may_say_so=id_comment in (None, "", _NO_ROWS),
        owner=owner[1] if owner else None,
        may_name_owner=owner is not None or not owner_comment,
        unfilled=tuple(
            name for name, column in found.items() if column.must_be_filled and not _fills(name)
        ),
        is_indexed=all(_key(found, index) in index_keys for index in INDEXES),
    )
    if stated is not None:
        number, since = int(stated[1]), int(stated[2])
        if since > SHAPE:
            return _with(here, None, _too_new(table, number, since))
    else:
        number = _by_columns(found)
    missing = [name for name in COLUMNS if name not in found and ADDED.get(name, 1) <= number]
    if missing:
        return _with(here, None, _incomplete(table, missing, found, version_type))
    changed = next((c for c in found.values() if not _has_type(c, version_type)), None)
    if changed is not None:
        return _with(here, None, _other_type(table, changed, version_type))
    return _with(here, number, None)


def is_log(columns: Collection[str]) -> bool:
    """Whether a table of these columns is a log of dbmigrate's, of any shape."""
    return all(name in columns for name in COLUMNS if name not in ADDED)


def is_log_sql(oid: str) -> str:
    """Whether a table, whose oid this is in SQL, has the columns of a log, whatever its name."""
    columns = ", ".join(map(literal, TELLING))
    return (
        f"{len(TELLING)} = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a"
        f" WHERE a.attrelid = {oid} AND NOT a.attisdropped AND a.attname IN ({columns}))"
    )


def create_sql(table: str, version_type: str) -> str:
    """Make the table; its name is quoted."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    return f"CREATE TABLE IF NOT EXISTS {table} ({columns.format(version=version_type)})"


def upgrade_sql(table: str, shape: LogShape, version_type: str) -> str:
    """Bring a table that is there up to date; nothing where it is."""
    if not shape.is_behind:
        return ""
    statements = [
        f"ALTER TABLE {table} ADD COLUMN {name} {COLUMNS[name].format(version=version_type)}"
        for name in ADDED
        if name not in shape.columns
    ]
    if not shape.is_indexed:
        # PostgreSQL finds names for them that are free.
        statements += [f"CREATE INDEX ON {table} ({_index(columns)})" for columns in INDEXES]
    if shape.may_be_numbered:
        comment = f"dbmigrate: log of shape {SHAPE}, readable since shape {READABLE_SINCE}"
        statements.append(f"COMMENT ON TABLE {table} IS {literal(comment)}")
    return "; ".join(statements)


def had_rows_comment(name: str) -> str:
    """What the column id of a table of that name says from its first row on."""
    return f"dbmigrate: has had rows, as {name}"


def no_rows_sql(table: str) -> str:
    """Say of a table that was made just now that it has had no row."""
    return f"COMMENT ON COLUMN {table}.id IS {literal(_NO_ROWS)}"


def had_rows_sql(table: str, name: str, shape: LogShape) -> str:
    """Say with the first row of the table of that name that there was one; nothing where that is
    said, or can't be."""
    if shape.had_rows or not (shape.may_alter and shape.may_say_so):
        return ""
    return f"COMMENT ON COLUMN {table}.id IS {literal(had_rows_comment(name))}"


def owner_sql(table: str, owner: str, shape: LogShape) -> str:
    """Say who migrates the database, so that it stays known where the rows are removed; nothing
    where that is said, or can't be."""
    if shape.owner == owner or not (shape.may_alter and shape.may_name_owner):
        return ""
    return f"COMMENT ON COLUMN {table}.executed_by IS {literal(f'dbmigrate: migrated by {owner}')}"


def require_writable(schema: str, log: str, shape: LogShape) -> None:
    """Raise MigrationError (ForeignHistory) where no row of dbmigrate could be appended."""
    table = f"{schema}.{log}"
    quoted = f"{identifier(schema)}.{identifier(log)}"
    if shape.unfilled:
        columns = ", ".join(shape.unfilled)
        drops = ", ".join(f"ALTER {identifier(each)} DROP NOT NULL" for each in shape.unfilled)
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"dbmigrate's log {table} can't be written: its column {columns} must have a value,"
            " and dbmigrate has none for it. No migration file is at fault, and none was run",
            hint=f"ALTER TABLE {quoted} {drops}; or give the column a default",
        )
    missing = [name for name in ADDED if name not in shape.columns]
    if missing and not shape.may_alter:
        adds = ", ".join(f"ADD COLUMN {name} {COLUMNS[name]}" for name in missing)
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"dbmigrate's log {table} is of an older dbmigrate (shape {shape.number}), and this"
            " role may not alter it",
            hint=f"let its owner run dbmigrate once, or: ALTER TABLE {quoted} {adds}",
        )


def _with(shape: LogShape, number: int | None, problem: MigrationError | None) -> LogShape:
    return replace(shape, number=number, problem=problem)


def _by_columns(found: Collection[str]) -> int:
    """The number of a shape that has no comment: indexes aside, it is the columns that tell."""
    newest = max(ADDED.values())
    fitting = [
        number
        for number in range(1, newest + 1)
        if all((name in found) == (since <= number) for name, since in ADDED.items())
    ]
    return fitting[0] if fitting else newest


def _fills(column: str) -> bool:
    """Whether every row of dbmigrate has a value there."""
    declared = COLUMNS.get(column, "")
    return "NOT NULL" in declared or "IDENTITY" in declared


def _key(found: Mapping[str, LogColumn], columns: Iterable[str]) -> str:
    return " ".join(found[name].number if name in found else "" for name in columns)


def _index(columns: tuple[str, ...]) -> str:
    return f"{', '.join(columns[:-1])}, {columns[-1]} DESC"


def _type(column: str, version_type: str) -> str:
    declared = COLUMNS[column].format(version=version_type).split()[0]
    return _NAMES.get(declared, declared)


def _has_type(column: LogColumn, version_type: str) -> bool:
    if column.name not in COLUMNS:
        return True
    wanted = _type(column.name, version_type)
    alike = {"text": ("character varying",), "integer": ("bigint",)}.get(wanted, ())
    return column.type == wanted or column.type in alike


def _too_new(table: str, number: int, since: int) -> MigrationError:
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"dbmigrate's log {table} has shape {number}, of a newer dbmigrate: it can be read since"
        f" shape {since}, and this version knows shape {SHAPE}",
        hint="run the newer dbmigrate, or one that knows that shape",
    )


def _incomplete(
    table: str, missing: list[str], found: Mapping[str, LogColumn], version_type: str
) -> MigrationError:
    names = ", ".join(missing)
    if len(missing) > len(COLUMNS) // 2:
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{table} is not dbmigrate's log: it has no column {names}",
            hint="rename that table: dbmigrate keeps its log under this name",
        )
    renamed = _renamed(missing, found, version_type)
    if renamed:
        now = ", ".join(column.name for column in renamed.values())
        hint = "; ".join(
            f"ALTER TABLE {table} RENAME COLUMN {identifier(column.name)} TO {name}"
            for name, column in renamed.items()
        )
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"dbmigrate's log {table} was changed by another hand: it has no column {names} any"
            f" more, and {now} in {'their' if len(missing) > 1 else 'its'} place",
            hint=f"give it its name back: {hint}",
        )
    lost = [name for name in missing if name in _MEANINGFUL]
    if lost:
        hint = (
            f"put {'it' if len(missing) == 1 else 'them'} back from a backup; or rename the table:"
            " a new log then begins at the version that the version table has, without the"
            " checksums and down scripts of the old one: a version whose down file is missing is"
            " then undone by its number alone"
        )
    else:
        adds = ", ".join(
            f"ADD COLUMN {name} {_declaration(name, version_type)}" for name in missing
        )
        hint = f"put back what was dropped: ALTER TABLE {table} {adds}"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"dbmigrate's log {table} was changed by another hand: it has no column {names} any more",
        hint=hint,
    )


def _renamed(
    missing: list[str], found: Mapping[str, LogColumn], version_type: str
) -> dict[str, LogColumn]:
    """The columns that the missing ones are under another name; empty where one of them is not
    among those that are there.

    A column keeps its number when it is renamed. One that is dropped leaves a gap in the numbers,
    and one that is added gets the next.
    """
    numbers = {int(column.number) for column in found.values()}
    unknown = [column for column in found.values() if column.name not in COLUMNS]
    renamed = {}
    for place, name in enumerate(COLUMNS, start=1):
        if name not in missing:
            continue
        for column in unknown:
            number = int(column.number)
            # The last two stand the other way round where an older dbmigrate has made the table.
            is_there = abs(number - place) <= 1 and numbers.issuperset(range(1, number))
            if is_there and column.type == _type(name, version_type):
                renamed[name] = column
                unknown.remove(column)
                break
        else:
            return {}
    return renamed


def _declaration(column: str, version_type: str) -> str:
    """With a value for the rows that are there, where there must be one."""
    declared = COLUMNS[column].format(version=version_type)
    if "NOT NULL" not in declared or "DEFAULT" in declared:
        return declared
    return f"{declared} DEFAULT {'now()' if declared.startswith('timestamptz') else literal('')}"


def _other_type(table: str, column: LogColumn, version_type: str) -> MigrationError:
    wanted = _type(column.name, version_type)
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"dbmigrate's log {table} was changed by another hand: its column {column.name} has the"
        f" type {column.type}, not {wanted}",
        hint=f"ALTER TABLE {table} ALTER COLUMN {column.name} TYPE {wanted}"
        f" USING {column.name}::{wanted}",
    )
