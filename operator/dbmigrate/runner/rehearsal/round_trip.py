"""The rehearsal itself: each step up, down and up again, and what is different afterwards.

After each down script the schema has to be what it was before the up script, object by
object; what remains, is missing or has changed is named. All steps share one session, which
is brought back to its beginnings between two runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.schema.catalog import compare
from dbmigrate.postgres.schema.incremental import IncrementalCatalog
from dbmigrate.report import Reason
from dbmigrate.runner.answers import RehearsedStep
from dbmigrate.runner.execution.lock_sampling import HELD_COLUMN, strongest_locks
from dbmigrate.runner.observer import Notice, Observer
from dbmigrate.runner.perform import as_error
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.rehearsal.relations import find_rewritten, read_relations
from dbmigrate.runner.request import Request
from dbmigrate.runner.run import Run
from dbmigrate.runner.steps import run_steps
from dbmigrate.sources.migration import Direction, Script
from dbmigrate.versions import Role

SHOWN = 5
"""Objects that the error names for each step; the JSON document has all."""


_DISCARD = "DISCARD TEMP; DEALLOCATE ALL; UNLISTEN *; CLOSE ALL"
"""What a script may leave in its session; its settings are reset within each step."""


@contextmanager
def open_stage(
    request: Request,
    scratch: ConnectionTarget,
    reader: Session,
    *,
    observer: Observer | None = None,
) -> Iterator[Stage]:
    """A rehearsal on this scratch database. `observer` receives the steps; None: the request's
    own. Raises MigrationError, ServerFailure, ConnectionBroken."""
    options = request.options.on_scratch()
    observers = observer or request.observer
    playing = replace(request, target=scratch, options=options, observer=observers)
    run = Run(playing, is_locked=True, with_log=True)
    try:
        yield Stage(run, reader, request.observer)
    finally:
        run.database.close()


class Stage:
    """The scratch database, and the rehearsal's progress."""

    def __init__(self, run: Run, reader: Session, told: Observer) -> None:
        self._run = run
        self._reader = reader
        self._told = told
        self._history = run.request.target.history
        self.steps: list[RehearsedStep] = []
        """Those that are done."""
        self._catalog = IncrementalCatalog(reader, self._history)
        self._schema = self._catalog.read()
        """As the last step has left it."""

    def play(self, steps: Iterable[PlannedStep]) -> None:
        """Rehearse them. Raises MigrationError: those of the steps, and IrreversibleMigration
        for a down script that does not undo its up script."""
        for step in steps:
            if self._run.request.stop.is_requested:
                raise MigrationError(Reason.INTERRUPTED, "the rehearsal was stopped")
            if step.direction is Direction.UP:
                self.steps.append(self._rehearse(step))
            else:
                self._play(step)
                self._schema = self._catalog.read()
        wrong = [step for step in self.steps if step.left]
        if wrong:
            raise _not_undone(wrong)

    def _rehearse(self, step: PlannedStep) -> RehearsedStep:
        before = self._schema
        relations = read_relations(self._reader, without=self._history)
        up, held = self._sample(step)
        self._schema = made = self._catalog.read()
        found = read_relations(self._reader, without=self._history)
        names = {oid: relation.name for oid, relation in relations.items()}
        locks = strongest_locks(held, names)
        rewritten = find_rewritten(relations, found, step.script)
        done = RehearsedStep(step.version, step.name, up, locks=locks, rewritten=rewritten)
        for lock in locks:
            self._notice(f"{lock.table}: {lock.mode} lock, held for up to {up} ms")
        down = self._find_down(step)
        if down is None and step.role is not Role.VERSIONED:
            return done  # it has no down script
        if down is None:
            self._notice(f"version {step.version} has no down script", "WARNING")
            return done
        try:
            undone = self._play(_undo(step, down))
        except MigrationError as error:
            raise _name(error, "the way down failed", step) from error
        differences = [d.describe() for d in compare(before, self._catalog.read())]
        try:
            again = self._play(step)
        except MigrationError as error:
            if differences:
                self.steps.append(replace(done, left=tuple(differences)))
                raise _not_undone([s for s in self.steps if s.left]) from error
            raise _name(error, "the second way up failed", step) from error
        self._schema = self._catalog.read()
        differences += [f"the second time {d.describe()}" for d in compare(made, self._schema)]
        return replace(
            done, down_milliseconds=undone, again_milliseconds=again, left=tuple(differences)
        )

    def _find_down(self, step: PlannedStep) -> Script | None:
        source = self._run.request.source
        is_versioned = source is not None and step.role is Role.VERSIONED
        migration = source.find(step.version) if source is not None and is_versioned else None
        down = migration.down if migration is not None else None
        if down is not None and down.problem:
            raise MigrationError(Reason.SOURCE_INVALID, down.problem)
        return down

    def _sample(self, step: PlannedStep) -> tuple[int, list[Row]]:
        """Its milliseconds, and the locks that it held at its end. Raises MigrationError."""
        answers: dict[str, list[Row]] = {}
        self._run.database.lock_sample = answers
        try:
            return self._play(step), answers.get(HELD_COLUMN, [])
        finally:
            self._run.database.lock_sample = None

    def _play(self, step: PlannedStep) -> int:
        """Milliseconds. Raises MigrationError."""
        run = self._run
        try:
            run.begin(Plan((step,), step.after))
            run_steps(run, (step,))
            run.database.session.query(_DISCARD)
        except Exception as raised:
            raise as_error(raised, f"rehearsing version {step.version}") from raised
        return run.steps[-1].milliseconds

    def _notice(self, text: str, severity: str = "NOTICE") -> None:
        self._told.notice(Notice(severity, text))


def _undo(step: PlannedStep, down: Script) -> PlannedStep:
    return replace(
        step, direction=Direction.DOWN, script=down, before=step.after, after=step.before
    )


def _not_undone(steps: list[RehearsedStep]) -> MigrationError:
    lines = []
    for step in steps:
        more = f", and {len(step.left) - SHOWN} more" if len(step.left) > SHOWN else ""
        lines.append(f"version {step.version} ({step.name}): {', '.join(step.left[:SHOWN])}{more}")
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"down does not undo up: {'; '.join(lines)}",
        hint="fix the down script, or remove it if the step cannot be undone",
    )


def _name(error: MigrationError, what: str, step: PlannedStep) -> MigrationError:
    """The same error, with its place in the rehearsal."""
    message = f"version {step.version} ({step.name}): {what}: {error.message}"
    return error.but(message=message)
