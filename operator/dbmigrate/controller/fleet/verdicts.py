"""The conditions of a set, and the sentences that they are made of."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.fleet.status import SetStatus, TargetFailure, Totals
from dbmigrate.controller.decisions.verdict import (
    Standing,
    Verdict,
    VerdictReason,
    stand_conditions,
)


class SetReason:
    """Reasons of Ready in addition to those of a DatabaseMigration."""

    SURVEYING = "Surveying"
    ALL_CURRENT = "AllCurrent"
    TARGETS_FAILED = "TargetsFailed"
    TOO_MANY_FAILURES = "TooManyFailures"
    WAVE_FAILED = "WaveFailed"
    SURVEY_FAILED = "SurveyFailed"
    PAUSED = "Paused"


def set_conditions(
    verdict: Verdict,
    status: SetStatus,
    *,
    generation: int,
    now: datetime,
    approved: bool | None = None,
) -> list[Condition]:
    """The conditions for this verdict and what is known of the targets."""
    dirty = status.targets.dirty if status.targets is not None else None
    if dirty is None:
        words = (Truth.UNKNOWN, "NotKnown", "no target has been asked yet")
    elif dirty:
        words = (Truth.TRUE, "Dirty", f"{count(dirty)} a step that was begun and not finished")
    else:
        words = (Truth.FALSE, "Clean", "")
    found = Condition(ConditionType.DIRTY, *words, generation, now)
    return stand_conditions(verdict, found, generation=generation, now=now, approved=approved)


def is_ready(status: SetStatus) -> bool:
    """Whether the last verdict was that all is well."""
    ready = status.condition(ConditionType.READY)
    return ready is not None and ready.status is Truth.TRUE


def same_as_before(status: SetStatus) -> Verdict | None:
    """The last verdict, if all was well or rolled back: it holds while the fleet is only looked at
    again."""
    ready = status.condition(ConditionType.READY)
    if ready is not None and ready.status is Truth.TRUE:
        return Verdict(Standing.READY, ready.reason, ready.message)
    if ready is not None and ready.reason == VerdictReason.ROLLED_BACK:
        return Verdict(Standing.PAUSED, ready.reason, ready.message)
    return None


def count(targets: int) -> str:
    """`1 target has`, `2 targets have`."""
    return "1 target has" if targets == 1 else f"{targets:,} targets have"


def describe_totals(totals: Totals) -> str:
    """`990 of 1,000 targets are current, 9 failed, 1 unreachable`."""
    parts = [f"{totals.current:,} of {totals.total:,} targets are current"]
    for word in ("pending", "failed", "dirty", "unreachable"):
        number = getattr(totals, word)
        if number:
            parts.append(f"{number:,} {word}")
    return ", ".join(parts)


def describe_failure(failures: tuple[TargetFailure, ...]) -> str:
    """The first of them, as the end of a sentence."""
    if not failures:
        return ""
    first = failures[0]
    place = f" at {first.file}" if first.file else ""
    place += f":{first.line}" if first.file and first.line else ""
    return f"; the first: {first.target}: {first.reason}{place}: {first.message}"
