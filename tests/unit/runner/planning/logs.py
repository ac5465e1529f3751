"""Logs as runs write them, at random, and the rows of them that a command reads."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.planning.applied_number import Applied
from tests.unit.runner.planning.test_applied_number import row


def random_log(chance: random.Random, *, steps: int, highest: int = 9) -> list[LogRow]:
    """Steps up and down, late ones, forced versions, moves of another tool, tries that fail.

    Each row begins where the one before ended, as every run of ours sees to it.
    """
    rows: list[LogRow] = []
    for _ in range(steps):
        applied = Applied(rows)
        here = applied.version
        number = len(rows) + 1
        kind = chance.choice(["up", "up", "up", "down", "down", "late", "set", "failed", "running"])
        above = [v for v in range(1, highest + 1) if here is None or v > here]
        late = [
            v for v in range(1, highest) if here is not None and v < here and not applied.covers(v)
        ]
        if kind == "up" and above:
            version = chance.choice(above[:2])
            rows.append(row(number, "up", version, here, version))
        elif kind == "down" and here is not None:
            below = [v for v in applied.recorded if v < here]
            rows.append(row(number, "down", here, here, max(below, default=None)))
        elif kind == "late" and late:
            rows.append(row(number, "up", chance.choice(late), here, here))
        elif kind == "set":
            to = chance.choice([None, *range(1, highest + 1)])
            word = chance.choice(["force", "gap", "baseline", "prune"])
            found = row(number, word, None, here, here if word == "prune" else to)
            rows.append(replace(found, name=""))
        elif kind in ("failed", "running") and above:
            rows.append(row(number, "up", above[0], here, here, kind))
    return rows


def newest_rows(rows: Sequence[LogRow]) -> list[LogRow]:
    """What dbmigrate.postgres.history.log.reading asks the server for."""
    newest: dict[object, LogRow] = {}
    for each in rows:
        key: object = ("set", each.to_version)
        if each.version is not None:
            key = ("step", each.version, each.outcome, each.direction, each.name)
        newest[key] = each
    return sorted({each.id: each for each in (*newest.values(), *rows[-1:])}.values(), key=_id)


def _id(found: LogRow) -> int:
    return found.id
