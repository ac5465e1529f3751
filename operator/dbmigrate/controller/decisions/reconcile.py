"""The decision: from what is there to what is to be told and done next.

Pure, and asked again and again with whatever is known at the moment. There is no
state of ours beside the resource's status and its Jobs: an operator that has just
been started comes to the decision that the one before it would have come to.

Three rules hold throughout. No run is started while another one of the resource,
or a Pod of one, may be at work. A run that is under way is never stopped for a
change of the spec. Only passing failures are tried again by themselves.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from dbmigrate.api.conditions import settle_conditions
from dbmigrate.api.migration import Identity
from dbmigrate.api.spec import Approval
from dbmigrate.api.status import LastRun, MigrationStatus, PlanStatus
from dbmigrate.controller.decisions.approval import find_plan, is_approved, is_void, seek_approval
from dbmigrate.controller.decisions.backoff import retry_delay
from dbmigrate.controller.decisions.catch_up import (
    CaughtUp,
    catch_up,
    learn_from_answer,
    newest_answer,
)
from dbmigrate.controller.decisions.job_history import choose_discarded
from dbmigrate.controller.decisions.orders import carry_out_next, follow_actions, was_mended_since
from dbmigrate.controller.decisions.progress import describe_progress
from dbmigrate.controller.decisions.runs import ASKING, MENDING, MOVING, JobRun, RunCommand
from dbmigrate.controller.decisions.settled import (
    LOOK_INTERVAL,
    next_question,
    question,
    stay,
    stay_while_asked,
)
from dbmigrate.controller.decisions.verdict import (
    Standing,
    Verdict,
    VerdictReason,
    held,
    on_its_way,
    stuck,
    write_conditions,
)
from dbmigrate.controller.decisions.view import Conclusion, Decision, Rejection, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.controller.jobs.rehearsal import prepare_rehearsal
from dbmigrate.report import Reason, ReportError

REJECTION_INTERVAL = timedelta(seconds=30)
"""When a Job that the API server refused is offered again: a quota may have room by then."""


ENVIRONMENTAL = frozenset({Reason.AUTHENTICATION_FAILED, Reason.TLS_FAILED})
"""Lasting failures that are mended outside of the resource, in a Secret or a server: we are not
told, so each resync interval brings one more attempt. More would look like an attack."""


def reconcile(view: ResourceView, now: datetime) -> Decision:
    """Decide for one resource. The same view and time always give the same decision."""
    migration = view.migration
    if migration.identity.is_deleting:
        return Decision(migration.status)
    caught = catch_up(view, now)
    intent = migration.spec.intent(view.files.digest)
    step = prepare_rehearsal(view, caught.status, _decide(view, caught, intent, now), now)
    answer = newest_answer(view, caught.status.last_run, *ASKING, *MENDING)
    status = learn_from_answer(caught.status, answer)
    status = _write_status(view, status, step, intent, now)
    return Decision(
        status=status,
        order=step.order,
        discard=choose_discarded(view.runs, status.last_run, migration.spec.history),
        look_at=step.look_at,
        rests_on_absence=caught.rests_on_absence or step.order is not None or _is_unread(view),
        updates=(*follow_actions(view), *step.updates),
    )


def _is_unread(view: ResourceView) -> bool:
    """Whether a run has ended whose report the streams have not shown."""
    read = {pod.job for pod in view.pods if pod.ended is not None}
    return any(
        not run.is_active and run.command not in MOVING and run.name not in read
        for run in view.runs
    )


def _write_status(
    view: ResourceView, status: MigrationStatus, step: Conclusion, intent: str, now: datetime
) -> MigrationStatus:
    migration = view.migration
    generation = migration.identity.generation
    plan, approved = _judge_plan(view, status, step, intent)
    wanted = write_conditions(
        step.verdict, status, generation=generation, now=now, approved=approved
    )
    return replace(
        status,
        observed_generation=generation,
        plan=plan,
        next_retry_at=step.next_retry_at,
        conditions=settle_conditions(wanted, migration.status.conditions),
    )


def _judge_plan(
    view: ResourceView, status: MigrationStatus, step: Conclusion, intent: str
) -> tuple[PlanStatus | None, bool | None]:
    """The plan to show, and whether it is approved; None where nobody is asked."""
    if view.migration.spec.approval is not Approval.MANUAL:
        return None, None
    if step.verdict.standing is Standing.READY:
        return None, True
    plan = step.plan or status.plan
    if plan is None or plan.intent != intent or is_void(plan, status):
        return None, False
    return plan, is_approved(view, plan)


def _decide(view: ResourceView, caught: CaughtUp, intent: str, now: datetime) -> Conclusion:
    """Who is at work is waited for; then people's orders; then what the spec says."""
    busy = _wait_for_work(view, caught, intent, now)
    if busy is not None:
        return busy
    answer = carry_out_next(view, caught.status, intent)
    if isinstance(answer, Conclusion):
        return answer
    step = _follow_spec(view, caught, intent, now)
    return step if answer is None else replace(step, updates=(answer,))


