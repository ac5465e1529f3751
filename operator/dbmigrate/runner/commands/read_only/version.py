"""`version`: what schema_migrations says. Reads only; takes no lock."""

from __future__ import annotations

from dbmigrate.runner.perform import perform
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result, VersionState
from dbmigrate.runner.run import Run


def version(request: Request) -> Result[VersionState]:
    """The version of the database and whether it is dirty. Needs read access only."""
    return perform(request, _version, is_locked=False, with_log=False)


def _version(run: Run) -> VersionState:
    if run.state.version is None:
        from dbmigrate.runner.preparation.other_history import warn_of_other_tools

        warn_of_other_tools(run)
    return run.state
