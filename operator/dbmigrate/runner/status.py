"""`status`: every migration, by what the files and the history say of it together.

Reads, locks nothing and writes nothing. A role that may not read the log still
gets the answer that schema_migrations alone can give.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.postgres.history_rows import LogRow
from dbmigrate.runner.changes import changed_migrations
from dbmigrate.runner.request import OutOfOrder, Request
from dbmigrate.runner.result import MigrationState, Result, StatusRow, StatusTable
from dbmigrate.runner.run import Run, perform
from dbmigrate.sources.migration import Migration, Source

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
    unfinished = run.unfinished
    if found.dirty and unfinished is None:
        applied.settle(found.version)
    versions = {*source.versions, *applied.recorded}
    versions.update(v for v in (found.version, found.dirty_version) if v is not None)
    if unfinished is not None and unfinished.row.version is not None:
        versions.add(unfinished.row.version)
    changed = {m.version for m in changed_migrations(source, applied)}
    rows = tuple(
        _row(run, version, source.find(version), is_changed=version in changed)
        for version in sorted(versions)
    )
    pending = {MigrationState.PENDING, MigrationState.OUT_OF_ORDER}
    if run.request.options.out_of_order is OutOfOrder.IGNORE:
        pending.remove(MigrationState.OUT_OF_ORDER)
    run.target = source.latest
    return StatusTable(
        state=run.state,
        target=source.latest,
        rows=rows,
        pending=sum(row.state in pending for row in rows),
        unfinished=None if unfinished is None else str(unfinished),
    )


def _row(run: Run, version: int, migration: Migration | None, *, is_changed: bool) -> StatusRow:
    entry = run.database.applied.row(version)
    name = migration.name if migration else entry.name if entry else ""
    row = StatusRow(version, name, _state(run, version, migration), changed=is_changed)
    if entry is None:
        return replace(row, applied_at=run.database.applied.applied_at(version))
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


def _state(run: Run, version: int, migration: Migration | None) -> MigrationState:
    found = run.database.found
    here = found.version
    unfinished = run.unfinished
    if unfinished is not None and version == unfinished.row.version:
        return MigrationState.UNFINISHED
    if unfinished is None and version == found.dirty_version:
        return MigrationState.DIRTY
    if here is None or version > here:
        return MigrationState.PENDING
    if not run.database.applied.covers(version):
        return MigrationState.OUT_OF_ORDER
    return MigrationState.MISSING if migration is None else MigrationState.APPLIED
