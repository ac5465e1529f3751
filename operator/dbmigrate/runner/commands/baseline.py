"""`baseline V`: declare that a database already has the schema of a version.

For a database that an ORM made, or that was restored without its history. It is
`force` with two checks: the version has files, unless the tool of the format keeps a
row for this purpose, and the history does not say anything else yet.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.report import Reason
from dbmigrate.runner.history_writing import note, prepare_to_write
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.plan import no_target
from dbmigrate.runner.planning.squashed import old_migration
from dbmigrate.runner.preparation.forced_version import says_nothing, set_version
from dbmigrate.runner.preparation.takeover import take_over
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def baseline(request: Request, version: Version) -> Result[None]:
    """Start the history at a version; all versions up to it count as applied."""

    def work(run: Run) -> None:
        run.require_clean()
        found = run.database.found
        needs_file = not adapter_for(run.database.history.kind).has_baselines
        source = request.source
        has_file = source is None or source.knows(version) or old_migration(source, version)
        if needs_file and source is not None and not has_file:
            raise no_target(version, source)
        if found.version == version:
            run.target = version
            if run.database.successor is None and not says_nothing(run, version):
                # A dbmigrate that marked nothing may have made the baseline.
                for each in take_over(run):
                    prepare_to_write(run.database)
                    note(run.database, NoteKind.SUCCESSION, each.name, checksum=each.checksum)
            return
        if found.version is not None:
            raise MigrationError(
                Reason.FOREIGN_HISTORY,
                f"the database has a history already: it is at version {found.version}",
                hint=f"`dbmigrate force {version}` sets the version in any case",
            )
        set_version(run, "baseline", version)

    return perform(request, work)
