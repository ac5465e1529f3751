"""The decision: from what is there to what is to be told and done next.

Pure, and asked again and again with whatever is known at the moment. There is no
state of ours beside the resource's status and its Jobs: an operator that has just
been started comes to the decision that the one before it would have come to.

Three rules hold throughout. No run is started while another one of the resource,
or a Pod of one, may be at work. A run that is under way is never stopped for a
change of the spec. Only passing failures are tried again by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dbmigrate.api.conditions import settle_conditions
from dbmigrate.api.migration import Identity, Migration
from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.controller.backoff import hash_fraction, retry_delay
from dbmigrate.controller.catch_up import (
    CaughtUp,
    catch_up,
    is_at_target,
    learn_from_answer,
    newest_answer,
    newest_run,
)
from dbmigrate.controller.history import choose_discarded
from dbmigrate.controller.job import RunOrder
from dbmigrate.controller.progress import describe_progress
from dbmigrate.controller.runs import Run, RunCommand
from dbmigrate.controller.verdict import (
    Verdict,
    VerdictReason,
    held,
    on_its_way,
    ready,
    stuck,
    write_conditions,
)
from dbmigrate.controller.view import Decision, View
from dbmigrate.report import Report

LOOK_INTERVAL = timedelta(seconds=60)
"""How often a resource is looked at that waits for something: a watch event may be lost."""
REJECTION_INTERVAL = timedelta(seconds=30)
"""When a Job that the API server refused is offered again: a quota may have room by then."""


@dataclass(frozen=True, slots=True)
class Step:
    """A verdict with what follows from it."""

    verdict: Verdict
    order: RunOrder | None = None
    look_at: datetime | None = None
    next_retry_at: datetime | None = None


def reconcile(view: View, now: datetime) -> Decision:
    """Decide for one resource. The same view and time always give the same decision."""
    migration = view.migration
    if migration.identity.is_deleting:
        return Decision(migration.status)
    caught = catch_up(view, now)
    step = _decide(view, caught, now)
    status = _learn_drift(view, caught.status)
    status = _write_status(migration, status, step, now)
    return Decision(
        status=status,
        order=step.order,
        discard=choose_discarded(view.runs, status.last_run, migration.spec.history),
        look_at=step.look_at,
        rests_on_absence=caught.rests_on_absence or step.order is not None,
    )


def _write_status(
    migration: Migration, status: MigrationStatus, step: Step, now: datetime
) -> MigrationStatus:
    generation = migration.identity.generation
    wanted = write_conditions(step.verdict, status, generation=generation, now=now)
    return replace(
        status,
        observed_generation=generation,
        next_retry_at=step.next_retry_at,
        conditions=settle_conditions(wanted, migration.status.conditions),
    )


def _learn_drift(view: View, status: MigrationStatus) -> MigrationStatus:
    last = status.last_run
    return status if last is None else learn_from_answer(status, newest_answer(view, last))


def _decide(view: View, caught: CaughtUp, now: datetime) -> Step:
    """The questions in the order in which they matter."""
    spec, last = view.migration.spec, caught.status.last_run
    intent = spec.intent(view.files.digest)
    busy = _wait_for_work(view, caught, intent, now)
    if busy is not None:
        return busy
    hindered = _find_hindrance(view, now)
    if hindered is not None:
        return hindered
    if last is not None and last.has_succeeded and last.intent == intent:
        return _stay(view, caught, last, intent, now)
    if spec.suspend:
        return Step(held(VerdictReason.SUSPENDED, "spec.suspend is set: nothing is started"))
    if view.rejection is not None:
        if view.rejection.is_final:
            return Step(stuck(VerdictReason.JOB_REJECTED, view.rejection.message))
        verdict = on_its_way(VerdictReason.JOB_REJECTED, view.rejection.message)
        return Step(verdict, look_at=now + REJECTION_INTERVAL)
    if caught.unread is not None:
        return _ask(view, caught, caught.unread, now)
    return _go_on(view, caught, last, intent, now)


def _wait_for_work(view: View, caught: CaughtUp, intent: str, now: datetime) -> Step | None:
    """Somebody is at work on this database for us: say so and wait."""
    look_at = now + LOOK_INTERVAL
    if caught.orphan is not None:
        text = f"Pod {caught.orphan.name} is still running, its Job was deleted"
        return Step(on_its_way(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    active = [run for run in view.runs if run.is_active]
    if not active:
        return None
    run = active[0]
    if run.command is RunCommand.STATUS and caught.unread is None:
        return _stay_while_asked(view, caught, intent, run, now)
    if run.intent != intent:
        text = f"Job {run.name} is at work for generation {run.generation}; this one comes next"
        return Step(on_its_way(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    return Step(describe_progress(run, view.pods, now), look_at=look_at)


def _stay_while_asked(view: View, caught: CaughtUp, intent: str, run: Run, now: datetime) -> Step:
    """A routine question to the database does not change what the resource says of itself."""
    last = caught.status.last_run
    look_at = now + LOOK_INTERVAL
    if last is not None and last.has_succeeded and last.intent == intent:
        return Step(_describe_success(view, last, caught.status), look_at=look_at)
    text = f"Job {run.name} asks the database for its state"
    return Step(on_its_way(VerdictReason.READING_DATABASE, text), look_at=look_at)


def _find_hindrance(view: View, now: datetime) -> Step | None:
    """What stands in the way of any run."""
    if view.elder is not None:
        text = f"DatabaseMigration {view.elder} is older and has the same database and history"
        return Step(stuck(VerdictReason.DATABASE_CONFLICT, text))
    if view.files.missing is not None:
        verdict = on_its_way(
            VerdictReason.SOURCE_MISSING, f"ConfigMap {view.files.missing} does not exist yet"
        )
        return Step(verdict, look_at=now + LOOK_INTERVAL)
    if view.files.invalid is not None:
        return Step(stuck(VerdictReason.SOURCE_INVALID, view.files.invalid))
    return None


def _stay(view: View, caught: CaughtUp, last: LastRun, intent: str, now: datetime) -> Step:
    """All is done. Ask the database now and then whether it still is."""
    verdict = _describe_success(view, last, caught.status)
    due = _next_question(view, last, now)
    if due is None or view.migration.spec.suspend:
        return Step(verdict)
    if now < due:
        return Step(verdict, look_at=due)
    return Step(verdict, order=_question(view, intent))


def _describe_success(view: View, last: LastRun, status: MigrationStatus) -> Verdict:
    answer = newest_answer(view, last)
    drift = _describe_drift(answer, last, view) if answer is not None else None
    if drift is not None:
        return stuck(VerdictReason.DRIFTED, drift)
    version = answer.version if answer is not None and answer.error is None else status.version
    outcome = last.outcome.value if last.outcome else ""
    return ready(outcome, f"the database is at version {version or 'none'}")


def _describe_drift(answer: Report, last: LastRun, view: View) -> str | None:
    """What has become of the database behind our back; None: nothing, or it can't be asked."""
    if answer.error is not None and not answer.error.retryable:
        return f"{answer.error.reason.value}: {answer.error.message}"
    if answer.dirty is None:
        return None
    if answer.dirty:
        return f"version {answer.version} has been left dirty by another tool or person"
    if is_at_target(answer, view.migration.spec):
        return None
    if answer.version == last.version:
        return f"{answer.pending} migrations are pending"
    return (
        f"the version has been moved from {last.version or 'none'} "
        f"to {answer.version or 'none'} by another tool or person"
    )


