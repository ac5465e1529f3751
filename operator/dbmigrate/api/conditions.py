"""Conditions: what kubectl wait, Helm, Flux and Argo CD read.

Ready, Reconciling and Stalled are kstatus's three. Ready says whether the database is at the
resource's target; Reconciling, that work is in progress or will be tried again; Stalled, that a
person must act. Dirty repeats the history table's flag, Approved says whether the plan may be run,
SchemaDrifted whether the live schema differs from what the applied migrations make.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from dbmigrate.codec import Bound, wire
from dbmigrate.printable import block, clip

MESSAGE_LIMIT = 1024
"""Characters of a message. Events allow no more, and a list of resources is to stay small."""


class ConditionType(StrEnum):
    """The conditions of a DatabaseMigration."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    DIRTY = "Dirty"
    APPROVED = "Approved"
    SCHEMA_DRIFTED = "SchemaDrifted"


class Truth(StrEnum):
    """A condition's status."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`."""

    type: ConditionType
    status: Truth
    reason: Annotated[str, Bound(MESSAGE_LIMIT)]
    message: Annotated[str, Bound(MESSAGE_LIMIT)] = wire(absent="", always=True)
    observed_generation: int = wire(absent=0, always=True)
    last_transition_time: datetime = wire()


def settle_conditions(
    wanted: Iterable[Condition], previous: Iterable[Condition]
) -> tuple[Condition, ...]:
    """The conditions to write; a transition time changes only where the status changes."""
    before = {condition.type: condition for condition in previous}
    settled = []
    for condition in wanted:
        old = before.get(condition.type)
        since = condition.last_transition_time
        if old is not None and old.status == condition.status:
            since = old.last_transition_time
        message = shorten(condition.message)
        settled.append(replace(condition, last_transition_time=since, message=message))
    return tuple(settled)


def shorten(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text, escaped for output, and cut with an ellipsis at the limit."""
    return clip(block(text), limit)
