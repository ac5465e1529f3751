"""`squash -to V`: replace the files up to a version by one, proven to make the same schema.

The file says which versions it replaces. A database at or above V passes over it, an empty
one begins with it, one in between needs the old files, which are moved to an archive.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.diffing.own_path import require_plain_path
from dbmigrate.runner.diffing.squashed_file import archive_files, write_squashed
from dbmigrate.runner.diffing.squashed_schema import make_squashed
from dbmigrate.runner.perform import make_report
from dbmigrate.runner.planning.plan import no_target
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.drafts import check_name
from dbmigrate.sources.formats import SUM_FILE, read_source
from dbmigrate.sources.migration import Format, Migration, Source
from dbmigrate.sources.squashed import Generations, head_of, list_of
from dbmigrate.versions import Version

_DATA = frozenset(
    ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "WITH", "SELECT", "DO", "CALL", "TRUNCATE")
)
"""First words of statements that may change rows."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SquashOrder:
    """What is to be replaced, and how."""

    version: Version
    name: str
    archive: Path | None = None
    """Where the replaced files go; None: a directory in the one that they are in."""
    keeps_data: bool | None = None
    """Whether the rows that they leave become a part of the file; None: they may leave none."""
    server: ConnectionTarget | None = None
    """Where scratch databases may be created; None: on a server of our own."""
    database: ConnectionTarget | None = None
    """A database that the files migrate; None: none is named."""


@dataclass(frozen=True, slots=True)
class Squash:
    """What was written."""

    file: Path
    replaced: tuple[str, ...]
    """The files that it replaces."""
    archive: Path | None
    """Where they are now; None: where they were."""
    data_files: tuple[str, ...] = ()
    """Those of them with statements that may change rows."""
    filled: tuple[str, ...] = ()
    """The tables whose rows they leave in an empty database."""
    has_sum: bool = False
    """An atlas.sum lies next to them and no longer matches."""


def squash(request: Request, order: SquashOrder) -> Result[Squash]:
    """Write the file and archive those that it replaces. Errors: SourceInvalid,
    MissingVersion, and those of the files."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    done: Squash | None = None
    error = None
    try:
        done = _squash(request, order)
    except MigrationError as raised:
        error = raised
    report = make_report(
        request,
        Outcome.UP_TO_DATE if error is None else Outcome.FAILED,
        started_at=started_at,
        seconds=time.monotonic() - started,
        error=error,
    )
    return Result(report, done, error)


def _squash(request: Request, order: SquashOrder) -> Squash:
    source = request.source
    if source is None:
        raise _refused("this command needs the migration files")
    old, last = _replaced(source, order)
    require_plain_path(order.database, request.observer)
    directory = Path(source.location)
    archive = order.archive
    if archive is None and source.format is not Format.FLYWAY:
        archive = directory / f"archive-{last.text or last.version}"
    files = _files(old)
    data_files = tuple(dict.fromkeys(m.up.file for m in old if m.up and _may_change_rows(m)))
    low = old[0].replaces[0] if old[0].replaces else old[0].version
    lists = _lists(source, old)
    is_marked = source.format is not Format.FLYWAY
    head = head_of(low, last.version, lists) if is_marked else list_of(lists)

    with tempfile.TemporaryDirectory(prefix="dbmigrate-squash-") as scratch:

        def load(sql: bytes) -> Source:
            texts = write_squashed(source.format, last, order.name, head, sql)
            for name, text in texts.items():
                (Path(scratch) / name).write_bytes(text)
            return read_source(scratch, source.format, {})

        made = make_squashed(
            request,
            replace(source, migrations=old, repeatables=(), archive=None),
            load,
            order.server,
            keeps=order.keeps_data is True,
        )
    if made.filled and order.keeps_data is None:
        raise _has_data(made.filled, data_files)
    texts = write_squashed(source.format, last, order.name, head, made.sql)
    archive_files(directory, files, archive, texts)
    return Squash(
        file=directory / next(iter(texts)),
        replaced=files,
        archive=archive,
        data_files=data_files,
        filled=made.filled,
        has_sum=(directory / SUM_FILE).exists(),
    )


def _replaced(source: Source, order: SquashOrder) -> tuple[tuple[Migration, ...], Migration]:
    check_name(order.name)
    if source.format is Format.ATLAS:
        raise _refused(
            "Atlas's files are not squashed: a checkpoint replaces the files below it",
            hint="`atlas migrate checkpoint` writes one, and dbmigrate starts a new database there",
        )
    last = source.find(order.version)
    if last is None:
        raise no_target(order.version, source)
    old = tuple(each for each in source.migrations if each.version <= order.version)
    if len(old) < 2:
        raise _refused(
            f"there is nothing to squash: {source.location} has one migration up to {order.version}"
        )
    return old, last


def _lists(source: Source, old: tuple[Migration, ...]) -> Generations:
    """The versions that had files, those of earlier squashed files first."""
    earlier = source.squash_lists
    known = {version for versions in earlier for version in versions}
    return (*earlier, tuple(each.version for each in old if each.version not in known))


def _files(migrations: tuple[Migration, ...]) -> tuple[str, ...]:
    scripts = (script for each in migrations for script in (each.up, each.down) if script)
    return tuple(dict.fromkeys(script.path or script.file for script in scripts))


def _may_change_rows(migration: Migration) -> bool:
    if migration.up is None:
        return False
    try:
        statements = [*split(migration.up.load(), file=migration.up.file)]
    except MigrationError:
        return True  # what can't be read may do anything
    return any(statement.words[:1] and statement.words[0] in _DATA for statement in statements)


def _has_data(filled: tuple[str, ...], files: tuple[str, ...]) -> MigrationError:
    where = f", by {_listed(files)}" if files else ""
    return _refused(
        f"the files insert rows into an empty database{where}: into {_listed(filled)}",
        hint="-data keep writes those rows into the squashed file, -data leave omits them;"
        " nothing was written",
    )


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _refused(message: str, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, hint=hint)
