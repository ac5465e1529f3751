"""`status`: every migration in the files or in the history, with its state.

Reads only; takes no lock. A role that may not read the log still gets what
schema_migrations alone can say.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.answers import MigrationState, StatusRow, StatusTable
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.squashed import is_replaced
from dbmigrate.runner.planning.up import out_of_order_migrations
from dbmigrate.runner.preparation.edited_files import changed_migrations
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import Version

CHANGED_LIMIT = 5
"""Edited files that the report names: it has to fit into a termination message."""


def status(request: Request) -> Result[StatusTable]:
    """The table of all migrations that the source or the log knows."""
    found = perform(request, _status, is_locked=False)
    if found.value is None or request.source is None:
        return found
    edited = (request.source.find(row.version) for row in found.value.rows if row.changed)
    files = tuple(migration.up.file for migration in edited if migration and migration.up)
    return replace(found, report=replace(found.report, changed=files[:CHANGED_LIMIT]))


def _status(run: Run) -> StatusTable:
    source = run.request.source or Source("", ())
    applied = run.database.applied
    found = run.database.found
    if found.version is None:
        from dbmigrate.runner.preparation.other_history import warn_of_other_tools

        warn_of_other_tools(run)
    if found.stored is None or run.database.successor is not None:
        from dbmigrate.runner.preparation.lost_history import warn_of_history

        warn_of_history(run)
    unfinished = run.unfinished
    if found.dirty and unfinished is None:
        applied.settle(found.version)
    versions = {*source.versions, *applied.recorded}
    versions.update(v for v in (found.version, found.dirty_version) if v is not None)
    if unfinished is not None:
        versions.add(unfinished.version)
    start = source.checkpoint(None) if found.version is None else None
    known = {version: source.find(version) for version in versions}
    if start is not None:
        known[start.version] = start
    for migration in out_of_order_migrations(run.inputs) if source.squash_lists else ():
        known.setdefault(migration.version, migration)
    for migration in source.lacking:
        known.setdefault(migration.version, migration)
    changed = {m.version for m in changed_migrations(source, applied)}
    rows = (
        *(
            _row(run, version, known[version], start, is_changed=version in changed)
            for version in sorted(known)
        ),
        *(_repeatable_row(run, migration) for migration in source.repeatables),
    )
    pending = {MigrationState.PENDING, MigrationState.OUT_OF_ORDER}
    if run.request.options.out_of_order is OutOfOrder.IGNORE:
        pending.remove(MigrationState.OUT_OF_ORDER)
    run.target = source.latest_from(found.version)
    return StatusTable(
        state=run.state,
        target=run.target,
        rows=rows,
        pending=sum(row.state in pending for row in rows),
        unfinished=None if unfinished is None else str(unfinished),
    )


def _row(
    run: Run,
    version: Version,
    migration: Migration | None,
    start: Migration | None,
    *,
    is_changed: bool,
) -> StatusRow:
    entry = run.database.applied.row(version)
    name = migration.name if migration else entry.name if entry else ""
    state = _state(run, version, migration)
    if state is MigrationState.PENDING and start is not None and version < start.version:
        state = MigrationState.SKIPPED
    return _with_history(run, StatusRow(version, name, state, changed=is_changed))


def _repeatable_row(run: Run, migration: Migration) -> StatusRow:
    """One that has run and has changed since is pending and changed."""
    applied = run.database.applied
    is_current = applied.is_current(migration)
    state = MigrationState.APPLIED if is_current else MigrationState.PENDING
    row = _with_history(run, StatusRow(migration.version, migration.name, state))
    return replace(row, changed=not is_current and row.applied_at is not None)


def _with_history(run: Run, row: StatusRow) -> StatusRow:
    entry = run.database.applied.row(row.version)
    if entry is None:
        return replace(row, applied_at=run.database.applied.applied_at(row.version))
    return _with_entry(row, entry)


def _with_entry(row: StatusRow, entry: LogRow) -> StatusRow:
    return StatusRow(
        row.version,
        row.name,
        row.state,
        changed=row.changed,
        recorded=True,
        applied_at=entry.finished_at,
        milliseconds=entry.milliseconds,
        applied_by=entry.executed_by,
    )


def _state(run: Run, version: Version, migration: Migration | None) -> MigrationState:
    found = run.database.found
    here = found.version
    unfinished = run.unfinished
    if unfinished is not None and version == unfinished.version:
        return MigrationState.UNFINISHED
    if unfinished is None and version == found.dirty_version:
        return MigrationState.DIRTY
    if here is None or version > here:
        return MigrationState.PENDING
    if not run.database.applied.covers(version):
        return MigrationState.OUT_OF_ORDER
    if _is_replaced(run, version):
        return MigrationState.SKIPPED
    source = run.request.source
    if migration is None and source is not None and is_replaced(source, version, here):
        return MigrationState.REPLACED
    is_missing = migration is None and run.database.applied.needs_file(version)
    return MigrationState.MISSING if is_missing else MigrationState.APPLIED


def _is_replaced(run: Run, version: Version) -> bool:
    """Whether a checkpoint above it has run in its place."""
    checkpoints = run.request.source.checkpoints if run.request.source else ()
    if not checkpoints:
        return False
    recorded = set(run.database.applied.recorded)
    return version not in recorded and any(
        each.version in recorded and version < each.version for each in checkpoints
    )
