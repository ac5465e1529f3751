"""The smallest merge patch that turns one status into another, and a smaller status.

An empty patch means that there is nothing to write. Unknown fields, for example
those of a newer operator, are left as they are.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.api.conditions import ConditionType, shorten
from dbmigrate.api.fields import Document
from dbmigrate.api.status import STATUS_FIELDS, LastRun, MigrationStatus
from dbmigrate.api.trial import NO_TRIAL

OURS = frozenset(STATUS_FIELDS.values())
SHORT = 400
"""Characters of each text in a smaller status."""


def status_patch(current: Document, wanted: Document) -> Document:
    """The patch for the current status; lists are replaced as a whole."""
    known = {key: value for key, value in current.items() if key in OURS}
    if not known.get("history") and not wanted.get("history"):
        known.pop("history", None)
        wanted = {key: value for key, value in wanted.items() if key != "history"}
    return difference(known, wanted)


def reduce_status(status: MigrationStatus) -> MigrationStatus:
    """The part that the next decision needs: for an API server that refuses the whole."""
    return MigrationStatus(
        observed_generation=status.observed_generation,
        version=status.version,
        dirty=status.dirty,
        last_run=_reduce_run(status.last_run) if status.last_run is not None else None,
        next_retry_at=status.next_retry_at,
        conditions=tuple(
            replace(condition, message=shorten(condition.message, SHORT))
            for condition in status.conditions
        ),
    )


def note_refusal(status: MigrationStatus, refusal: str) -> MigrationStatus:
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
