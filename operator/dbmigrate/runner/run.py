"""The state of one execution of a use case: its database, its steps, its findings."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason, Step
from dbmigrate.runner.database import Database
from dbmigrate.runner.planning.plan import Plan, PlanInputs
from dbmigrate.runner.planning.squashed import fit
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import VersionState
from dbmigrate.sources.migration import Source
from dbmigrate.versions import Version

if TYPE_CHECKING:
    from dbmigrate.report.drift import ReportedDrift
    from dbmigrate.report.preparation import Backup, LintFinding, RehearsalSummary
    from dbmigrate.runner.batches.resume import UnfinishedBatches


class Run:
    """One execution of a use case."""

    def __init__(self, request: Request, *, is_locked: bool, with_log: bool) -> None:
        self.request = request
        self.is_locked = is_locked
        self.started = time.monotonic()
        self.started_at = datetime.now(UTC)
        self.steps: list[Step] = []
        self.target: Version | None = None
        self.backup: Backup | None = None
        self.findings: tuple[LintFinding, ...] = ()
        self.findings_total = 0
        self.rehearsal: RehearsalSummary | None = None
        self.drift: ReportedDrift | None = None
        self.database_id: str | None = None
        self.has_changed = False
        """Something other than a step was changed: a forced version, a baseline, a drop."""
        self.is_flushed = True
        """Whether everything that was committed is on the server's disk."""
        self.unflushed_steps = 0
        """How many of the last steps may not be."""
        self.database = Database(request, is_locked=is_locked, with_log=with_log)
        self.from_version = self.database.found.version
        if request.source is not None and request.source.learn is not None:
            request.source.learn(self.database.facts)
        self._known = self._last_row()
        self._given = request.source
        self._fit_source()

    def _last_row(self) -> int:
        return self.database.log[-1].id if self.database.log else 0

    def _fit_source(self) -> None:
        """Take the archived files where the database is below a squashed one."""
        if self._given is not None and self._given.archive is not None:
            fitted = fit(self._given, self.database.applied.version)
            self.request = replace(self.request, source=fitted)

    def lock(self) -> None:
        """Take the locks, where the run began without them. Raises MigrationError."""
        self.database.lock()
        self.is_locked = True
        self.from_version = self.database.found.version
        self._known = self._last_row()
        self._fit_source()

    @property
    def source(self) -> Source:
        """The files. Raises MigrationError (SourceInvalid) where none were given."""
        if self.request.source is None:
            raise MigrationError(Reason.SOURCE_INVALID, "this command needs the migration files")
        return self.request.source

    @property
    def inputs(self) -> PlanInputs:
        """What a plan is made on."""
        database = self.database
        return PlanInputs(
            self.source,
            database.applied,
            database.stored_script,
            lost=database.lost,
        )

    @property
    def state(self) -> VersionState:
        """The version row as last read or written."""
        return VersionState(self.database.found.version, self.database.found.dirty)

    @property
    def unfinished(self) -> UnfinishedBatches | None:
        """The step in batches that is not finished; None: there is none."""
        if not self.database.found.dirty:
            return None
        from dbmigrate.runner.batches.resume import find_unfinished

        return find_unfinished(self.database)

    def require_resumable(self) -> None:
        """As `require_clean`, but a step in batches may be unfinished.

        `require_first` then has to check that the plan continues it.
        """
        if self.unfinished is None:
            self.require_clean()

    def require_first(self, plan: Plan) -> None:
        """Raise MigrationError (Dirty) if a step is unfinished and the plan begins with another."""
        unfinished = self.unfinished
        if unfinished is not None and not (plan.steps and unfinished.is_step(plan.steps[0])):
            from dbmigrate.runner.batches.resume import refuse

            raise refuse(unfinished)

    def begin(self, plan: Plan) -> None:
        """Take the plan's target. Raises MigrationError (Dirty) as `require_first` does."""
        self.target = plan.target
        self.require_first(plan)

    def require_clean(self) -> None:
        """Raise MigrationError (Dirty), in golang-migrate's words and with the remedy."""
        found = self.database.found
        if found.dirty:
            self.require_first(Plan((), None))
            raise MigrationError(
                Reason.DIRTY,
                f"Dirty database version {found.stored}. Fix and force version.",
                hint="`dbmigrate repair` finishes a step of dbmigrate; otherwise check what"
                f" version {found.stored} has left, fix it, then `dbmigrate force"
                f" {found.stored}` (or the version below)",
            )

    def settle(self) -> None:
        """After a failure: read the state of the database again, if it still answers.

        What was read is flushed to disk before it is reported: a later crash of the server
        does not lose it.
        """
        if self.database.session.is_open:
            self.database.session.roll_back()
            self.database.read()
        else:
            self.database.reconnect_to_read()
        self._forget_lost_steps()
        if not self.is_flushed:
            self.database.flush()
            self.is_flushed = True
            self.unflushed_steps = 0

    def forget_unflushed_steps(self) -> None:
        """The database does not answer: a crash may have lost the steps that were not flushed."""
        del self.steps[len(self.steps) - self.unflushed_steps :]

    def _forget_lost_steps(self) -> None:
        """A server that crashed may have lost steps that were not flushed."""
        if not self.database.reads_log:
            return
        rows = (row for row in self.database.log if row.id > self._known)
        logged = {(str(row.version), row.direction) for row in rows if row.outcome == "applied"}
        self.steps = [step for step in self.steps if (step.version, step.direction) in logged]
