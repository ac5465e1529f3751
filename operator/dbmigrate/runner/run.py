"""From a use case to its Result: opening, working, closing, and telling the truth.

A use case is a function on an open Run. Here it is given its database, its end
is turned into a Report, and every failure into one MigrationError. The report's
version and dirty flag come from the database whenever it can be asked, also
after a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from dbmigrate import __version__
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import (
    ConnectionBroken,
    ServerFailure,
    connection_lost,
    history_failure,
)
from dbmigrate.report import (
    Backup,
    LintFinding,
    Outcome,
    Reason,
    RehearsalSummary,
    Report,
    Step,
)
from dbmigrate.report import Unfinished as ReportedUnfinished
from dbmigrate.runner.database import Database
from dbmigrate.runner.planning.plan import Ground, Plan, PlannedStep, late_versions, pending
from dbmigrate.runner.request import LintPolicy, OutOfOrder, Request, Transactions
from dbmigrate.runner.result import Result, VersionState
from dbmigrate.sources.migration import Direction, Migration, Source
from dbmigrate.versions import Role, Version

if TYPE_CHECKING:
    from dbmigrate.postgres.history.log import LogRow
    from dbmigrate.runner.batches.resume import Unfinished

T = TypeVar("T")


class Run:
    """One execution of a use case."""

    def __init__(self, request: Request, *, is_locked: bool, with_log: bool) -> None:
        self.request = request
        self.started = time.monotonic()
        self.started_at = datetime.now(UTC)
        self.steps: list[Step] = []
        self.target: Version | None = None
        self.backup: Backup | None = None
        self.findings: tuple[LintFinding, ...] = ()
        self.findings_total = 0
        self.rehearsal: RehearsalSummary | None = None
        self.has_changed = False
        """Something was changed that is no step: a forced version, a baseline, a drop."""
        self._is_flushed = True
        """Whether everything that was committed is on the server's disk."""
        self._unflushed_steps = 0
        """How many of the last steps may not be."""
        self.database = Database(request, is_locked=is_locked, with_log=with_log)
        self.from_version = self.database.found.version
        if request.source is not None and request.source.learn is not None:
            request.source.learn(self.database.facts)
        self._known = self.database.log[-1].id if self.database.log else 0

    @property
    def source(self) -> Source:
        """The files. Raises MigrationError (SourceInvalid) where none were given."""
        if self.request.source is None:
            raise MigrationError(Reason.SOURCE_INVALID, "this command needs the migration files")
        return self.request.source

    @property
    def ground(self) -> Ground:
        """What a plan is made on."""
        return Ground(self.source, self.database.applied, self.database.stored_script)

    @property
    def state(self) -> VersionState:
        """The version row as last read or written."""
        return VersionState(self.database.found.version, self.database.found.dirty)

    @property
    def unfinished(self) -> Unfinished | None:
        """The step in batches that is under way; None: there is none."""
        if not self.database.found.dirty:
            return None
        from dbmigrate.runner.batches.resume import find_unfinished

        return find_unfinished(self.database)

    def require_resumable(self) -> None:
        """As `require_clean`, but that a step in batches may be under way.

        `require_first` then has to say that the plan goes on with it.
        """
        if self.unfinished is None:
            self.require_clean()

    def resume(self, is_wanted: Callable[[LogRow], bool]) -> bool:
        """As `require_resumable`, but that a step that was asked to stop is finished first.

        `is_wanted` says of its row in the log whether the command leads that way. Returns
        whether there was such a step. Raises MigrationError.
        """
        has_finished = False
        if self.database.found.dirty and self.unfinished is None:
            from dbmigrate.runner.commands.repair import finish_interrupted

            has_finished = finish_interrupted(self, is_wanted)
        self.require_resumable()
        return has_finished

    def require_first(self, plan: Plan) -> None:
        """Raise MigrationError (Dirty) if a step is under way and the plan begins with another."""
        unfinished = self.unfinished
        if unfinished is not None and not (plan.steps and unfinished.is_step(plan.steps[0])):
            from dbmigrate.runner.batches.resume import refuse

            raise refuse(unfinished)

    def require_clean(self) -> None:
        """Raise MigrationError (Dirty), in golang-migrate's words and with the way out."""
        found = self.database.found
        if found.dirty:
            self.require_first(Plan((), None))
            raise MigrationError(
                Reason.DIRTY,
                f"Dirty database version {found.stored}. Fix and force version.",
                hint="`dbmigrate repair` finishes what dbmigrate began; otherwise look at what"
                f" version {found.stored} has left, mend it, then `dbmigrate force"
                f" {found.stored}` (or the version below)",
            )

    def carry_out(self, plan: Plan) -> None:
        """Run the steps of a plan. Raises MigrationError."""
        self.target = plan.target
        self.require_first(plan)
        wanted = self.request.options.plan_checksum
        if wanted is not None:
            from dbmigrate.runner.planning.plan_checksum import require_plan

            require_plan(wanted, plan.steps, self.database.log)
        if len(plan.steps) > 1:
            look_at_files(plan)
        if plan.steps:
            # A run that finds nothing to do is the commonest one: it starts without this.
            from dbmigrate.runner.execution.step import run_step

            self.try_out(plan)
            self.back_up()
        if plan.steps and self.request.options.transactions is Transactions.ALL:
            from dbmigrate.runner.execution.single_transaction import run_together

            self.steps += run_together(self.database, self.source, plan.steps)
            return
        for index, step in enumerate(plan.steps):
            if self.request.stop.is_requested:
                raise MigrationError(
                    Reason.INTERRUPTED,
                    f"stopped before version {step.version} ({step.name}):"
                    f" {index} of {len(plan.steps)} steps are done",
                )
            is_last = index == len(plan.steps) - 1
            self.request.observer.step_started(step)
            migration = find_migration(self.source, step)
            # A step that fails may have been committed all the same: its answer may be lost.
            self._is_flushed = self._is_flushed and is_last
            read, ran = run_step(self.database, step, migration, is_durable=is_last)
            self._is_flushed = is_last
            milliseconds = round(1000 * (read + ran))
            self.steps.append(Step(str(step.version), step.name, step.direction, milliseconds))
            self._unflushed_steps = 0 if is_last else self._unflushed_steps + 1
            self.request.observer.step_finished(step, read, ran)
        if plan.short:
            raise MigrationError(Reason.MISSING_VERSION, f"limit {plan.short} short")

    def try_out(self, plan: Plan) -> None:
        """Lint the steps up and rehearse them, as was asked for; nothing is changed.

        Raises MigrationError: LintRejected, RehearsalFailed, RehearsalUnavailable.
        """
        options = self.request.options
        steps = [step for step in plan.steps if step.direction is Direction.UP]
        if steps and options.lint is not LintPolicy.OFF:
            from dbmigrate.runner.planning.lint_gate import lint_steps

            lint_steps(self, steps)
        if steps and options.rehearsal_server is not None:
            from dbmigrate.runner.rehearsal.gate import rehearse_before

            self.rehearsal = rehearse_before(self, plan.steps, options.rehearsal_server)

    def back_up(self) -> None:
        """Make the backup that was asked for; it has to be there before anything changes.

        Raises MigrationError (BackupFailed).
        """
        order = self.request.options.backup
        if order is None or self.backup is not None:
            return
        from dbmigrate.runner.commands.backup import back_up_before

        self.backup = back_up_before(self.request, order, self.database, self.started_at)

    def settle(self) -> None:
        """After a failure: read again what the database says, if it still answers.

        What was read is flushed to disk before it is reported: a server that crashes later
        does not lose it.
        """
        if self.database.session.is_open:
            self.database.session.roll_back()
            self.database.read()
        else:
            self.database.reconnect_to_read()
        self._forget_lost_steps()
        if not self._is_flushed:
            self.database.flush()
            self._is_flushed = True
            self._unflushed_steps = 0

    def forget_unflushed_steps(self) -> None:
        """The database does not answer: a crash may have lost the steps that were not flushed."""
        del self.steps[len(self.steps) - self._unflushed_steps :]

    def _forget_lost_steps(self) -> None:
        """A server that crashed may have lost steps that were not flushed yet: they are gone."""
        if not self.database.reads_log:
            return
        rows = (row for row in self.database.log if row.id > self._known)
        logged = {(str(row.version), row.direction) for row in rows if row.outcome == "applied"}
        self.steps = [step for step in self.steps if (step.version, step.direction) in logged]

    def report(
        self,
        error: MigrationError | None,
        state: VersionState | None,
        *,
        reads_source: bool = True,
    ) -> Report:
        """What is to be said of the run; what is pending is known where the source can be read."""
        if error is not None:
            outcome = Outcome.FAILED
        elif self.steps and self.steps[-1].direction == Direction.DOWN:
            outcome = Outcome.ROLLED_BACK
        elif self.steps or self.has_changed:
            outcome = Outcome.APPLIED
        else:
            outcome = Outcome.UP_TO_DATE
        blank = make_report(
            self.request,
            outcome,
            started_at=self.started_at,
            seconds=time.monotonic() - self.started,
            error=error,
        )
        return replace(
            blank,
            version=_text(state.version if state else None),
            dirty=state.dirty if state else None,
            from_version=_text(self.from_version),
            target=_text(self.target),
            pending=self._pending(state) if reads_source else None,
            steps=tuple(self.steps),
            steps_total=len(self.steps),
            unfinished=self._reported_unfinished(),
            backup=self.backup,
            server_version=describe_version(self.database.server_version),
            findings=self.findings,
            findings_total=self.findings_total,
            rehearsal=self.rehearsal,
        )

    def _reported_unfinished(self) -> ReportedUnfinished | None:
        unfinished = self.unfinished if self.database.reads_log else None
        return unfinished.to_report() if unfinished else None

    def _pending(self, state: VersionState | None) -> int | None:
        source = self.request.source
        if source is None or state is None:
            return None
        done = {(step.version, step.name) for step in self.steps}
        left = pending(self.ground, state.version)
        again = [m for m in left if m.role is Role.REPEATABLE and (str(m.version), m.name) in done]
        count = len(left) - len(again)
        if self.request.options.out_of_order is OutOfOrder.IGNORE:
            return count
        late = (
            m.version for m in late_versions(self.ground) if (str(m.version), m.name) not in done
        )
        here = state.version
        return count + sum(1 for version in late if here is not None and version <= here)


