"""Up files that were edited after they were applied.

The edit would reach new databases only, and the old ones would stay different
for ever. Only what the log has recorded can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.runner.applied import AppliedVersions
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import ChangedFiles
from dbmigrate.sources.migration import Migration, Source

if TYPE_CHECKING:
    from dbmigrate.runner.run import Run


def changed_migrations(source: Source, applied: AppliedVersions) -> Iterator[Migration]:
    """Applied migrations whose up file is not what was applied. Reads all those files."""
    for migration in source.migrations:
        row = applied.row(migration.version)
        if row is None or row.checksum is None or migration.up is None:
            continue
        if migration.up.checksum() != row.checksum:
            yield migration


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
