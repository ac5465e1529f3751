"""`version`: what schema_migrations says. Reads only; takes no lock."""

from __future__ import annotations

from dbmigrate.runner.perform import perform
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result, VersionState


def version(request: Request) -> Result[VersionState]:
    """The version of the database and whether it is dirty. Needs read access only."""
    return perform(request, lambda run: run.state, is_locked=False, with_log=False)
