"""`rehearse`: each pending step up, down and up again, where nothing can be broken.

The scratch database is made for it and dropped afterwards, on a server that was named
or on one of our own. It starts empty, or as a copy of the target's schema (never its
data) at the target's version. After each down script the schema has to be what it was
before the up script, object by object; what is left, gone or changed is named. The
target itself is only read.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.client_programs import Stopped, find_program, run_program
from dbmigrate.postgres.failures import ConnectionBroken, ServerFailure
from dbmigrate.postgres.history_tables import own_relations
from dbmigrate.postgres.session import Session
from dbmigrate.postgres.target import ConnectionTarget
from dbmigrate.report import Outcome, Reason, Step
from dbmigrate.runner.down import down
from dbmigrate.runner.force import force
from dbmigrate.runner.goto import goto
from dbmigrate.runner.held_locks import sample_locks
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Options, OutOfOrder, Request
from dbmigrate.runner.result import Rehearsal, RehearsedStep, Result
from dbmigrate.runner.run import make_report
from dbmigrate.runner.scratch import open_session, scratch_space
from dbmigrate.runner.version import version
from dbmigrate.sources.migration import Direction, Migration
from dbmigrate.versions import Version

PURPOSE = "rehearsal"
SHOWN = 5
"""Objects that the error names for each step; the JSON document has all."""


@dataclass(frozen=True, slots=True)
class RehearsalOrder:
    """Where to rehearse, and from where on."""

    server: ConnectionTarget | None = None
    """A server on which databases may be created; None: one of our own."""
    copies_target: bool = False
    """Start with the target's schema at its version; otherwise with nothing."""


def rehearse(request: Request, order: RehearsalOrder) -> Result[Rehearsal]:
    """Rehearse all steps that are pending. Errors: those of the steps, and
    IrreversibleMigration for a down script that does not undo its up script."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    steps: list[RehearsedStep] = []
    error = None
    try:
        with (
            scratch_space(order.server) as space,
            space.database(request.target, PURPOSE) as scratch,
        ):
            here = _copy_target(request, scratch) if order.copies_target else None
            with open_session(scratch, PURPOSE) as reader:
                _Stage(request, scratch, reader, steps).play(here)
        error = _judge(steps)
    except MigrationError as raised:
        error = raised
    except (ServerFailure, ConnectionBroken) as raised:
        error = MigrationError(Reason.CONNECTION_LOST, f"the scratch database failed: {raised}")
    outcome = Outcome.FAILED if error is not None else Outcome.UP_TO_DATE
    report = make_report(
        request, outcome, started_at=started_at, seconds=time.monotonic() - started, error=error
    )
    done = tuple(Step(str(s.version), s.name, Direction.UP, s.up_milliseconds) for s in steps)
    report = replace(report, steps=done, steps_total=len(done))
    return Result(report, value=Rehearsal(tuple(steps)), error=error)


class _Stage:
    """The scratch database, and how far the rehearsal is."""

    def __init__(
        self,
        request: Request,
        scratch: ConnectionTarget,
        reader: Session,
        steps: list[RehearsedStep],
    ) -> None:
        options = Options(
            lock_timeout=request.options.lock_timeout,
            statement_lock_timeout_ms=request.options.statement_lock_timeout_ms,
            statement_timeout_ms=request.options.statement_timeout_ms,
            out_of_order=OutOfOrder.IGNORE,
            who=request.options.who,
        )
        self._request = replace(request, target=scratch, options=options)
        self._reader = reader
        self._steps = steps
        self._schema = self._read()
        """As the last step has left it."""

    def play(self, here: Version | None) -> None:
        source = self._request.source
        if source is None or not source.migrations:
            raise MigrationError(
                Reason.SOURCE_INVALID, "there is nothing to rehearse: no migration files were found"
            )
        for migration in source.above(here):
            if self._request.stop.is_requested:
                raise MigrationError(Reason.INTERRUPTED, "the rehearsal was stopped")
            self._steps.append(self._rehearse(migration))

    def _rehearse(self, migration: Migration) -> RehearsedStep:
        before = self._schema
        locks = sample_locks(self._reader, migration.up)
        up = self._go_up(migration)
        self._schema = made = self._read()
        step = RehearsedStep(migration.version, migration.name, up, locks=locks)
        for lock in locks:
            self._notice(f"{lock.table}: {lock.mode} lock")
        if migration.down is None:
            self._notice(f"version {migration.version} has no down script", "WARNING")
            return step
        undone = down(self._request, 1)
        if undone.error is not None:
            raise _name(undone.error, "the way down failed", step)
        differences = [d.describe() for d in compare(before, self._read())]
        try:
            again = self._go_up(migration)
        except MigrationError as error:
            if differences:
                self._steps.append(replace(step, left=tuple(differences)))
                raise _not_undone([s for s in self._steps if s.left]) from error
            raise _name(error, "the second way up failed", step) from None
        self._schema = self._read()
        differences += [f"the second time {d.describe()}" for d in compare(made, self._schema)]
        return replace(
            step,
            down_milliseconds=sum(s.milliseconds for s in undone.report.steps),
            again_milliseconds=again,
            left=tuple(differences),
        )

    def _go_up(self, migration: Migration) -> int:
        result = goto(self._request, migration.version)
        if result.error is not None:
            raise result.error
        return sum(step.milliseconds for step in result.report.steps)

    def _read(self) -> Catalog:
        return read_catalog(self._reader, without=self._request.target.history)

    def _notice(self, text: str, severity: str = "NOTICE") -> None:
        self._request.observer.notice(Notice(severity, text))


def _copy_target(request: Request, scratch: ConnectionTarget) -> Version | None:
    """The target's schema in the scratch database, and its version."""
    found = version(request)
    state = found.unwrap()
    if state is None:
        return None
    if state.dirty:
        raise MigrationError(
            Reason.DIRTY,
            f"the database is dirty at version {state.version}: nobody knows what its schema is",
            hint="`dbmigrate repair` first",
        )
    with tempfile.TemporaryDirectory(prefix="dbmigrate-rehearsal-") as directory:
        _pipe(request, scratch, Path(directory) / "schema.dump")
    if state.version is not None:
        force(replace(request, target=scratch), state.version).unwrap()
    return state.version


