"""`verify`: compare the files with the history.

Finds what would be unexpected in the next run, or in a new database made from the
same files. Reads only; takes no lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.answers import VerifyFinding
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.plan import no_files
from dbmigrate.runner.planning.up import out_of_order_migrations
from dbmigrate.runner.preparation.edited_files import (
    changed_migrations,
    describe_change,
    missing_kind,
    missing_versions,
)
from dbmigrate.runner.preparation.lost_history import find_loss
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import REPEATABLE, Version, name_of


def verify(request: Request) -> Result[tuple[VerifyFinding, ...]]:
    """All findings; none means that files and history agree.

    Raises MigrationError (SourceInvalid) where there are neither files nor a history: most
    often the directory is mistaken, and an empty result would look like a passed
    check.
    """

    def work(run: Run) -> tuple[VerifyFinding, ...]:
        ignored = request.options.ignored
        found = tuple(each for each in _findings(run) if _kind_of(each) not in ignored)
        if not found and run.source.is_empty:
            raise no_files(run.source)
        return found

    return perform(request, work, is_locked=False)


def _kind_of(finding: VerifyFinding) -> str:
    """The kind of a finding, also for repeatable migrations."""
    is_repeatable = str(finding.version) == REPEATABLE
    return f"{finding.kind} repeatable" if is_repeatable else finding.kind


def _findings(run: Run) -> Iterator[VerifyFinding]:
    yield from _dirty(run)
    if (successor := run.database.successor) is not None:
        message = f"{successor.table}, a history of {successor.format}'s files, counts in its place"
        yield VerifyFinding(None, "taken over", message)
    if run.database.found.stored is None and (loss := find_loss(run)) is not None:
        yield VerifyFinding(None, "lost", loss.message)
    yield from _gap(run)
    source, applied = run.source, run.database.applied
    for migration in changed_migrations(source, applied):
        yield VerifyFinding(migration.version, "changed", describe_change(migration, applied))
    for version in missing_versions(source, applied):
        is_future = applied.validates_files and missing_kind(source, version) == "future"
        kind = "future" if is_future else "missing"
        text = _describe_missing(version, applied.row(version))
        if source.stands_for(version):
            text += f"; {source.squash_file} has replaced it, for databases at {source.squash_end}"
        yield VerifyFinding(version, kind, text)
    for migration in source.repeatables:
        if migration.version in applied.repeated and not applied.is_current(migration):
            message = f"{name_of(migration.version)!r} was edited since it ran, and will run again"
            yield VerifyFinding(migration.version, "outdated", message)
    for migration in out_of_order_migrations(run.inputs):
        message = (
            f"version {migration.version} ({migration.name}) is below the database's"
            f" {applied.version} and was never applied"
        )
        yield VerifyFinding(migration.version, "out of order", message)


def _describe_missing(version: Version, row: LogRow | None) -> str:
    if str(version) == REPEATABLE:
        return f"{name_of(version)!r} has run, and would again, but has no file"
    name = f" ({row.name})" if row else ""
    kept = ", its down script is in the history" if row and row.has_down else ""
    return f"version {version}{name} is applied, but has no file{kept}"


def _dirty(run: Run) -> Iterator[VerifyFinding]:
    found = run.database.found
    if run.unfinished is not None:
        yield VerifyFinding(run.unfinished.version, "dirty", str(run.unfinished))
        return
    if found.dirty:
        yield VerifyFinding(found.dirty_version, "dirty", f"version {found.stored} is dirty")
        run.database.applied.settle(found.version)
        return
    unfinished = [row for row in run.database.log if row.outcome == "running"]
    if unfinished and adapter_for(run.database.history.kind).stores_dirty:
        row = unfinished[-1]
        message = f"the log has an unfinished step of version {row.version}, yet nothing is dirty"
        yield VerifyFinding(row.version, "log", message)


def _gap(run: Run) -> Iterator[VerifyFinding]:
    gap = run.database.applied.gap
    if gap is None or run.database.found.dirty:
        return
    here = "nothing" if gap.from_version is None else f"version {gap.from_version}"
    there = "nothing" if gap.to_version is None else f"version {gap.to_version}"
    message = f"the log ends at {here}, the database is at {there}: another tool moved it"
    yield VerifyFinding(gap.to_version, "gap", message)
