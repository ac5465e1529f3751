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
from datetime import datetime

from dbmigrate.api.conditions import ConditionType, Truth, settle_conditions
from dbmigrate.api.migration import Identity
from dbmigrate.api.spec import Approval
from dbmigrate.api.status import LastRun, MigrationStatus, Plan
from dbmigrate.controller.decisions.action_history import choose_adopted, choose_expired
from dbmigrate.controller.decisions.approval import find_plan, is_approved, is_void, seek_approval
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.catch_up import (
    CaughtUp,
    catch_up,
    learn_from_answer,
    newest_answer,
)
from dbmigrate.controller.decisions.checks import find_last_answer
from dbmigrate.controller.decisions.job_history import choose_discarded
from dbmigrate.controller.decisions.orders import (
    acknowledge,
    carry_out_next,
    follow_actions,
    is_run_awaited,
)
from dbmigrate.controller.decisions.progress import (
    LOOK_INTERVAL,
    describe_lost_node,
    describe_progress,
    next_look,
)
from dbmigrate.controller.decisions.retrying import ENVIRONMENTAL
from dbmigrate.controller.decisions.runs import (
    ASKING,
    LINGER,
    MENDING,
    MOVING,
    Pod,
    Run,
    RunCommand,
    has_begun,
    settle,
)
from dbmigrate.controller.decisions.settled import (
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
from dbmigrate.controller.decisions.view import Decision, Rejection, Step, View
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.controller.jobs.rehearsal import prepare_rehearsal
from dbmigrate.report import Reason, ReportError


def reconcile(view: View, now: datetime) -> Decision:
    """Decide for one resource. The same view and time always give the same decision."""
    migration = view.migration
    if migration.identity.is_deleting:
        return Decision(migration.status)
    view = replace(view, runs=tuple(settle(run, view.pods) for run in view.runs))
    caught = catch_up(view, now)
    intent = migration.spec.intent(view.files.digest)
    step = prepare_rehearsal(view, caught.status, _decide(view, caught, intent, now), now)
    answer = newest_answer(view, caught.status.last_run, *ASKING, *MENDING)
    status = learn_from_answer(caught.status, answer)
    status = _write_status(view, status, step, intent, now)
    updates = (*follow_actions(view), *step.updates)
    if step.order is None:
        told = {update.action.uid for update in updates}
        updates += tuple(each for each in acknowledge(view) if each.action.uid not in told)
    return Decision(
        status=status,
        order=step.order,
        discard=choose_discarded(view.runs, status.last_run, migration.spec.history, now),
        withdraw=(step.withdraw.name,) if step.withdraw is not None else (),
        look_at=_find_next_look(view, step),
        rests_on_absence=(
            caught.rests_on_absence
            or step.order is not None
            or step.withdraw is not None
            or _is_unread(view)
        ),
        adopt=choose_adopted(view),
        expired=choose_expired(view, status),
        answered_at=find_last_answer(view, status),
        updates=updates,
    )


def _find_next_look(view: View, step: Step) -> datetime | None:
    """When to look again: for what comes next, or to end what has outlived a runner."""
    ends = [run.lingers_since + LINGER for run in view.runs if run.lingers_since is not None]
    return min([*filter(None, [step.look_at]), *ends], default=None)


def _is_unread(view: View) -> bool:
    """Whether a run has ended whose report the streams have not shown."""
    read = {pod.job for pod in view.pods if pod.has_told}
    return any(
        not run.is_active and run.command not in MOVING and run.name not in read
        for run in view.runs
    )


def _write_status(
    view: View, status: MigrationStatus, step: Step, intent: str, now: datetime
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
    view: View, status: MigrationStatus, step: Step, intent: str
) -> tuple[Plan | None, bool | None]:
    """The plan to show, and whether it is approved; None where nobody is asked."""
    if view.migration.spec.approval is not Approval.MANUAL:
        return None, None
    if step.verdict.standing in {Standing.READY, Standing.UNKNOWN}:
        return None, True
    plan = step.plan or status.plan
    if plan is None or plan.intent != intent or is_void(plan, status):
        return None, False
    return plan, is_approved(view, plan)


def _decide(view: View, caught: CaughtUp, intent: str, now: datetime) -> Step:
    """Who is at work is waited for; then people's orders; then what the spec says."""
    busy = _wait_for_work(view, caught, intent, now)
    if busy is not None:
        return busy
    answer = carry_out_next(view, caught.status, intent, now)
    if isinstance(answer, Step):
        return answer
    step = _follow_spec(view, caught, intent, now)
    return step if answer is None else replace(step, updates=(answer,))


def _follow_spec(view: View, caught: CaughtUp, intent: str, now: datetime) -> Step:
    """The questions in the order in which they matter."""
    spec, last = view.migration.spec, caught.status.last_run
    hindered = _find_hindrance(view, now)
    if hindered is not None:
        return hindered
    is_mended = last is not None and last.cleared_by is not None
    if last is not None and last.has_ended and last.intent == intent and not is_mended:
        if last.command == RunCommand.ROLLBACK:
            return Step(_describe_rollback(last))
        if last.has_succeeded:
            return stay(view, caught, last, intent, now)
    if spec.suspend:
        return Step(held(VerdictReason.SUSPENDED, "spec.suspend is set: nothing is started"))
    if view.rejection is not None:
        return _describe_rejection(view.rejection)
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


def _describe_rejection(rejection: Rejection) -> Step:
    """No Job could be created; whatever the reason, it is tried again."""
    verdict = on_its_way(VerdictReason.JOB_REJECTED, rejection.message)
    if rejection.is_passing:
        verdict = on_its_way(VerdictReason.JOB_NOT_CREATED, rejection.message)
    elif rejection.is_final:
        verdict = stuck(VerdictReason.JOB_REJECTED, rejection.message)
    return Step(verdict, look_at=rejection.retry_at)


def _wait_for_work(view: View, caught: CaughtUp, intent: str, now: datetime) -> Step | None:
    """Somebody is at work on this database for us: say so and wait."""
    if caught.orphan is not None:
        return Step(_describe_orphan(caught.orphan, now), look_at=now + LOOK_INTERVAL)
    active = [run for run in view.runs if run.is_active]
    if not active:
        return None
    run = active[0]
    look_at = next_look(run, view.pods, now)
    if _is_outdated(run, view, caught, intent, now) and not has_begun(run, view.pods):
        text = f"Job {run.name} never started, and something else is wanted now: it is removed"
        verdict = on_its_way(VerdictReason.WAITING_FOR_RUN, text)
        return Step(verdict, look_at=look_at, withdraw=None if run.is_deleting else run)
    if run.command is RunCommand.STATUS and caught.unread is None:
        return stay_while_asked(view, caught, intent, run, now)
    verdict = describe_progress(run, view.pods, view.troubles, now)
    if run.intent != intent and verdict.reason != VerdictReason.NODE_LOST:
        text = f"Job {run.name} is at work for generation {run.generation}; this one comes next"
        return Step(on_its_way(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    before = _find_lasting(view, run)
    if before is not None and verdict.reason == VerdictReason.RUNNING:
        return Step(before, look_at=look_at)
    if run.command is RunCommand.PLAN and verdict.reason == VerdictReason.RUNNING:
        verdict = replace(verdict, reason=VerdictReason.PLANNING)
    return Step(verdict, look_at=look_at)


def _find_lasting(view: View, run: Run) -> Verdict | None:
    """The verdict that holds while a stalled resource is tried once more by itself."""
    status = view.migration.status
    ready, stalled = (
        status.condition(kind) for kind in (ConditionType.READY, ConditionType.STALLED)
    )
    if ready is None or stalled is None or stalled.status is not Truth.TRUE:
        return None
    is_same = ready.observed_generation == run.generation and run.attempt > 1
    if run.command is not RunCommand.GOTO or run.action is not None or not is_same:
        return None
    is_tried_again = stalled.reason in {VerdictReason.RETRIES_EXHAUSTED, *ENVIRONMENTAL}
    if not is_tried_again:
        return None
    return stuck(ready.reason, ready.message, stalled_reason=stalled.reason)


def _describe_orphan(pod: Pod, now: datetime) -> Verdict:
    """A Pod that works on although its Job has been deleted, or is over."""
    if pod.has_lost_node(now):
        return describe_lost_node(pod, None, now)
    text = f"Pod {pod.name} is still running, its Job has been deleted or is over"
    return on_its_way(VerdictReason.WAITING_FOR_RUN, text)


def _is_outdated(run: Run, view: View, caught: CaughtUp, intent: str, now: datetime) -> bool:
    """Whether a run is not what is wanted any more: by the spec, the files or an order."""
    wanted = (view.migration.identity.generation, intent)
    if (run.generation, run.intent) != wanted:
        return True
    return is_run_awaited(view, caught.status, intent, now)


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


def _ask(view: View, caught: CaughtUp, unread: Run, now: datetime) -> Step:
    """A run has left no report: the database knows how it ended."""
    text = f"Job {unread.name} has ended without a report: asking the database"
    verdict = on_its_way(VerdictReason.READING_DATABASE, text)
    asked, look_at = caught.asking, now + LOOK_INTERVAL
    if asked is None:
        return Step(verdict, order=question(view, unread.intent), look_at=look_at)
    due = caught.status.next_retry_at
    if due is None:
        due = now + retry_delay(ENVIRONMENT, attempt=asked.attempt, seed=asked.migration_uid)
    if now >= due:
        return Step(verdict, order=question(view, unread.intent), look_at=look_at)
    if asked.attempt > view.migration.spec.retry.limit:
        verdict = stuck(VerdictReason.READING_DATABASE, text + "; no answer could be read")
    return Step(verdict, look_at=due, next_retry_at=due)


def _go_on(view: View, caught: CaughtUp, intent: str, now: datetime, *, is_mended: bool) -> Step:
    """Start the first attempt at this intent, the next one, or none any more."""
    spec, identity, last = view.migration.spec, view.migration.identity, caught.status.last_run
    plan = find_plan(view, caught.status, intent) if spec.approval is Approval.MANUAL else None
    if last is None or (last.intent, last.generation) != (intent, identity.generation):
        return _start(identity.generation, intent, 1, plan)
    error = last.error
    # A plan that had changed was made again and approved again, else we would not be here.
    if is_mended or error is None or error.reason is Reason.PLAN_CHANGED:
        return _start(identity.generation, intent, last.attempts + 1, plan)
    said = _describe_error(last)
    if not error.retryable:
        return _stay_stuck(view, caught.status, last, error, now, plan)
    limit, in_vain = spec.retry.limit, last.without_progress
    if in_vain > limit or not limit:
        return _give_up(view, caught.status, last, error, now, plan)
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
    return Step(on_its_way(error.reason.value, text), look_at=due, next_retry_at=due)


def _count_runs(last: LastRun) -> str:
    """How many runs have come to nothing; those before the last one that did not are no matter."""
    if last.without_progress == last.attempts:
        return f"{last.attempts} runs"
    return f"{last.without_progress} runs in a row that came no further"


def _stay_stuck(
    view: View,
    status: MigrationStatus,
    last: LastRun,
    error: ReportError,
    now: datetime,
    plan: Plan | None,
) -> Step:
    """A person must act. Where we cannot see it when they do, try now and then."""
    verdict = stuck(error.reason.value, _describe_error(last))
    if error.reason not in ENVIRONMENTAL:
        return Step(verdict)
    due = status.next_retry_at
    if due is None:
        seed = f"{view.migration.identity.uid}/{last.intent}"
        due = now + retry_delay(ENVIRONMENT, attempt=max(1, last.without_progress), seed=seed)
    if now >= due:
        return _start(last.generation, last.intent, last.attempts + 1, plan)
    return Step(verdict, look_at=due, next_retry_at=due)


def _give_up(
    view: View,
    status: MigrationStatus,
    last: LastRun,
    error: ReportError,
    now: datetime,
    plan: Plan | None,
) -> Step:
    """The retries are used up. What may pass by itself is tried once more each resync interval."""
    text = f"{_describe_error(last)} (gave up after {_count_runs(last)}"
    due = next_question(view, status, last, now) if view.migration.spec.retry.limit else None
    if due is not None and now >= due:
        return _start(last.generation, last.intent, last.attempts + 1, plan)
    text += ", tried again at each resync)" if due is not None else ")"
    reason = VerdictReason.RETRIES_EXHAUSTED
    return Step(stuck(error.reason.value, text, stalled_reason=reason), look_at=due)


def _start(generation: int, intent: str, attempt: int, plan: Plan | None) -> Step:
    order = RunOrder(RunCommand.GOTO, intent, attempt, generation, plan=plan)
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
