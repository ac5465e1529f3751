"""The two jobs of a run on a fleet: read many schemas at once, or run on one target."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import (
    OUT_OF_MEMORY,
    ConnectionBroken,
    ServerFailure,
)
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.history.many import (
    Digest,
    find_histories,
    read_capacity,
    read_digests,
    read_whole,
)
from dbmigrate.postgres.history.relations import History
from dbmigrate.report import Reason, ReportError
from dbmigrate.runner.database import ANSWER_SECONDS
from dbmigrate.runner.fleet.judgement import Judgement, judge
from dbmigrate.runner.fleet.pool import Overloaded, Pool
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.tasks import Look
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict, failed_before
from dbmigrate.runner.observer import Notice, Observer
from dbmigrate.runner.request import Request

if TYPE_CHECKING:
    from dbmigrate.runner.fleet.request import FleetRequest
    from dbmigrate.runner.fleet.tasks import FleetTask

_NO_CONNECTION = re.compile(
    r"too many (?:clients|connections)|connection slots|no more connections allowed"
    r"|query_wait_timeout|SQLSTATE 53300",
    re.IGNORECASE,
)
_READ_SECONDS = 60.0
_LOCK_SECONDS = 1.0
"""How long many are read together for the sake of one that is locked; then each by itself."""
_REMEMBERED = 10_000
"""Judgements that are kept, by the digest of the history."""

Finish = Callable[[TargetVerdict], None]


class FleetContext(Protocol):
    """What a job needs of the run."""

    request: FleetRequest

    @property
    def task(self) -> FleetTask:
        """What is done on each target."""

    @property
    def judgements(self) -> dict[Digest, Judgement | None]:
        """What is known by the digest of a history."""

    def notice(self, target: FleetTarget, notice: Notice) -> None:
        """Pass on what a run says."""


class _TargetObserver(Observer):
    """Passes the notices of a target's run on."""

    def __init__(self, context: FleetContext, target: FleetTarget) -> None:
        self._context = context
        self._target = target

    def notice(self, notice: Notice) -> None:
        """With the target that it comes from."""
        self._context.notice(self._target, notice)


class TargetJob:
    """A run on one target."""

    def __init__(
        self,
        context: FleetContext,
        target: FleetTarget,
        finish: Finish,
        *,
        is_behind: bool = False,
    ) -> None:
        self._context = context
        self._target = target
        self._finish = finish
        self._is_behind = is_behind
        self._last: TargetVerdict | None = None

    def run(self) -> None:
        """Run it, and tell the verdict. Raises Overloaded."""
        verdict = self._look()
        if is_overload(verdict.error) and not verdict.dirty:
            self._last = verdict
            is_out_of_memory = verdict.error is not None and verdict.error.sqlstate == OUT_OF_MEMORY
            raise Overloaded(by_us=is_out_of_memory)
        self._finish(verdict)

    def give_up(self) -> None:
        """Tell the verdict of the last try."""
        if self._last is not None:
            self._finish(self._last)

    def skip(self) -> None:
        """Say that it was not begun."""
        self._finish(self._last or TargetVerdict(self._target, TargetOutcome.SKIPPED))

    def _look(self) -> TargetVerdict:
        request = self._context.request
        try:
            order = Request(
                command=f"fleet {request.command}",
                target=request.addresses.database(self._target),
                source=request.source(),
                options=request.options,
                observer=_TargetObserver(self._context, self._target),
                stop=request.stop,
            )
            return self._context.task.look(
                self._target, order, Look(request.version, self._is_behind)
            )
        except MigrationError as error:
            return failed_before(self._target, error)
        except Exception as error:
            text = f"internal error on a target: {type(error).__name__}"
            return failed_before(self._target, MigrationError(Reason.INTERNAL, text))


