"""The table of migrations: one row from one resource."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.status import MigrationStatus
from dbmigrate.kubectl.resource import Resource
from dbmigrate.kubectl.text.ages import age_of
from dbmigrate.kubectl.text.table import Cell, Tone

NONE = "<none>"
"""kubectl's word for a field without a value."""
_HEAD = ("NAME", "READY", "REASON", "VERSION", "TARGET", "PENDING", "DIRTY", "LAST RUN", "AGE")


def name_columns(*, with_namespace: bool, is_wide: bool) -> list[str]:
    """The head of the table."""
    before = ["NAMESPACE"] if with_namespace else []
    behind = ["DATABASE", "MESSAGE"] if is_wide else []
    return [*before, *_HEAD, *behind]


def make_row(
    resource: Resource, now: datetime, *, with_namespace: bool, is_wide: bool
) -> list[Cell]:
    """The resource in these columns."""
    status, ready = resource.status, resource.ready
    tone = judge(resource)
    last = status.last_run
    finished = last.finished_at if last is not None else None
    cells = [
        Cell(resource.name),
        Cell(ready.status.value if ready is not None else "Unknown", tone),
        Cell(ready.reason if ready is not None else NONE, tone),
        Cell(status.version or NONE),
        Cell(status.target or NONE),
        Cell(NONE if status.pending is None else str(status.pending)),
        _show_dirt(status),
        Cell(age_of(finished, now) or NONE),
        Cell(age_of(resource.identity.created_at, now) or NONE),
    ]
    if with_namespace:
        cells.insert(0, Cell(resource.identity.namespace))
    if is_wide:
        message = ready.message if ready is not None else ""
        cells += [Cell(resource.database or NONE), Cell(_one_line(message) or NONE)]
    return cells


def make_gone_row(namespace: str, name: str, columns: list[str]) -> list[Cell]:
    """The row of a resource that has been deleted."""
    known = {"NAMESPACE": namespace, "NAME": name, "READY": "Unknown", "REASON": "Deleted"}
    return [Cell(known.get(column, NONE)) for column in columns]


def identify(row: list[Cell], columns: list[str]) -> tuple[str, ...]:
    """The content of a row without ages: an equal row is not printed again."""
    ages = {"LAST RUN", "AGE"}
    return tuple(cell.text for cell, name in zip(row, columns, strict=True) if name not in ages)


def judge(resource: Resource) -> Tone:
    """Ready, in progress or waiting for a person, or stalled."""
    if resource.is_ready:
        return Tone.GOOD
    return Tone.BAD if resource.is_stalled else Tone.BUSY


def _show_dirt(status: MigrationStatus) -> Cell:
    if status.dirty is None:
        return Cell(NONE)
    if status.unfinished is not None:
        return Cell("true", Tone.BUSY)  # a step in batches continues
    return Cell("true", Tone.BAD) if status.dirty else Cell("false")


def _one_line(text: str) -> str:
    return " ".join(text.split())