def perform(
    request: Request,
    work: Callable[[Run], T],
    *,
    is_locked: bool = True,
    with_log: bool = True,
) -> Result[T]:
    """Open the database, do the work, close it, and make a Result of what happened."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    try:
        run = Run(request, is_locked=is_locked, with_log=with_log)
    except Exception as raised:
        error = _as_error(raised, "opening the database")
        seconds = time.monotonic() - started
        report = make_report(
            request, Outcome.FAILED, started_at=started_at, seconds=seconds, error=error
        )
        return Result(report, error=error)
    run.started, run.started_at = started, started_at
    try:
        try:
            value = work(run)
        except Exception as raised:
            error = _as_error(raised, f"running {request.command}")
            return _conclude(run, None, error, _state_after(run))
        run.database.release()
        return _conclude(run, value, None, run.state)
    finally:
        run.database.close()


def _conclude(
    run: Run, value: T | None, error: MigrationError | None, state: VersionState | None
) -> Result[T]:
    """The result; where the source can't be read to the end, still what the database says."""
    try:
        return Result(run.report(error, state), value=value, error=error)
    except Exception as raised:
        error = error or _as_error(raised, "counting what is pending")
        return Result(run.report(error, state, reads_source=False), error=error)


def look_at_files(plan: Plan) -> None:
    """Read all scripts of a plan before its first step, so that none is found to be missing or
    unreadable when others have run. Raises MigrationError (SourceInvalid)."""
    for step in plan.steps:
        if step.script is not None and not step.is_stored:
            step.script.load()