def _follow_spec(view: ResourceView, caught: CaughtUp, intent: str, now: datetime) -> Conclusion:
    """The questions in the order in which they matter."""
    spec, last = view.migration.spec, caught.status.last_run
    hindered = _find_hindrance(view, now)
    if hindered is not None:
        return hindered
    is_mended = last is not None and was_mended_since(view, last)
    if last is not None and last.has_ended and last.intent == intent and not is_mended:
        if last.command == RunCommand.ROLLBACK:
            return Conclusion(_describe_rollback(last))
        if last.has_succeeded:
            return stay(view, caught, last, intent, now)
    if spec.suspend:
        return Conclusion(held(VerdictReason.SUSPENDED, "spec.suspend is set: nothing is started"))
    if view.rejection is not None:
        return _describe_rejection(view.rejection, now)
    if caught.unread is not None:
        return _ask(view, caught, caught.unread, now)
    if spec.approval is Approval.MANUAL:
        pause = seek_approval(view, caught.status, intent, now)
        if pause is not None:
            return pause
    return _go_on(view, caught, intent, now, is_mended=is_mended)


def _describe_rollback(last: LastRun) -> Verdict:
    """A person has ordered it: it holds until the resource wants something new, or a Retry."""
    if last.error is not None:
        return stuck(last.error.reason.value, f"the rollback failed: {_describe_error(last)}")
    text = f"rolled back to version {last.version or 'none'} by a MigrationAction"
    return held(VerdictReason.ROLLED_BACK, text)


def _describe_rejection(rejection: Rejection, now: datetime) -> Conclusion:
    if rejection.is_final:
        return Conclusion(stuck(VerdictReason.JOB_REJECTED, rejection.message))
    verdict = on_its_way(VerdictReason.JOB_REJECTED, rejection.message)
    return Conclusion(verdict, look_at=now + REJECTION_INTERVAL)


