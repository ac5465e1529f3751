"""The decision: from the observed state to the status and the next action.

Pure, and computed again for each event. The only state is the resource's status and
its Jobs: an operator that has just started makes the same decision as the one
before it.

Three rules hold throughout. No run is started while another run of the resource,
or a Pod of one, may be at work. A run whose container has started is never stopped
because the spec changed. Errors that are temporary, or are corrected elsewhere, are
retried; errors that only a change of the resource can correct are not.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import Condition, ConditionType, settle_conditions
from dbmigrate.api.fields import describe_unknown
from dbmigrate.api.migration import Identity
from dbmigrate.api.spec import Approval
from dbmigrate.api.status import LastRun, MigrationStatus, PlanStatus
from dbmigrate.controller.decisions.action_history import choose_adopted, choose_expired
from dbmigrate.controller.decisions.approval import is_approved, is_void, seek_approval
from dbmigrate.controller.decisions.attempts import ask_about, attempt, describe_error
from dbmigrate.controller.decisions.catch_up import (
    CaughtUp,
    catch_up,
    learn_from_answer,
    newest_answer,
)
from dbmigrate.controller.decisions.checks import find_last_answer
from dbmigrate.controller.decisions.drift import (
    choose_given_up,
    find_checks,
    judge_drift,
    order_check,
    split_off,
    take_in_drift,
)
from dbmigrate.controller.decisions.job_history import choose_discarded
from dbmigrate.controller.decisions.orders import (
    acknowledge,
    carry_out_next,
    follow_actions,
)
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
from dbmigrate.controller.decisions.ready import keep_asking, remain_ready
from dbmigrate.controller.decisions.runs import (
    ASKING,
    LINGER,
    MENDING,
    MOVING,
    JobRun,
    RunCommand,
    conclude,
)
from dbmigrate.controller.decisions.verdict import (
    Standing,
    Verdict,
    VerdictReason,
    in_progress,
    paused,
    stalled,
    write_conditions,
)
from dbmigrate.controller.decisions.view import Conclusion, Decision, Rejection, ResourceView
from dbmigrate.controller.decisions.waiting import wait_for_work
from dbmigrate.controller.jobs.rehearsal import prepare_rehearsal
from dbmigrate.report import Reason


def reconcile(view: ResourceView, now: datetime) -> Decision:
    """Decide for one resource. The same view and time always give the same decision."""
    migration = view.migration
    if migration.identity.is_deleting:
        return Decision(migration.status)
    everything = replace(view, runs=tuple(conclude(run, view.pods) for run in view.runs))
    view, beside = split_off(everything)
    intent = migration.spec.intent(view.files.digest)
    caught = catch_up(view, intent, now)
    step = prepare_rehearsal(view, caught.status, _decide(view, caught, intent, now), now)
    answer = newest_answer(view, caught.status.last_run, *ASKING, *MENDING)
    status = learn_from_answer(caught.status, answer)
    checks = find_checks(view, beside, status, intent)
    status = take_in_drift(status, view, checks, now)
    step = order_check(view, status, checks, step, now)
    drifted = judge_drift(view, status, checks, now)
    status = _excuse(status, step.withdraw)
    status = _write_status(view, status, step, intent, now, drifted)
    updates = (*follow_actions(view), *step.updates)
    if step.order is None:
        told = {update.action.uid for update in updates}
        updates += tuple(each for each in acknowledge(view) if each.action.uid not in told)
    return Decision(
        status=status,
        order=step.order,
        discard=(
            *choose_discarded(view.runs, status.last_run, migration.spec.history, now),
            *choose_given_up(view, checks, step, now),
        ),
        withdraw=(step.withdraw.name,) if step.withdraw is not None else (),
        look_at=_find_next_look(everything, step),
        rests_on_absence=(
            caught.rests_on_absence
            or step.order is not None
            or step.withdraw is not None
            or _is_unread(everything)
            or any(run.is_leftover(now) for run in everything.runs)
        ),
        adopt=choose_adopted(view),
        expired=choose_expired(view, status),
        answered_at=find_last_answer(view, status),
        updates=updates,
    )


def _excuse(status: MigrationStatus, run: JobRun | None) -> MigrationStatus:
    """A run that is removed before it started is no attempt that failed: the next one follows at
    once."""
    last = status.last_run
    if run is None or last is None or last.job != run.name or run.command is not RunCommand.GOTO:
        return status
    return replace(status, last_run=replace(last, cleared_by=run.name))


def _find_next_look(view: ResourceView, step: Conclusion) -> datetime | None:
    """When to look again: for the next due action, or to end what has outlived a runner."""
    ends = [run.lingers_since + LINGER for run in view.runs if run.lingers_since is not None]
    return min([*filter(None, [step.look_at]), *ends], default=None)


def _is_unread(view: ResourceView) -> bool:
    """Whether a run has ended whose report the watch streams have not shown yet."""
    read = {pod.job for pod in view.pods if pod.has_told}
    return any(
        not run.is_active and run.command not in MOVING and run.name not in read
        for run in view.runs
    )


def _write_status(
    view: ResourceView,
    status: MigrationStatus,
    step: Conclusion,
    intent: str,
    now: datetime,
    drifted: Condition | None,
) -> MigrationStatus:
    migration = view.migration
    generation = migration.identity.generation
    plan, approved = _judge_plan(view, status, step, intent)
    wanted = write_conditions(
        step.verdict, status, generation=generation, now=now, approved=approved
    )
    wanted += [drifted] if drifted is not None else []
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
    """The plan to show, and whether it is approved; None where no approval is needed."""
    if view.migration.spec.approval is not Approval.MANUAL:
        return None, None
    if step.verdict.standing in {Standing.READY, Standing.UNKNOWN}:
        return None, True
    plan = step.plan or status.plan
    if plan is None or plan.intent != intent or is_void(plan, status):
        return None, False
    return plan, is_approved(view, plan)


def _decide(view: ResourceView, caught: CaughtUp, intent: str, now: datetime) -> Conclusion:
    """First active work is waited for; then orders are carried out; then the spec."""
    busy = wait_for_work(view, caught, intent, now)
    if busy is not None:
        return _keep_verdict(view, caught, intent, now, busy)
    answer = carry_out_next(view, caught.status, intent, now)
    if isinstance(answer, Conclusion):
        return answer
    step = _follow_spec(view, caught, intent, now)
    return step if answer is None else replace(step, updates=(answer,))


def _keep_verdict(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime, busy: Conclusion
) -> Conclusion:
    """A periodic check does not change the verdict of the resource while it is at work."""
    if busy.verdict.reason != VerdictReason.READING_DATABASE or caught.unread is not None:
        return busy
    rest = _follow_spec(view, caught, intent, now)
    is_check = rest.order is None or rest.order.command is RunCommand.STATUS
    if rest.verdict.standing is Standing.IN_PROGRESS or not is_check:
        return busy
    return replace(rest, order=None, look_at=busy.look_at)


def _follow_spec(view: ResourceView, caught: CaughtUp, intent: str, now: datetime) -> Conclusion:
    """First what prevents all runs; then how the last run ended; then what is still to be run."""
    spec, last = view.migration.spec, caught.status.last_run
    hindered = _find_hindrance(view, now)
    if hindered is not None:
        return hindered
    is_cleared = last is not None and (last.cleared_by is not None or _was_refused(last))
    if last is not None and last.has_ended and last.intent == intent and not is_cleared:
        if last.command == RunCommand.ROLLBACK:
            return keep_asking(view, caught, _describe_rollback(last), intent, now)
        if last.has_succeeded:
            return remain_ready(view, caught, last, intent, now)
    if spec.suspend:
        return Conclusion(
            paused(VerdictReason.SUSPENDED, "spec.suspend is set: nothing is started")
        )
    step = _seek_target(view, caught, intent, now, is_cleared=is_cleared)
    if view.rejection is None or step.verdict.standing in {Standing.STALLED, Standing.PAUSED}:
        return step
    return _describe_rejection(view.rejection)


def _seek_target(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime, *, is_cleared: bool
) -> Conclusion:
    """The database is not known to be at the target."""
    if caught.unread is not None:
        return ask_about(view, caught, caught.unread, now)
    if view.migration.spec.approval is Approval.MANUAL:
        pause = seek_approval(view, caught.status, intent, now)
        if pause is not None:
            return pause
    return attempt(view, caught, intent, now, is_cleared=is_cleared)


def _was_refused(last: LastRun) -> bool:
    """Whether the last run was to carry out an order again, and has done nothing."""
    return last.error is not None and last.error.reason is Reason.ALREADY_DONE


def _describe_rollback(last: LastRun) -> Verdict:
    """A person ordered it: it holds until the resource has a new intent, or a Retry."""
    if last.error is not None:
        return stalled(last.error.reason.value, f"the rollback failed: {describe_error(last)}")
    text = f"rolled back to version {last.version or 'none'} by a MigrationAction"
    return paused(VerdictReason.ROLLED_BACK, text)


def _describe_rejection(rejection: Rejection) -> Conclusion:
    """No Job could be created; it is tried again whatever the reason."""
    describe = stalled if rejection.is_final else in_progress
    verdict = describe(rejection.reason, rejection.message)
    return Conclusion(verdict, look_at=rejection.retry_at)


def _find_hindrance(view: ResourceView, now: datetime) -> Conclusion | None:
    """The condition that prevents any run; None: there is none."""
    unknown = view.migration.spec.unknown
    if unknown:
        return Conclusion(stalled(VerdictReason.UNKNOWN_FIELDS, describe_unknown(unknown)))
    if view.older is not None:
        text = f"DatabaseMigration {view.older} is older and has the same database and history"
        return Conclusion(stalled(VerdictReason.DATABASE_CONFLICT, text))
    if view.files.missing is not None:
        verdict = in_progress(
            VerdictReason.SOURCE_MISSING, f"ConfigMap {view.files.missing} does not exist yet"
        )
        return Conclusion(verdict, look_at=now + LOOK_INTERVAL)
    if view.files.invalid is not None:
        return Conclusion(stalled(VerdictReason.SOURCE_INVALID, view.files.invalid))
    return None


def judge_spec(
    identity: Identity, before: MigrationStatus, problem: str, now: datetime
) -> MigrationStatus:
    """The status of a resource whose spec is invalid; what is known of its database is kept."""
    verdict = stalled(VerdictReason.INVALID_SPEC, problem)
    wanted = write_conditions(verdict, before, generation=identity.generation, now=now)
    drifted = before.condition(ConditionType.SCHEMA_DRIFTED)
    wanted += [drifted] if drifted is not None else []
    return replace(
        before,
        observed_generation=identity.generation,
        next_retry_at=None,
        conditions=settle_conditions(wanted, before.conditions),
    )
