"""Prints the progress of a run on the terminal, in golang-migrate's words where it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.numbers import format_duration
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.printable import block, one_line
from dbmigrate.runner.observer import Notice, Observer, Progress

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.other_sessions import OtherSession
    from dbmigrate.runner.planning.step import PlannedStep

FIRST_REMINDER = 30.0
"""Seconds until a long statement gets a line where there is no terminal; then at each doubling."""
LONGEST_SILENCE = 600.0
"""Seconds between two of them at most: a step in batches may take days."""

_QUIET = frozenset(("DEBUG", "LOG", "NOTICE"))


class Narrator(Observer):
    """The observer of a run on the command line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._step = ""
        self._reminder = FIRST_REMINDER

    def step_started(self, step: PlannedStep) -> None:
        """golang-migrate's two lines; an empty step is not buffered there but scheduled."""
        self._step = describe_step(step)
        self._reminder = FIRST_REMINDER
        prefix = "Scheduled" if step.script is None else "Start buffering"
        self._terminal.detail(f"{prefix} {self._step}")
        self._terminal.detail(f"Read and execute {self._step}")

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        """The line of the step with its time."""
        self._terminal.live("")
        read, ran = (round(seconds * 1e9) for seconds in (read_seconds, run_seconds))
        name = describe_step(step)
        if self._terminal.is_verbose:
            times = f"read {format_duration(read)}, ran {format_duration(ran)}"
            self._terminal.line(f"Finished {name} ({times})")
        else:
            self._terminal.line(f"{name} ({format_duration(read + ran)})")

    def notice(self, notice: Notice) -> None:
        """The server's notices only with -verbose, its warnings always."""
        text = block(notice.message, "    ")
        if notice.file:
            text = f"{one_line(notice.file)}: {text}"
        if notice.severity == "WARNING":
            self._terminal.warning(text)
        elif notice.severity.startswith("DEBUG") or notice.severity in _QUIET:
            self._terminal.detail(f"{notice.severity.lower()}: {text}")
        else:
            self._terminal.line(f"{notice.severity.lower()}: {text}")

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        """Say which run holds the migration lock."""
        self._terminal.line(f"waiting for the migration lock{_held_by(holders)}")

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        """Say which session holds the table."""
        self._terminal.line(f"{self._step} waits for a lock{_held_by(by)}")

    def progress(self, progress: Progress) -> None:
        """A live line on a terminal; elsewhere a line now and then."""
        text = f"{self._step or progress.file} running for {progress.seconds:.0f} s"
        if progress.phase:
            text += f": {progress.phase}"
        if progress.percent is not None:
            text += f" {progress.percent:.0f} %"
        if self._terminal.is_interactive:
            self._terminal.live(text)
        elif progress.seconds >= self._reminder:
            told = max(self._reminder, progress.seconds)
            self._reminder = told + min(told, LONGEST_SILENCE)
            self._terminal.line(text)


def describe_step(step: PlannedStep) -> str:
    """golang-migrate's `1/u create_users_table`; `<empty>` where there is no script."""
    name = "<empty>" if step.script is None else step.name
    return one_line(f"{step.version}/{step.direction[0]} {name}")


def _held_by(sessions: tuple[OtherSession, ...]) -> str:
    return ", held by " + "; ".join(one_line(str(each)) for each in sessions) if sessions else ""