class ReadJob:
    """Reads the histories of schemas of one database, over one connection."""

    def __init__(
        self,
        context: FleetContext,
        targets: Sequence[FleetTarget],
        finish: Finish,
        pool: Pool,
        lane: Hashable,
    ) -> None:
        self._context = context
        self._targets = targets
        self._finish = finish
        self._pool = pool
        self._lane = lane
        self._read = 0
        """How many of the targets are dealt with."""
        self._error: MigrationError | None = None

    def run(self) -> None:
        """Read all of them; those that take more than that get a job of their own.

        Raises Overloaded.
        """
        try:
            session = self._connect()
        except MigrationError as error:
            self._error = error
            if is_overload(error.to_report()):
                raise Overloaded(by_us=False) from None
            self.give_up()
            return
        try:
            size = read_capacity(session, self._context.request.concurrency)
            while self._read < len(self._targets):
                if self._context.request.stop.is_requested:
                    self.skip()
                    return
                part = self._targets[self._read : self._read + size]
                self._read_part(session, part)
        except (MigrationError, ServerFailure, ConnectionBroken):
            # Each says by itself what is the matter with it.
            for target in self._rest():
                self._look_closely(target)
        finally:
            session.close()

    def give_up(self) -> None:
        """They all have one connection, which can't be had."""
        if self._error is not None:
            for target in self._rest():
                self._finish(failed_before(target, self._error))

    def skip(self) -> None:
        """Say that those which are left were not begun."""
        for target in self._rest():
            self._finish(TargetVerdict(target, TargetOutcome.SKIPPED))

    def _rest(self) -> Sequence[FleetTarget]:
        rest, self._read = self._targets[self._read :], len(self._targets)
        return rest

    def _connect(self) -> Session:
        request = self._context.request
        target = request.addresses.database(self._targets[0], with_search_path=False)
        session = connect(target, role="fleet")

        def on_silence(seconds: float) -> None:
            if request.stop.is_urgent or seconds > _READ_SECONDS + ANSWER_SECONDS:
                raise ConnectionBroken(f"the server has not answered for {seconds:.0f} s")

        session.on_silence = on_silence
        session.lock_seconds = _LOCK_SECONDS
        return session

    def _read_part(self, session: Session, targets: Sequence[FleetTarget]) -> None:
        addresses = self._context.request.addresses
        wanted = {addresses.history_of(target): target for target in targets}
        histories = find_histories(session, [*wanted])
        digests = read_digests(session, [*histories.values()])
        decided: list[TargetVerdict] = []
        undecided: list[tuple[FleetTarget, bool]] = []
        for each, target in wanted.items():
            history = histories.get(each)
            digest = None if history is None else digests.get(history)
            found = None
            if history is not None and digest is not None:
                found = self._judge(session, history, digest)
            verdict = None if found is None else self._context.task.decide(target, found)
            if verdict is not None:
                decided.append(verdict)
            else:
                undecided.append((target, found is not None and bool(found.steps)))
        self._read += len(targets)
        for verdict in decided:
            self._finish(verdict)
        for target, is_behind in undecided:
            self._look_closely(target, is_behind=is_behind)

    def _judge(self, session: Session, history: History, digest: Digest) -> Judgement | None:
        known = self._context.judgements
        if digest in known:
            return known[digest]
        whole = read_whole(session, history)
        if whole is None:
            return None
        request = self._context.request
        found = judge(whole, request.source(), request.options, request.version)
        if len(known) >= _REMEMBERED:
            known.clear()
        known[whole.digest] = found
        return found

    def _look_closely(self, target: FleetTarget, *, is_behind: bool = False) -> None:
        job = TargetJob(self._context, target, self._finish, is_behind=is_behind)
        self._pool.add(self._lane, job)


def is_overload(error: ReportError | None) -> bool:
    """Whether the server has refused for having too much to do."""
    if error is None:
        return False
    is_full = error.reason is Reason.CONNECTION_REFUSED and _NO_CONNECTION.search(error.message)
    return bool(is_full) or error.sqlstate == OUT_OF_MEMORY
