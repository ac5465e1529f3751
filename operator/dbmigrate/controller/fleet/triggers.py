"""Why a rollout begins, or when the next one is due."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.fleet.status import RolloutTrigger, SetStatus
from dbmigrate.api.spec import NEVER
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
from dbmigrate.controller.fleet import rollout as rollouts
from dbmigrate.controller.fleet.goal import (
    find_resumption,
    find_retry,
    find_rollback,
    waiting,
)
from dbmigrate.controller.fleet.next_job import next_survey
from dbmigrate.controller.fleet.view import SetView


def find_trigger(
    view: SetView, status: SetStatus, intent: str, now: datetime
) -> tuple[RolloutTrigger | None, datetime | None]:
    """Why a rollout begins now, or when the next one is due."""
    last = status.rollout
    if find_rollback(view, status, now) is not None:
        return RolloutTrigger.ACTION, None
    if last is not None and last.intent == intent and last.is_active and not last.survey:
        return last.trigger, None
    if last is None or last.intent != intent or last.is_active:
        return RolloutTrigger.CHANGE, None
    if last.reason is not None and last.generation != view.resource.identity.generation:
        return RolloutTrigger.CHANGE, None
    if view.targets.digest is not None and last.list_digest not in (None, view.targets.digest):
        return RolloutTrigger.CHANGE, None
    if last.is_refused:
        # The answer to the order is written first: this rollout is what tells it.
        is_answered = all(action.uid != last.action for action in waiting(view))
        return (RolloutTrigger.RESYNC if is_answered else None), now + LOOK_INTERVAL
    if find_resumption(view, status) is not None or find_retry(view, status) is not None:
        return RolloutTrigger.ACTION, None
    if view.find_job(next_survey(view, status, intent, now).name_for(view.resource)) is not None:
        return RolloutTrigger.RESYNC, None
    retry_at, resync_at = retry_due(view, status), _resync_due(view, status)
    if retry_at is not None and now >= retry_at:
        return RolloutTrigger.RETRY, None
    if resync_at is not None and now >= resync_at:
        return RolloutTrigger.RESYNC, None
    return None, min((each for each in (retry_at, resync_at) if each is not None), default=None)


def retry_due(view: SetView, status: SetStatus) -> datetime | None:
    """When a rollout that has failed is tried again; None: not by itself."""
    rollout, retry = status.rollout, view.resource.spec.template.retry
    if rollout is None or rollout.finished_at is None or rollout.reason is None:
        return None
    is_temporary = rollouts.is_temporary(status)
    if not retry.limit or not (is_temporary or rollouts.is_environmental(status)):
        return None
    number = rollout.failures_in_a_row + 1
    is_slow = not is_temporary or number > retry.limit
    seed = f"{view.resource.identity.uid}/{rollout.intent}/fleet"
    pace = ENVIRONMENT if is_slow else retry
    return rollout.finished_at + retry_delay(pace, attempt=number, seed=seed)


def _resync_due(view: SetView, status: SetStatus) -> datetime | None:
    own = view.resource.spec.check_interval
    interval = view.resync if own is None else own
    if interval is None or interval == NEVER:
        return None
    ended = status.rollout.finished_at if status.rollout is not None else None
    return ended + interval if ended is not None else None
