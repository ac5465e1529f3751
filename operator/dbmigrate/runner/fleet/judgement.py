"""Where a target is, by its files and its history alone: no database is asked.

What is not plain (dirty, nothing applied yet, an edited file, an impossible plan) is left to a
run on the target, which says it as a run on one database does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.notes import find_order
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.many import WholeHistory
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import PlanInputs
from dbmigrate.runner.planning.up import out_of_order_migrations, plan_up
from dbmigrate.runner.preparation.edited_files import changed_migrations, missing_versions
from dbmigrate.runner.request import Options
from dbmigrate.sources.migration import Direction, Script, Source
from dbmigrate.versions import Version


class OrderState(Enum):
    """What the log has of the order that the run is for."""

    NONE = auto()
    """The run is for none."""
    NEW = auto()
    """It has not been carried out."""
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A history that leaves no doubt."""

    version: Version
    steps: tuple[Version, ...]
    """What would be applied or undone, in order."""
    is_consistent: bool
    """Whether `verify` has nothing against it."""
    order: OrderState = OrderState.NONE


def judge(
    whole: WholeHistory, source: Source, options: Options, wanted: Version | None = None
) -> Judgement | None:
    """What there is to do, up to the newest version or to that one; None where a run has to look
    closely."""
    version = whole.found.version
    if whole.found.dirty or whole.found.stored is None or version is None:
        return None
    applied = read_applied(whole.found, whole.log)
    inputs = PlanInputs(source, applied, _unread)
    is_up = wanted is None or wanted >= version
    try:
        if is_up and any(changed_migrations(source, applied)):
            return None
        if wanted is None:
            steps = plan_up(inputs, None, options.out_of_order).steps
        else:
            steps = plan_goto(inputs, wanted, options.out_of_order, options.rollback).steps
    except MigrationError:
        return None
    is_consistent = not (
        applied.gap
        or [*missing_versions(source, applied)]
        or out_of_order_migrations(inputs)
        or any(row.outcome == "running" for row in whole.log)
    )
    order = OrderState.NONE
    if options.order_id is not None:
        is_done = find_order(whole.notes, options.order_id) is not None
        order = OrderState.DONE if is_done else OrderState.NEW
    return Judgement(version, tuple(step.version for step in steps), is_consistent, order)


def _unread(row: LogRow) -> Script:
    """The stored script of a way down, which a run reads: that there is a way is enough here."""
    return Script(str(row.version), Direction.DOWN, bytes)
