"""Active work of a resource: it is waited for and reported, or replaced.

A run that has started is never stopped for another spec. One whose runner never started
has changed nothing, and is replaced at once when something else is wanted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.controller.decisions.catch_up import CaughtUp
from dbmigrate.controller.decisions.orders import is_run_awaited
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.progress import (
    LOOK_INTERVAL,
    describe_lost_node,
    describe_progress,
    next_look,
)
from dbmigrate.controller.decisions.ready import wait_for_answer
from dbmigrate.controller.decisions.retrying import ENVIRONMENTAL
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, has_begun
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, in_progress, stalled
from dbmigrate.controller.decisions.view import (
    Conclusion,
    ResourceView,
    has_other_settings,
)


def wait_for_work(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime
) -> Conclusion | None:
    """A run is at work on this database for the resource: report it and wait."""
    if caught.orphan is not None:
        return Conclusion(_describe_orphan(caught.orphan, now), look_at=now + LOOK_INTERVAL)
    active = [run for run in view.runs if run.is_active]
    if not active:
        return None
    run = active[0]
    look_at = next_look(run, view.pods, now)
    if _is_outdated(run, view, caught, intent, now) and not has_begun(run, view.pods):
        text = f"Job {run.name} never started, and something else is wanted now: it is removed"
        verdict = in_progress(VerdictReason.WAITING_FOR_RUN, text)
        return Conclusion(verdict, look_at=look_at, withdraw=None if run.is_deleting else run)
    if run.command is RunCommand.STATUS and caught.unread is None:
        return wait_for_answer(view, run, now)
    verdict = describe_progress(run, view.pods, view.troubles, now)
    if run.intent != intent and verdict.reason != VerdictReason.NODE_LOST:
        text = f"Job {run.name} is at work for generation {run.generation}; this one comes next"
        return Conclusion(in_progress(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)
    before = _find_lasting(view, run)
    if before is not None and verdict.reason == VerdictReason.RUNNING:
        return Conclusion(before, look_at=look_at)
    if run.command is RunCommand.PLAN and verdict.reason == VerdictReason.RUNNING:
        verdict = replace(verdict, reason=VerdictReason.PLANNING)
    return Conclusion(verdict, look_at=look_at)


def _find_lasting(view: ResourceView, run: JobRun) -> Verdict | None:
    """The verdict that holds while a stalled resource is tried once more by itself."""
    status = view.migration.status
    ready, before = (
        status.condition(kind) for kind in (ConditionType.READY, ConditionType.STALLED)
    )
    if ready is None or before is None or before.status is not Truth.TRUE:
        return None
    is_same = ready.observed_generation == run.generation and run.attempt > 1
    if run.action is not None or not is_same:
        return None
    # A plan that could not be made is made again at each resync, whatever the reason.
    is_tried_again = before.reason in {VerdictReason.RETRIES_EXHAUSTED, *ENVIRONMENTAL}
    if run.command is not RunCommand.PLAN and not (
        run.command is RunCommand.GOTO and is_tried_again
    ):
        return None
    return stalled(ready.reason, ready.message, stalled_reason=before.reason)


def _describe_orphan(pod: Pod, now: datetime) -> Verdict:
    """A Pod that runs on although its Job has been deleted or has ended."""
    if pod.has_lost_node(now):
        return describe_lost_node(pod, None, now)
    text = f"Pod {pod.name} is still running, its Job has been deleted or is over"
    return in_progress(VerdictReason.WAITING_FOR_RUN, text)


def _is_outdated(
    run: JobRun, view: ResourceView, caught: CaughtUp, intent: str, now: datetime
) -> bool:
    """Whether a run is out of date: the spec, the files, an order or a setting of the operator has
    changed."""
    wanted = (view.migration.identity.generation, intent)
    if (run.generation, run.intent) != wanted or has_other_settings(run, view):
        return True
    return is_run_awaited(view, caught.status, intent, now)
