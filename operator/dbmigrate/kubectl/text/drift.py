"""What the newest drift check has found, as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.drift import DriftStatus
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.resource import Resource
from dbmigrate.kubectl.text.ages import age_of
from dbmigrate.kubectl.text.table import Cell, Tone

_TONES = {Truth.TRUE: Tone.BAD, Truth.UNKNOWN: Tone.BUSY}


class NoDrift(RequestFailed):
    """The live schema is not compared, or was not yet."""


def find_drift(resource: Resource) -> DriftStatus:
    """The newest answer. Raises NoDrift, which says why there is none."""
    condition, found = (
        resource.status.condition(ConditionType.SCHEMA_DRIFTED),
        resource.status.drift,
    )
    if condition is None:
        raise NoDrift(
            f"the schema of {resource.name} is not compared: its spec.drift.schema is not Report"
        )
    if found is None or found.checked_at is None:
        text = f"{condition.reason}: {condition.message}"
        raise NoDrift(f"the schema of {resource.name} was not compared yet: {text}")
    return found


def describe_drift(resource: Resource, found: DriftStatus, now: datetime) -> Iterator[list[Cell]]:
    """The lines: how many objects differ, then each with its changes and the statements that undo
    them."""
    count, age = found.differences_total, age_of(found.checked_at, now)
    yield [
        Cell(_count(count), Tone.BAD if count else Tone.GOOD),
        Cell(f" from what the migrations up to {found.version or 'none'} make"),
        Cell(f", checked {age} ago" if age else ""),
    ]
    if found.error is not None:
        text = f"the newest check could not be made: {found.reason}: {found.error}"
        yield [Cell(text, Tone.BUSY)]
    for each in found.differences:
        yield [Cell(f"  {each}", Tone.HEAD)]
        if each.details:
            yield [Cell(f"    {each.details}")]
        if each.undo:
            yield [Cell(f"    undo: {each.undo};")]
    hidden = count - len(found.differences)
    if hidden > 0:
        log = f"kubectl dbmigrate logs {resource.name} --job {found.job}"
        yield [Cell(f"  ... and {hidden} more, which the status does not hold: {log}", Tone.BUSY)]


def summarize_drift(resource: Resource) -> tuple[str, Tone] | None:
    """The condition in one line; None: the schema is not compared."""
    condition = resource.status.condition(ConditionType.SCHEMA_DRIFTED)
    if condition is None:
        return None
    tone = _TONES.get(condition.status, Tone.PLAIN)
    text = condition.message.splitlines()[0] if condition.message else condition.reason
    return f"{condition.status.value}, {condition.reason}: {text}", tone


def _count(count: int) -> str:
    if not count:
        return "nothing differs"
    return f"{count} object{' differs' if count == 1 else 's differ'}"