def _pipe(request: Request, scratch: ConnectionTarget, file: Path) -> None:
    history = request.target.history.name
    dump = ["--format=custom", "--schema-only", "--no-owner", "--no-privileges"]
    dump += [f"--exclude-table=*.{name}" for name in own_relations(history)]
    restore = ["--exit-on-error", "--no-owner", "--no-privileges", "--clean", "--if-exists"]
    stop = request.stop
    try:
        with file.open("wb") as out:
            program = find_program("pg_dump")
            run_program(
                program, dump, request.target, should_stop=lambda: stop.is_requested, stdout=out
            )
        with file.open("rb") as content:
            program = find_program("pg_restore")
            run_program(
                program, restore, scratch, should_stop=lambda: stop.is_requested, stdin=content
            )
    except Stopped:
        raise MigrationError(Reason.INTERRUPTED, "the rehearsal was stopped") from None


def _judge(steps: list[RehearsedStep]) -> MigrationError | None:
    wrong = [step for step in steps if step.left]
    return _not_undone(wrong) if wrong else None


def _not_undone(steps: list[RehearsedStep]) -> MigrationError:
    lines = []
    for step in steps:
        more = f", and {len(step.left) - SHOWN} more" if len(step.left) > SHOWN else ""
        lines.append(f"version {step.version} ({step.name}): {', '.join(step.left[:SHOWN])}{more}")
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"down is not the way back of up: {'; '.join(lines)}",
        hint="mend the down script, or leave it out if the step can't be undone",
    )


def _name(error: MigrationError, what: str, step: RehearsedStep) -> MigrationError:
    """The same error, with where in the rehearsal it came."""
    text = f"version {step.version} ({step.name}): {what}: {error.message}"
    named = MigrationError(
        error.reason,
        text,
        sqlstate=error.sqlstate,
        location=error.location,
        detail=error.detail,
        hint=error.hint,
    )
    named.__cause__ = error
    return named
