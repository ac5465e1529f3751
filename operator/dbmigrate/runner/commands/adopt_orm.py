"""`adopt -from alembic|django|rails|prisma`: continue from where an ORM has left a database.

The ORM's migrations are not converted: the adoption records that the schema is at a
certain point. A migration stands for that point: one that is named, a new file with the
schema, or, because Prisma's migrations are SQL and `convert` makes files of them, the
same migration. Nothing is run on the database, and the ORM's tables are only
read.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.policies import ChangedFiles
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.orm_history import Orm, OrmHistory, PrismaMigration
from dbmigrate.postgres.history.orm_table import OrmTable, find_table
from dbmigrate.report import Reason
from dbmigrate.runner.diffing.baseline_file import (
    SchemaFile,
    SchemaFileOrder,
    check_place,
    make_schema_file,
    read_schema,
)
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.plan import no_target
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.sources.prisma import parse_folder
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class OrmOrder:
    """The history to adopt, and the migration that replaces it."""

    orm: Orm
    table: HistoryTable
    version: int | None = None
    """The migration that replaces it; None: Prisma's own, or the file's."""
    file: SchemaFileOrder | None = None
    """The file to write for it."""


@dataclass(frozen=True, slots=True)
class OrmAdoption:
    """What was, or would be, taken over."""

    history: OrmHistory
    into: str
    """Our table."""
    version: Version
    """What it says then."""
    file: SchemaFile | None = None


def examine_orm(request: Request, order: OrmOrder) -> Result[OrmAdoption]:
    """What `adopt_orm` would do. Changes nothing.

    Errors: ForeignHistory where there is nothing to take over, or a version already;
    Dirty; MissingVersion; ChecksumMismatch; SourceInvalid where no file can be made.
    """
    return perform(request, lambda run: _examine(run, order), is_locked=False)


def adopt_orm(request: Request, order: OrmOrder, expected: OrmAdoption) -> Result[None]:
    """Do what was examined. Errors: those of `examine_orm`, and a change since then."""

    def work(run: Run) -> None:
        table = _find(run, order)
        ids = table.lock_ids(run.database.name)
        if ids:
            run.database.wait_for(ids)
        if table.read(run.database.session) != expected.history:
            raise _changed("the history")
        run.target = expected.version
        if expected.file is not None and order.file is not None:
            if read_schema(run, order.file, _tables(table)) != expected.file.catalog:
                raise _changed("the schema")
            check_place(order.file)
            expected.file.write()
        try:
            set_version(run, "baseline", expected.version)
        except (MigrationError, ServerFailure):
            # A lost connection is not an answer: the file is kept, because it may be applied.
            if expected.file is not None:
                expected.file.remove()
            raise

    return perform(request, work)


def _examine(run: Run, order: OrmOrder) -> OrmAdoption:
    table = _find(run, order)
    history = table.read(run.database.session)
    into = f"{run.database.history.schema}.{run.database.history.table}"
    if order.file is not None:
        check_place(order.file)
        head = [f"The schema as {order.orm.label} has left it:", *history.lines]
        head.append("The rows that its migrations have inserted are not in it.")
        file = make_schema_file(run, order.file, without=_tables(table), head=head)
        return OrmAdoption(history, into, order.file.version, file)
    if order.version is not None:
        if run.source.find(order.version) is None:
            raise no_target(order.version, run.source)
        return OrmAdoption(history, into, order.version)
    return OrmAdoption(history, into, _match(run, history.migrations))


def _find(run: Run, order: OrmOrder) -> OrmTable:
    run.require_clean()
    ours = run.database.history
    if run.database.found.version is not None:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{ours.schema}.{ours.table} has a version already: nothing was adopted",
            hint="`dbmigrate up` continues from it; `dbmigrate status` shows it",
        )
    return find_table(run.database.session, order.orm, order.table)


def _tables(table: OrmTable) -> list[tuple[str, str]]:
    return [(table.schema, name) for name in table.names]


def _match(run: Run, applied: tuple[PrismaMigration, ...]) -> Version:
    """The version of the newest of Prisma's migrations, if exactly those up to it are applied."""
    source = run.source
    versions = {_version_in(source, migration): migration for migration in applied}
    highest = max(versions)
    late = [m for m in source.migrations if m.version < highest and m.version not in versions]
    if late:
        raise MigrationError(
            Reason.OUT_OF_ORDER,
            f"Prisma has left out {late[0].version} ({late[0].name}) below {highest}:"
            " one number can't represent that",
            hint="apply it with Prisma first, or give it a version above",
        )
    pairs = ((source.find(version), migration) for version, migration in versions.items())
    edited = [m.up.file for m, theirs in pairs if m and m.up and not theirs.matches(m.up.load())]
    if edited:
        _refuse_edited(run, edited)
    return highest


def _version_in(source: Source, migration: PrismaMigration) -> Version:
    folder = parse_folder(migration.name)
    found: Migration | None = None if folder is None else source.find(folder[0])
    if folder is None or found is None or found.name != folder[1]:
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"Prisma has applied {migration.name}, and {source.location} has no such migration",
            hint="`dbmigrate -path prisma/migrations convert DIR` writes the files of all of them;"
            " then name DIR with -path",
        )
    return found.version


def _refuse_edited(run: Run, files: list[str]) -> None:
    message = f"changed after Prisma has applied them: {', '.join(files)}"
    if run.request.options.changed_files is ChangedFiles.REJECT:
        raise MigrationError(
            Reason.CHECKSUM_MISMATCH,
            message,
            hint="bring the files back, or run with -changed-files warn",
        )
    run.request.observer.notice(Notice("WARNING", message))


def _changed(what: str) -> MigrationError:
    return MigrationError(Reason.LOCK_TIMEOUT, f"{what} was changed by another session: look again")