def _wait_for_work(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime
) -> Conclusion | None:
    """Somebody is at work on this database for us: say so and wait."""
    look_at = now + LOOK_INTERVAL
    if caught.orphan is not None:
        text = f"Pod {caught.orphan.name} is still running, its Job was deleted"
        return Conclusion(on_its_way(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    active = [run for run in view.runs if run.is_active]
    if not active:
        return None
    run = active[0]
    if run.command is RunCommand.STATUS and caught.unread is None:
        return stay_while_asked(view, caught, intent, run, now)
    if run.intent != intent:
        text = f"Job {run.name} is at work for generation {run.generation}; this one comes next"
        return Conclusion(on_its_way(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    verdict = describe_progress(run, view.pods, now)
    if run.command is RunCommand.PLAN and verdict.reason == VerdictReason.RUNNING:
        verdict = replace(verdict, reason=VerdictReason.PLANNING)
    return Conclusion(verdict, look_at=look_at)


def _find_hindrance(view: ResourceView, now: datetime) -> Conclusion | None:
    """What stands in the way of any run."""
    if view.elder is not None:
        text = f"DatabaseMigration {view.elder} is older and has the same database and history"
        return Conclusion(stuck(VerdictReason.DATABASE_CONFLICT, text))
    if view.files.missing is not None:
        verdict = on_its_way(
            VerdictReason.SOURCE_MISSING, f"ConfigMap {view.files.missing} does not exist yet"
        )
        return Conclusion(verdict, look_at=now + LOOK_INTERVAL)
    if view.files.invalid is not None:
        return Conclusion(stuck(VerdictReason.SOURCE_INVALID, view.files.invalid))
    return None


def _ask(view: ResourceView, caught: CaughtUp, unread: JobRun, now: datetime) -> Conclusion:
    """The report of a run is gone: the database knows how it ended."""
    text = f"Job {unread.name} succeeded, but its report is gone: asking the database"
    verdict = on_its_way(VerdictReason.READING_DATABASE, text)
    asked = caught.asking
    if asked is not None and asked.attempt > view.migration.spec.retry.limit:
        return Conclusion(stuck(VerdictReason.READING_DATABASE, text + "; no answer could be read"))
    return Conclusion(verdict, order=question(view, unread.intent), look_at=now + LOOK_INTERVAL)


def _go_on(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime, *, is_mended: bool
) -> Conclusion:
    """Start the first attempt at this intent, the next one, or none any more."""
    spec, identity, last = view.migration.spec, view.migration.identity, caught.status.last_run
    plan = find_plan(view, caught.status, intent) if spec.approval is Approval.MANUAL else None
    if last is None or (last.intent, last.generation) != (intent, identity.generation):
        return _start(identity.generation, intent, 1, plan)
    error = last.error
    # A plan that had changed was made again and approved again, else we would not be here.
    if is_mended or error is None or error.reason is Reason.PLAN_CHANGED:
        return _start(identity.generation, intent, last.attempts + 1, plan)
    said = f"{error.reason.value}: {_describe_error(last)}"
    if not error.retryable:
        return _stay_stuck(view, last, error, said, now, plan)
    limit, in_vain = spec.retry.limit, last.without_progress
    if in_vain > limit or not limit:
        text = f"{said} (gave up after {_count_runs(last)})"
        reason = VerdictReason.RETRIES_EXHAUSTED
        return Conclusion(stuck(error.reason.value, text, stalled_reason=reason))
    # Kept in the status once it is chosen: our clock and the API server's may differ.
    due = caught.status.next_retry_at
    if due is None:
        seed = f"{identity.uid}/{intent}"
        due = now + retry_delay(spec.retry, attempt=max(1, in_vain), seed=seed)
    if now >= due:
        return _start(identity.generation, intent, last.attempts + 1, plan)
    text = f"{said} (run {in_vain} of at most {limit + 1}, to be tried again)"
    if in_vain < last.attempts:
        text = f"{said} ({_count_runs(last)} of at most {limit + 1}, to be tried again)"
    return Conclusion(on_its_way(error.reason.value, text), look_at=due, next_retry_at=due)


def _count_runs(last: LastRun) -> str:
    """How many runs have come to nothing; those before the last one that did not are no matter."""
    if last.without_progress == last.attempts:
        return f"{last.attempts} runs"
    return f"{last.without_progress} runs in a row that came no further"


def _stay_stuck(
    view: ResourceView,
    last: LastRun,
    error: ReportError,
    said: str,
    now: datetime,
    plan: PlanStatus | None,
) -> Conclusion:
    """A person must act. Where we can't see it when they do, look once in a while."""
    verdict = stuck(error.reason.value, said)
    if error.reason not in ENVIRONMENTAL:
        return Conclusion(verdict)
    due = next_question(view, last, now)
    if due is None or now < due:
        return Conclusion(verdict, look_at=due)
    return _start(last.generation, last.intent, last.attempts + 1, plan)


def _start(generation: int, intent: str, attempt: int, plan: PlanStatus | None) -> Conclusion:
    order = RunOrder(RunCommand.GOTO, intent, attempt, generation, plan=plan)
    return Conclusion(
        on_its_way(VerdictReason.STARTING, f"attempt {attempt} is about to start"), order
    )


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
