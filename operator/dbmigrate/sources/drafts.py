"""Generated migrations: their versions, files and texts.

A draft is what a migration should do, statement by statement, in both directions.
Its files are numbered like those beside them, and written in their tool's format:
two files for golang-migrate, one with annotations for goose and dbmate. A script
whose statements cannot be one transaction says so, where the tool needs
that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.golang_migrate import LARGEST_VERSION
from dbmigrate.sources.migration import Direction, Format
from dbmigrate.sources.new_files import (
    DEFAULT_DIGITS,
    DEFAULT_TIME_FORMAT,
    flyway_versions,
    list_names,
    version_of_time,
)

_LEAST_DIGITS = {Format.GOOSE: 5, Format.FLYWAY: 1}
"""What goose's own `create -s` writes, and what Flyway's users do."""
NO_TRANSACTION = "-- dbmigrate:no-transaction\n"
_VERSION = re.compile("[0-9]+", re.ASCII)
_FILE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_TIMES = {14: DEFAULT_TIME_FORMAT, 10: "unix", 19: "unixNano"}
"""The time format of a version with that many digits."""
_SHORTEST_TIME = 10


@dataclass(frozen=True, slots=True)
class Text:
    """What runs in one direction."""

    statements: tuple[str, ...]
    """Without a semicolon at the end; a comment may stand above."""
    is_transaction: bool = True
    """Whether they can be one transaction."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration that is not written yet."""

    name: str
    up: Text
    down: Text


def next_versions(
    directory: Path, count: int, *, wanted: Format, seq: bool | None, now: datetime
) -> list[str]:
    """The versions of the next migrations in a directory, as their files' names write them.

    `seq` None: sequential where the highest version that is there is, else by time.
    Raises MigrationError (SourceInvalid).
    """
    if wanted is Format.FLYWAY:
        existing = [str(version.order[0]) for version in flyway_versions(directory)]
    else:
        names = [each for each in list_names(directory) if each.endswith(".sql")]
        existing = [match[0] for match in map(_VERSION.match, names) if match]
    highest = max(existing, key=int, default="")
    if seq or (seq is None and 0 < len(highest) < _SHORTEST_TIME):
        least = _LEAST_DIGITS.get(wanted, DEFAULT_DIGITS)
        digits, first = len(highest) or least, int(highest or 0) + 1
        numbers = [str(first + index).zfill(digits) for index in range(count)]
        goes_by_names = wanted in (Format.DBMATE, Format.ATLAS)
        if goes_by_names and highest and len(numbers[-1]) > digits:
            raise _refused(
                f"{wanted} goes by names and would run version {numbers[-1]} before {highest};"
                " give all versions the same number of digits"
            )
        return numbers
    form = _TIMES.get(len(highest), DEFAULT_TIME_FORMAT)
    versions: list[str] = []
    moment, last = now.astimezone(UTC), int(highest or 0)
    for _ in range(count):
        # The clock of an earlier author may have been ahead: the new version has to be higher.
        last = max(int(version_of_time(moment, form)), last + 1)
        versions.append(str(last))
        moment += timedelta(seconds=1)
    if last > LARGEST_VERSION:
        raise _refused(f"no version is left above {highest}")
    return versions


def check_name(name: str) -> str:
    """A name that can be part of a file's name in every format. Raises MigrationError."""
    if not _FILE_WORD.fullmatch(name):
        raise _refused(
            f"malformed migration name: {name!r}: choose one of letters, digits and underscores"
        )
    return name


def write_draft(draft: Draft, version: str, wanted: Format) -> Mapping[str, str]:
    """The files of a migration: their names and texts, that of the up script first.

    Raises MigrationError (SourceInvalid) for a format in which files cannot be written.
    """
    stem = f"{version}_{draft.name}"
    if wanted is Format.GOLANG_MIGRATE:
        return {
            f"{stem}.{direction}.sql": _as_golang_migrate(text)
            for direction, text in ((Direction.UP, draft.up), (Direction.DOWN, draft.down))
        }
    if wanted is Format.GOOSE:
        return {f"{stem}.sql": _as_goose(draft)}
    if wanted is Format.DBMATE:
        return {f"{stem}.sql": _as_dbmate(draft)}
    if wanted is Format.ATLAS:
        return {f"{stem}.sql": _as_atlas(draft.up)}
    if wanted is Format.FLYWAY:
        return dict(
            pair
            for prefix, text in (("V", draft.up), ("U", draft.down))
            for pair in _as_flyway(f"{prefix}{version}__{draft.name}.sql", text)
        )
    raise _refused(f"new migrations of {wanted}'s can't be written")


def _as_flyway(name: str, text: Text) -> Iterator[tuple[str, str]]:
    """A script, and Flyway's settings for it."""
    sql = _join(text.statements)
    settings = []
    if not text.is_transaction:
        settings.append("executeInTransaction=false\n")
    if "${" in sql:
        settings.append("placeholderReplacement=false\n")
    yield name, ("" if text.is_transaction else NO_TRANSACTION) + sql
    if settings:
        yield f"{name}.conf", "".join(settings)


def _as_golang_migrate(text: Text) -> str:
    """A single statement that cannot be in a transaction needs no directive."""
    is_marked = not text.is_transaction and len(text.statements) > 1
    return (NO_TRANSACTION if is_marked else "") + _join(text.statements)


def _as_goose(draft: Draft) -> str:
    """NO TRANSACTION applies to the whole file there."""
    is_transaction = draft.up.is_transaction and draft.down.is_transaction
    head = "" if is_transaction else "-- +goose NO TRANSACTION\n"
    up, down = (
        _join([_fence(statement) for statement in text.statements], end="")
        for text in (draft.up, draft.down)
    )
    return f"{head}-- +goose Up\n{up}\n-- +goose Down\n{down}"


def _fence(statement: str) -> str:
    """goose ends a statement at any semicolon that ends a line, except between these."""
    if ";" not in statement:
        return f"{statement};"
    return f"-- +goose StatementBegin\n{statement};\n-- +goose StatementEnd"


def _as_dbmate(draft: Draft) -> str:
    up, down = (
        f"-- migrate:{direction}{'' if text.is_transaction else ' transaction:false'}\n"
        f"{_join(text.statements)}"
        for direction, text in ((Direction.UP, draft.up), (Direction.DOWN, draft.down))
    )
    return f"{up}\n{down}"


def _as_atlas(up: Text) -> str:
    """Its files have no down scripts."""
    return ("" if up.is_transaction else "-- atlas:txmode none\n\n") + _join(up.statements)


def _join(statements: Sequence[str], end: str = ";") -> str:
    return "".join(f"{statement}{end}\n" for statement in statements)


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
