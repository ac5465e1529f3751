"""`wait`: until the database has the version that an application needs.

For init containers, of which there may be thousands: each poll is a short connection, so
waiting holds no resources; pauses grow and are spread at random. A server that is not up,
and a database or a history that does not exist yet, are waited for.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime

from dbmigrate.errors import MigrationError
from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.runner.commands.read_only.readiness import (
    OrmMigration,
    Readiness,
    Wanted,
    is_mistake,
    poll,
)
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import make_report
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result, VersionState

__all__ = ["OrmMigration", "wait"]

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
ANSWER_SECONDS = 10.0
"""How long one poll may take, login included; then the next one begins."""
LEAST_SECONDS = 1.0
"""What one poll may take at the end of the patience: -timeout 0 is one poll that can succeed."""


def wait(
    request: Request,
    version: Wanted | None = None,
    timeout: float | None = None,
    *,
    is_probe: bool = False,
) -> Result[VersionState]:
    """Wait until the database is at least at `version`, and not dirty.

    None is the source's latest. `timeout` is in seconds, None is without limit. A run
    that gives up has the outcome Waiting.

    `is_probe`: one poll, for a readiness probe. It fails if the database is known not to have
    the version, and for mistakes in the settings; a database that can't be asked is a warning.
    """
    started, started_at = time.monotonic(), datetime.now(UTC)
    sight: Readiness | None = None
    wanted = version
    try:
        wanted = _wanted(request, version)
        deadline = None if timeout is None else started + timeout
        sight, error = (
            _probe(request, wanted) if is_probe else _poll_until(request, wanted, deadline)
        )
        outcome = Outcome.UP_TO_DATE if error is None else Outcome.WAITING
    except MigrationError as raised:
        error, outcome = raised, Outcome.FAILED
    report = make_report(
        request,
        outcome,
        started_at=started_at,
        seconds=time.monotonic() - started,
        error=error,
    )
    report = replace(report, target=None if wanted is None else str(wanted))
    state = sight.state if sight else None
    return Result(_with_state(report, state), None if error else state, error)


def _wanted(request: Request, version: Wanted | None) -> Wanted:
    if version is not None:
        return version
    latest = request.source.latest if request.source else None
    if latest is None:
        raise MigrationError(Reason.SOURCE_INVALID, "no migration files to wait for")
    return latest


def _probe(request: Request, wanted: Wanted) -> tuple[Readiness, MigrationError | None]:
    try:
        sight = poll(request, wanted, ANSWER_SECONDS)
    except MigrationError as error:
        if is_mistake(error):
            raise
        sight = Readiness(None, error.message, error.reason)
    if sight.is_behind:
        return sight, MigrationError(sight.reason, sight.obstacle, hint=sight.hint)
    if sight.obstacle:
        request.observer.notice(Notice("WARNING", f"not known to be behind: {sight.obstacle}"))
    return sight, None


def _poll_until(
    request: Request, wanted: Wanted, deadline: float | None
) -> tuple[Readiness, MigrationError | None]:
    pause = FIRST_PAUSE
    told = ""
    while True:
        limit = ANSWER_SECONDS
        if deadline is not None:
            limit = max(LEAST_SECONDS, min(limit, deadline - time.monotonic()))
        sight = poll(request, wanted, limit)
        if not sight.obstacle:
            request.observer.notice(Notice("INFO", _describe_end(sight, wanted, bool(told))))
            return sight, None
        if sight.obstacle != told:
            told = sight.obstacle
            request.observer.notice(Notice("INFO", f"waiting: {told}"))
        left = float("inf") if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return sight, MigrationError(
                sight.reason, f"gave up waiting: {sight.obstacle}", hint=sight.hint
            )
        if not _pause(min(left, pause * random.uniform(0.5, 1.5)), request):
            return sight, MigrationError(
                Reason.INTERRUPTED, f"stopped while waiting: {sight.obstacle}"
            )
        pause = min(1.5 * pause, LONGEST_PAUSE)


def _describe_end(sight: Readiness, wanted: Wanted, has_waited: bool) -> str:
    """The message for a database that has the desired version."""
    version = sight.state.version if sight.state else None
    text = f"the database is at version {version}"
    if version is None:
        text = f"the database has {wanted}"
    elif version != wanted:
        text += f", which has {wanted}"
    return text if has_waited else f"nothing to wait for: {text}"


def _pause(seconds: float, request: Request) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if request.stop.is_requested:
            return False
        time.sleep(min(left, 0.1))
    return not request.stop.is_requested


def _with_state(report: Report, state: VersionState | None) -> Report:
    if state is None:
        return report
    version = None if state.version is None else str(state.version)
    return replace(report, version=version, dirty=state.dirty)
