"""Which MigrationActions the resource takes ownership of, and which are deleted."""

from __future__ import annotations

from dbmigrate.api.action import Action
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.view import ResourceView


def choose_adopted(view: ResourceView) -> tuple[Action, ...]:
    """The actions without an owner: as owned objects they are deleted with their resource."""
    return tuple(action for action in view.actions if not action.is_owned)


def choose_expired(view: ResourceView, status: MigrationStatus) -> tuple[Action, ...]:
    """The ended actions beyond spec.history.actions, never the approval of a plan in use."""
    in_use = {status.plan.hash if status.plan else None}
    in_use.add(status.last_run.plan if status.last_run else None)
    ended = [action for action in view.actions if action.has_ended]
    ended.sort(key=lambda action: (action.created_at, action.name), reverse=True)
    over = ended[view.migration.spec.history.actions :]
    return tuple(a for a in over if a.plan_hash is None or a.plan_hash not in in_use)
