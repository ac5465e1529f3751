"""Which steps lead from the version of the database to the one that is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.sources.migration import Direction, Script


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One script to run in one direction, and the version row it leads to."""

    version: int
    """The version whose script runs."""
    name: str
    direction: Direction
    script: Script | None
    """None: the version has no script in this direction, only the version row moves.
    golang-migrate prints such a step as `<empty>`."""
    before: int | None
    """The database's version before the step; None: nothing is applied."""
    after: int | None
    """The database's version after it."""
    is_stored: bool = False
    """The script comes from the history, because its file is not there."""
