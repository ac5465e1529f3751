"""Where a target is, by its files and its history alone: no database is asked.

What is not plain (dirty, nothing applied yet, an edited file, an impossible plan) is left to a
run on the target, which says it as a run on one database does.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.many import WholeHistory
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.planning.plan import PlanInputs
from dbmigrate.runner.planning.up import out_of_order_migrations, plan_up
from dbmigrate.runner.preparation.edited_files import changed_migrations, missing_versions
from dbmigrate.sources.migration import Script, Source
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class Judgement:
    """A history that leaves no doubt."""

    version: Version
    steps: tuple[Version, ...]
    """What `up` would apply, in order."""
    is_consistent: bool
    """Whether `verify` has nothing against it."""


def judge(whole: WholeHistory, source: Source, policy: OutOfOrder) -> Judgement | None:
    """What there is to do; None where a run has to look closely."""
    version = whole.found.version
    if whole.found.dirty or whole.found.stored is None or version is None:
        return None
    applied = read_applied(whole.found, whole.log)
    inputs = PlanInputs(source, applied, _no_script)
    try:
        if any(changed_migrations(source, applied)):
            return None
        steps = plan_up(inputs, None, policy).steps
    except MigrationError:
        return None
    is_consistent = not (
        applied.gap
        or [*missing_versions(source, applied)]
        or out_of_order_migrations(inputs)
        or any(row.outcome == "running" for row in whole.log)
    )
    return Judgement(version, tuple(step.version for step in steps), is_consistent)


def _no_script(row: LogRow) -> Script:
    raise AssertionError(f"a way up needs no stored script, such as that of {row.version}")