def find_migration(source: Source, step: PlannedStep) -> Migration | None:
    """What the source knows of a step's version; a checkpoint and a repeatable have none."""
    return source.find(step.version) if step.role is Role.VERSIONED else None


def make_report(
    request: Request,
    outcome: Outcome,
    *,
    started_at: datetime,
    seconds: float,
    error: MigrationError | None = None,
) -> Report:
    """A Report without what only the database can tell."""
    return Report(
        command=request.command,
        outcome=outcome,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        milliseconds=round(1000 * seconds),
        error=error.to_report() if error else None,
    )


def describe_version(number: int) -> str:
    """PostgreSQL's version in words: 17.10 for 170010."""
    return f"{number // 10000}.{number % 10000}"


def _state_after(run: Run) -> VersionState | None:
    """What the database says after a failure; None when it does not answer."""
    try:
        run.settle()
    except (MigrationError, ServerFailure, ConnectionBroken):
        run.forget_unflushed_steps()
        return None
    run.database.release()
    return run.state


def _as_error(raised: Exception, doing: str) -> MigrationError:
    if isinstance(raised, MigrationError):
        return raised
    if isinstance(raised, ConnectionBroken):
        return connection_lost(raised, doing)
    if isinstance(raised, ServerFailure):
        return history_failure(raised, doing)
    error = MigrationError(
        Reason.INTERNAL, f"internal error while {doing}: {type(raised).__name__}: {raised}"
    )
    error.__cause__ = raised
    return error


def _text(version: Version | None) -> str | None:
    return None if version is None else str(version)
