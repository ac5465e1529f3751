"""Up files that were edited after they were applied.

The edit would reach new databases only, and the old ones would stay different
for ever. Only what the log or the tool's own table has recorded can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.errors import MigrationError
from dbmigrate.policies import ChangedFiles
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Script, Source
from dbmigrate.versions import Version


def changed_migrations(source: Source, applied: AppliedVersions) -> Iterator[Migration]:
    """Applied migrations whose up file is not what was applied, by its text or by what its
    tool's table says of it. Reads all those files."""
    for migration in source.migrations:
        if migration.up is None:
            continue
        if applied.mismatch(migration) or _is_changed(migration.version, migration.up, applied):
            yield migration


def describe_change(migration: Migration, applied: AppliedVersions) -> str:
    """What is known of one of those, in words."""
    file = migration.up.file if migration.up else migration.name
    return f"{file} {applied.mismatch(migration) or 'was edited after it was applied'}"


def _is_changed(version: Version, up: Script, applied: AppliedVersions) -> bool:
    """By the checksum in the tool's own table where it keeps them, else by our log's."""
    kept = applied.tool_checksum(version)
    if kept is not None and up.tool_checksums is not None:
        return kept not in up.tool_checksums()
    row = applied.row(version)
    is_above = applied.base is None or version > applied.base
    return is_above and row is not None and row.checksum not in (None, up.checksum())


def check_changes(run: Run) -> None:
    """Raise MigrationError (ChecksumMismatch), or warn, as the policy says."""
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
