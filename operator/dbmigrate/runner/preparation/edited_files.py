"""Up files that were edited after they were applied.

The edit would reach new databases only, and the old ones would stay different
without end. Only what the log or the tool's own table has recorded can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.errors import MigrationError
from dbmigrate.policies import ChangedFiles
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.planning.squashed import is_replaced, ran_as_squash, require_whole
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Script, Source
from dbmigrate.versions import REPEATABLE, Version, name_of


def changed_migrations(source: Source, applied: AppliedVersions) -> Iterator[Migration]:
    """Applied migrations whose up file is not what was applied, by its text or by what its
    tool's table says of it. Reads all those files."""
    for migration in source.migrations:
        if migration.up is None:
            continue
        if migration.replaces and not ran_as_squash(applied.row(migration.version)):
            continue  # the file that made this version is another one
        if applied.mismatch(migration) or _is_changed(migration.version, migration.up, applied):
            yield migration


def describe_change(migration: Migration, applied: AppliedVersions) -> str:
    """What is known of one of those, in words."""
    file = migration.up.file if migration.up else migration.name
    return f"{file} {applied.mismatch(migration) or 'was edited after it was applied'}"


def _is_changed(version: Version, up: Script, applied: AppliedVersions) -> bool:
    """By the checksum in the tool's own table where it keeps them, else by our log's."""
    kept, row = applied.tool_checksum(version), applied.row(version)
    if kept is not None and up.tool_checksums is not None:
        return kept not in up.tool_checksums()
    is_above = applied.base is None or version > applied.base
    if not is_above or row is None or row.checksum is None:
        return False
    return not up.has_checksum(row.checksum)


def missing_kind(source: Source, version: Version) -> str:
    """What Flyway calls the state of an applied version without a file."""
    if str(version) == REPEATABLE:
        return "missing repeatable"
    return "missing" if source.latest is not None and version < source.latest else "future"


def missing_versions(source: Source, applied: AppliedVersions) -> Iterator[Version]:
    """Applied versions and repeatable migrations that should have a file and have none."""
    here = {*applied.recorded, *(() if applied.version is None else (applied.version,))}
    for version in sorted(here):
        is_below = applied.base is not None and version < applied.base
        is_below = is_below or is_replaced(source, version, applied.version)
        if not is_below and not source.knows(version) and applied.needs_file(version):
            yield version
    known = {migration.version for migration in source.repeatables}
    for version in sorted(set(applied.repeated)):
        if version not in known and applied.needs_file(version):
            yield version


def check_changes(run: Run) -> None:
    """Look at the files of what is applied: raise MigrationError, or warn, as the policy says.

    ChecksumMismatch for a file that was edited; MissingVersion for one that is gone, where the
    tool of the history looks for those.
    """
    if run.database.applied.validates_files:
        _check_missing(run)
    changed = list(changed_migrations(run.source, run.database.applied))
    if not changed:
        return
    files = ", ".join(m.up.file for m in changed[:5] if m.up)
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    message = f"changed after being applied: {files}{more}"
    if run.request.options.changed_files is ChangedFiles.REJECT:
        raise MigrationError(
            Reason.CHECKSUM_MISMATCH,
            message,
            hint="restore the file and put the change into a new migration,"
            " or run with -changed-files warn",
        )
    run.request.observer.notice(Notice("WARNING", message))


def _check_missing(run: Run) -> None:
    """As Flyway's validateOnMigrate with its ignoreMigrationPatterns."""
    source, applied = run.source, run.database.applied
    require_whole(source, applied.version)
    gone = [
        version
        for version in missing_versions(source, applied)
        if missing_kind(source, version) not in run.request.options.ignored
    ]
    if not gone:
        return
    named = ", ".join(name_of(v) if str(v) == REPEATABLE else str(v) for v in gone[:5])
    more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
    message = f"applied, and without a file: {named}{more}"
    if run.request.options.changed_files is ChangedFiles.REJECT:
        state = missing_kind(source, gone[0]).partition(" ")[0]
        raise MigrationError(
            Reason.MISSING_VERSION,
            message,
            hint="restore the file, or let `dbmigrate repair` mark it as deleted, as Flyway's"
            f" repair does; ignoreMigrationPatterns=*:{state} ignores such files",
        )
    run.request.observer.notice(Notice("WARNING", message))
