"""Routines whose bodies are texts.

PostgreSQL checks the body of a function when it is created, and rejects one that names a
table which is created later. pg_depend does not cover such bodies, so no order can be
derived from it; as pg_dump does, the check is disabled for the transaction. The bodies were
checked when the desired schema was loaded.
"""

from __future__ import annotations

from dbmigrate.diff import objects as o
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World

STATEMENT = "SET LOCAL check_function_bodies = off"


def allow_unchecked_bodies(
    placed: list[tuple[int, PlannedStatement]], world: World
) -> list[tuple[int, PlannedStatement]]:
    """With that statement before the first such routine of a file that holds anything else."""
    result: list[tuple[int, PlannedStatement]] = []
    done: set[int] = set()
    is_alone = len(placed) == 1
    for file, step in placed:
        each = world.after.objects.get(step.about)
        is_made = step.slot in (Slot.CREATE, Slot.ALTER)
        has_text = isinstance(each, o.Routine) and each.has_text_body
        if is_made and has_text and not is_alone and file not in done:
            done.add(file)
            setting = PlannedStatement(
                sql=STATEMENT, about=step.about, action="set", slot=Slot.CREATE
            )
            result.append((file, setting))
        result.append((file, step))
    return result
