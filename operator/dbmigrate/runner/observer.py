"""What a run reports while it is active; the command line prints it.

All calls come from the thread that runs the use case. No decision of a run depends on
its observer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbmigrate.postgres.connection.other_sessions import OtherSession
    from dbmigrate.runner.planning.step import PlannedStep


@dataclass(frozen=True, slots=True)
class Notice:
    """A line about something that is not an error."""

    severity: str
    """NOTICE, WARNING, INFO, ... as in PostgreSQL; WARNING for dbmigrate's own."""
    message: str
    file: str | None = None
    """The migration file that caused it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a long statement."""

    file: str
    seconds: float
    """Since the step began."""
    phase: str | None = None
    """What the server is doing: `building index: scanning table`."""
    percent: float | None = None
    """0 to 100, where the server counts."""


class Observer:
    """Receives the events of a run, in order. This one ignores them."""

    def planned(self, steps: Sequence[PlannedStep], done: int = 0) -> None:
        """The steps of `apply`; `done` statements of the first one are done already."""

    def step_started(self, step: PlannedStep) -> None:
        """A step will be read and run next."""

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        """A step is done and committed."""

    def notice(self, notice: Notice) -> None:
        """A notice of the server or of the run."""

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        """Another run holds the migration lock. Called again only when the holders change."""

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        """The running statement waits for a lock that others hold."""

    def progress(self, progress: Progress) -> None:
        """A statement takes long: called about once a second."""


SILENT = Observer()