def _next_question(view: View, last: LastRun, now: datetime) -> datetime | None:
    """When the database is to be asked again; None: not by itself."""
    resync = view.resync
    if resync is None or resync.interval is None:
        return None
    asked = newest_run(view, RunCommand.STATUS)
    since = last.finished_at or now
    if asked is not None and asked.finished_at is not None:
        since = max(since, asked.finished_at)
    jitter = hash_fraction(view.migration.identity.uid)
    # What fell due while no operator was there comes spread out, not all at once.
    return max(
        since + resync.interval * (1 + 0.1 * jitter), resync.since + resync.interval * jitter
    )


def _question(view: View, intent: str) -> RunOrder:
    asked = newest_run(view, RunCommand.STATUS)
    attempt = asked.attempt + 1 if asked is not None else 1
    generation = view.migration.identity.generation
    return RunOrder(RunCommand.STATUS, intent, attempt, generation)


def _ask(view: View, caught: CaughtUp, unread: Run, now: datetime) -> Step:
    """The report of a run is gone: the database knows how it ended."""
    text = f"Job {unread.name} succeeded, but its report is gone: asking the database"
    verdict = on_its_way(VerdictReason.READING_DATABASE, text)
    asked = caught.asking
    if asked is not None and asked.attempt > view.migration.spec.retry.limit:
        return Step(stuck(VerdictReason.READING_DATABASE, text + "; no answer could be read"))
    return Step(verdict, order=_question(view, unread.intent), look_at=now + LOOK_INTERVAL)


def _go_on(view: View, caught: CaughtUp, last: LastRun | None, intent: str, now: datetime) -> Step:
    """Start the first attempt at this intent, the next one, or none any more."""
    spec, identity = view.migration.spec, view.migration.identity
    is_retry = (
        last is not None
        and last.has_ended
        and last.intent == intent
        and last.generation == identity.generation
    )
    if last is None or not is_retry or last.error is None:
        return _start(identity.generation, intent, 1)
    error, said = last.error, f"{last.error.reason.value}: {_describe_error(last)}"
    if not error.retryable:
        return Step(stuck(error.reason.value, said))
    if last.attempts > spec.retry.limit:
        text = f"{said} (gave up after {last.attempts} runs)"
        reason = VerdictReason.RETRIES_EXHAUSTED
        return Step(stuck(error.reason.value, text, stalled_reason=reason))
    # Kept in the status once it is chosen: our clock and the API server's may differ.
    due = caught.status.next_retry_at
    if due is None:
        seed = f"{identity.uid}/{intent}"
        due = now + retry_delay(spec.retry, attempt=last.attempts, seed=seed)
    if now >= due:
        return _start(identity.generation, intent, last.attempts + 1)
    text = f"{said} (run {last.attempts} of at most {spec.retry.limit + 1}, to be tried again)"
    return Step(on_its_way(error.reason.value, text), look_at=due, next_retry_at=due)


def _start(generation: int, intent: str, attempt: int) -> Step:
    order = RunOrder(RunCommand.GOTO, intent, attempt, generation)
    return Step(on_its_way(VerdictReason.STARTING, f"attempt {attempt} is about to start"), order)


def _describe_error(last: LastRun) -> str:
    """The message with its place in front."""
    error = last.error
    if error is None:
        return ""
    if error.file is None or error.file in error.message:
        return error.message
    numbers = [str(n) for n in (error.line, error.column) if n is not None]
    return f"{':'.join([error.file, *numbers])}: {error.message}"


def judge_spec(
    identity: Identity, before: MigrationStatus, problem: str, now: datetime
) -> MigrationStatus:
    """The status of a resource whose spec can't be understood; what is known is kept."""
    verdict = stuck(VerdictReason.INVALID_SPEC, problem)
    wanted = write_conditions(verdict, before, generation=identity.generation, now=now)
    return replace(
        before,
        observed_generation=identity.generation,
        next_retry_at=None,
        conditions=settle_conditions(wanted, before.conditions),
    )
