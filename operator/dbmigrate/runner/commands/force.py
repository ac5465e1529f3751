"""`force V`: set the version and clear the dirty mark, without running anything."""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.runner.perform import perform
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import LARGEST_NUMBER, Version


def force(request: Request, version: Version | None) -> Result[None]:
    """Set the version; None means that nothing is applied (`force -1`).

    As with golang-migrate there need not be a file of that version. A history
    that has a row for each version gets those of the files up to it.
    """

    def work(run: Run) -> None:
        if isinstance(version, int) and not 0 <= version <= LARGEST_NUMBER:
            raise MigrationError(Reason.MISSING_VERSION, f"version {version} is out of range")
        set_version(run, "force", version)

    return perform(request, work)
