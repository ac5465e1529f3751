"""The smallest merge patch that turns one status into another, and a smaller status.

For migrations and for sets.

An empty patch means that there is nothing to write. Unknown fields, for example
those of a newer operator, are left as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from dbmigrate.api.conditions import Condition, ConditionType, shorten
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.status import SET_STATUS_FIELDS, SetStatus
from dbmigrate.api.status import STATUS_FIELDS, LastRun, MigrationStatus
from dbmigrate.api.trial import NO_TRIAL

OURS = frozenset(STATUS_FIELDS.values())
SHORT = 400
"""Characters of each text in a smaller status."""

Told = TypeVar("Told", MigrationStatus, SetStatus)
"""The status of either kind."""


def status_patch(current: Document, wanted: Document) -> Document:
    """The patch for the current status; lists are replaced as a whole."""
    known = {key: value for key, value in current.items() if key in OURS}
    if not known.get("history") and not wanted.get("history"):
        known.pop("history", None)
        wanted = {key: value for key, value in wanted.items() if key != "history"}
    return difference(known, wanted)


def set_status_patch(current: Document, wanted: Document) -> Document:
    """The same for a set."""
    known = {key: value for key, value in current.items() if key in SET_STATUS_FIELDS}
    return difference(known, wanted)


def reduce_status(status: MigrationStatus) -> MigrationStatus:
    """The part that the next decision needs: for an API server that refuses the whole."""
    return MigrationStatus(
        observed_generation=status.observed_generation,
        version=status.version,
        dirty=status.dirty,
        last_run=_reduce_run(status.last_run) if status.last_run is not None else None,
        next_retry_at=status.next_retry_at,
        conditions=_reduce_conditions(status.conditions),
    )


def reduce_set_status(status: SetStatus) -> SetStatus:
    """The same of a set: one failure of each reason, by which a rollout is tried again or not,
    and the plan without its steps."""
    rollout, plan = status.rollout, status.plan
    failures = {each.reason: each for each in reversed(status.failures)}
    if rollout is not None:
        rollout = replace(rollout, message=shorten(rollout.message, SHORT))
    return replace(
        status,
        rollout=rollout,
        waves=tuple(replace(wave, message=shorten(wave.message, SHORT)) for wave in status.waves),
        failures=tuple(
            replace(each, message=shorten(each.message, SHORT), file=None, line=None)
            for each in reversed(failures.values())
        ),
        plan=replace(plan, steps=(), trial=NO_TRIAL) if plan is not None else None,
        conditions=_reduce_conditions(status.conditions),
    )


def note_refusal(status: Told, refusal: str) -> Told:
    """The status, with the reason why parts of it are missing in Ready's message."""
    noted = tuple(
        replace(
            condition,
            message=f"{shorten(condition.message, SHORT)} (parts of the status are missing:"
            f" the API server refused it: {shorten(refusal, SHORT)})",
        )
        if condition.type is ConditionType.READY
        else condition
        for condition in status.conditions
    )
    return replace(status, conditions=noted)


def _reduce_conditions(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(replace(each, message=shorten(each.message, SHORT)) for each in conditions)


def _reduce_run(run: LastRun) -> LastRun:
    error = run.error
    if error is not None:
        error = replace(
            error,
            message=shorten(error.message, SHORT),
            file=None,
            line=None,
            column=None,
            excerpt=None,
            detail=None,
            hint=None,
        )
    return replace(run, error=error, trial=NO_TRIAL, milliseconds=None)


def difference(current: Document, wanted: Document) -> Document:
    """The smallest merge patch that turns one document into another."""
    patch: Document = {key: None for key in current if key not in wanted}
    for key, value in wanted.items():
        before = current.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in current or before != value:
            patch[key] = value
    return patch
