"""What a run tells while it is under way: the command line prints it.

All calls come from the thread that runs the use case. Nothing a run decides
depends on its observer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbmigrate.postgres.connection.other_sessions import OtherSession
    from dbmigrate.runner.planning.plan import PlannedStep


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line that is no error."""

    severity: str
    """NOTICE, WARNING, INFO, ... as PostgreSQL says it; WARNING for dbmigrate's own."""
    message: str
    file: str | None = None
    """The migration file that caused it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long statement is."""

    file: str
    seconds: float
    """Since the step began."""
    phase: str | None = None
    """What the server is doing: `building index: scanning table`."""
    percent: float | None = None
    """0 to 100, where the server counts."""


class Observer(Protocol):
    """Told of each turn of a run, in order."""

    def planned(self, steps: Sequence[PlannedStep], done: int = 0) -> None:
        """What `apply` is going to run; `done` statements of the first step are done already."""

    def step_started(self, step: PlannedStep) -> None:
        """A step is about to be read and run."""

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        """A step is done, and the database says so."""

    def notice(self, notice: Notice) -> None:
        """The server or the run has something to say."""

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        """Another run holds the migration lock. Called again only when the holders change."""

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        """The running statement waits for a lock that others hold."""

    def progress(self, progress: Progress) -> None:
        """A statement takes long: called about once a second."""


class SilentObserver:
    """Listens to nothing."""

    def planned(self, steps: Sequence[PlannedStep], done: int = 0) -> None:
        """Ignored."""

    def step_started(self, step: PlannedStep) -> None:
        """Ignored."""

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        """Ignored."""

    def notice(self, notice: Notice) -> None:
        """Ignored."""

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        """Ignored."""

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        """Ignored."""

    def progress(self, progress: Progress) -> None:
        """Ignored."""


SILENT = SilentObserver()
