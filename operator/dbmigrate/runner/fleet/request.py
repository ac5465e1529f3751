"""What a run on a fleet is asked to do, and whom it tells how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dbmigrate.runner.fleet.addresses import Addresses
from dbmigrate.runner.fleet.results import Results
from dbmigrate.runner.fleet.summary import Summary
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import TargetVerdict
from dbmigrate.runner.fleet.waves import FailureLimit
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Options
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Source
from dbmigrate.versions import Version


class FleetObserver(Protocol):
    """Told of a run on a fleet; one call at a time."""

    def finished(self, verdict: TargetVerdict, summary: Summary) -> None:
        """A target has its verdict, which the summary counts."""

    def notice(self, target: FleetTarget, notice: Notice) -> None:
        """A run on a target has something to say."""

    def tick(self, summary: Summary) -> None:
        """A moment has passed."""


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """One order on a fleet."""

    command: str
    """A word of TASKS."""
    targets: tuple[FleetTarget, ...]
    addresses: Addresses
    source: Callable[[], Source]
    """The files: the same for all targets, or, where scripts depend on the database, new ones."""
    options: Options
    observer: FleetObserver
    stop: Stop
    version: Version | None = None
    """Where the targets should be; None: at the newest version of the files."""
    concurrency: int = 8
    max_failures: FailureLimit | None = None
    results: Results | None = None
