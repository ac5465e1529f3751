"""`adopt`: take over the history of another tool in golang-migrate's form.

The other tool's table says which versions are applied, golang-migrate's has one number: both mean
the same only if no version below the highest was left out, so this is checked first. The other
tool's table is not changed, and a note in dbmigrate's log says that it was taken over. If its tool
is run again afterwards, it runs on a table that does not know the later versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.advisory_locks import lock_ids
from dbmigrate.postgres.history.foreign.hidden import require_no_other
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.history.tables import look
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.plan import no_migration
from dbmigrate.runner.planning.up import out_of_order_migrations
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version

Numbers = Mapping[Version, Version]
"""The other tool's versions by our numbers, where they are not the same; else empty."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was, or would be, taken over."""

    tool: str
    table: str
    """The other tool's."""
    applied: tuple[Version, ...]
    into: str
    """Our table."""
    version: Version
    """The version of dbmigrate's table afterwards: the number of the last one."""


def examine(request: Request, into: HistoryTable, numbers: Numbers) -> Result[Adoption]:
    """What `adopt` would do. The request's history is the other tool's. Changes nothing.

    `numbers`: the other tool's versions, by the versions that `convert` has given them.
    """
    return perform(
        _theirs(request, numbers), lambda run: _examine(run, into, numbers), is_locked=False
    )


def adopt(
    request: Request, into: HistoryTable, numbers: Numbers, expected: Adoption
) -> Result[None]:
    """Do what was examined. Errors: those of `examine`, and a change since the examination."""

    def work(run: Run) -> None:
        database = run.database
        other = _look(database.session, into)
        ids = lock_ids(other.schema, other.table, database.name, request.target.url_database)
        database.wait_for(ids)
        if _examine(run, into, numbers) != expected:
            raise MigrationError(
                Reason.LOCK_TIMEOUT, "the history was changed by another session: run it again"
            )
        theirs = database.history
        database.switch_to(into)
        run.request = request  # from here on the files have golang-migrate's numbers
        set_version(run, "baseline", expected.version, adopted=(theirs,))

    return perform(_theirs(request, numbers), work)


def _look(session: Session, into: HistoryTable) -> History:
    found = look(session, into).history
    if into.schema is None and not found.has_log_table:
        require_no_other(session, found)
    return found


def _theirs(request: Request, numbers: Numbers) -> Request:
    """The files under the versions that the other tool knows them by."""
    source = request.source
    if source is None or not numbers:
        return request
    unknown = [m for m in source.migrations if m.version not in numbers]
    if unknown:
        raise no_migration(unknown[0].version)
    renamed = (replace(m, version=numbers[m.version]) for m in source.migrations)
    return replace(request, source=replace(source, migrations=tuple(renamed)))


def _examine(run: Run, into: HistoryTable, numbers: Numbers) -> Adoption:
    run.require_clean()
    database, history = run.database, run.database.history
    applied = database.applied.recorded
    name = f"{history.schema}.{history.table}"
    tool = adapter_for(history.kind).tool
    if not history.has_version_table:
        raise _no_table(run, tool, name)
    if not applied:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"there is nothing to adopt: {tool}'s {name} has no version",
            hint="if nothing was applied, `dbmigrate up` starts a history",
        )
    late = out_of_order_migrations(run.inputs)
    if late:
        raise MigrationError(
            Reason.OUT_OF_ORDER,
            f"{tool} has left out {late[0].version} ({late[0].name}) below version {applied[-1]}:"
            " one number can't represent that",
            hint=f"apply it with {tool} first, or give it a version above",
        )
    if run.source.find(applied[-1]) is None:
        raise no_migration(applied[-1], source=run.source)
    other = _look(database.session, into)
    if other.has_version_table:
        rows = [
            database.on_history(other.guarded_reading(adapter_for(other.kind).read_sql(other)))[0]
        ]
        if adapter_for(other.kind).take(rows, other).version is not None:
            raise MigrationError(
                Reason.FOREIGN_HISTORY,
                f"{other.schema}.{other.table} has a version already: nothing was adopted",
                hint="`dbmigrate up` continues from it; `dbmigrate status` shows it",
            )
    ours = {theirs: number for number, theirs in numbers.items()}
    version = ours.get(applied[-1], applied[-1])
    return Adoption(tool, name, applied, f"{other.schema}.{other.table}", version)


def _no_table(run: Run, tool: str, name: str) -> MigrationError:
    """The table with its schema, if it has one: mostly it is the search path that differs."""
    table = run.database.history.table
    rows = run.database.session.query(
        "SELECT n.nspname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relname = {literal(table)} AND c.relkind IN ('r', 'p') ORDER BY 1"
    )[0]
    found = [f"{row[0]}.{table}" for row in rows]
    hint = "name its table with -from-table; if nothing was applied, `dbmigrate up` starts one"
    if found:
        hint = f"there is {' and '.join(found)}: -from-table {found[0]}"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"there is nothing to adopt: {tool}'s {name} does not exist",
        hint=hint,
    )
