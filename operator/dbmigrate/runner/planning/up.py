"""The way up: what is pending, and in which order it is applied."""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.report import Reason
from dbmigrate.runner.planning.plan import (
    Plan,
    PlanInputs,
    no_file,
    no_files,
    require_known,
    require_sound,
    version_after,
)
from dbmigrate.runner.planning.step import PlannedStep, step_up, steps_up
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version


def out_of_order_migrations(ground: PlanInputs) -> tuple[Migration, ...]:
    """Those below the database's version that the log proves were never applied."""
    version = ground.version
    if version is None:
        return ()
    return tuple(
        migration
        for migration in ground.source.migrations
        if migration.version <= version and not ground.applied.covers(migration.version)
    )


def pending(ground: PlanInputs, version: Version | None) -> tuple[Migration, ...]:
    """What is still to be run at that version, without what was left out below it."""
    source = ground.source
    checkpoint = source.checkpoint(None) if version is None else None
    first = () if checkpoint is None else (checkpoint,)
    return (
        *first,
        *source.above(checkpoint.version if checkpoint else version),
        *outdated(ground),
    )


def outdated(ground: PlanInputs) -> tuple[Migration, ...]:
    """The repeatable migrations that have not run as they are now."""
    return tuple(m for m in ground.source.repeatables if not ground.applied.is_current(m))


def plan_up(ground: PlanInputs, limit: int | None, policy: OutOfOrder) -> Plan:
    """All steps up, or at most `limit` of them.

    Raises MigrationError: SourceInvalid, MissingVersion, OutOfOrder.
    """
    steps = find_steps_up(ground, None, policy)
    if limit is None:
        return Plan(require_sound(steps), version_after(steps, ground))
    if limit > 0 and not steps:
        raise no_file()
    steps_within = require_sound(steps[:limit])
    return Plan(steps_within, version_after(steps_within, ground), short=max(0, limit - len(steps)))


def plan_at_most(ground: PlanInputs, limit: int | None, policy: OutOfOrder) -> Plan:
    """The same, and fewer than the limit is enough."""
    steps = require_sound(find_steps_up(ground, None, policy)[:limit])
    return Plan(steps, version_after(steps, ground))


def plan_up_to(ground: PlanInputs, highest: Version, policy: OutOfOrder) -> Plan:
    """All steps up to versions that are not above that one, which need not exist itself.

    Raises MigrationError as `plan_up` does.
    """
    steps = require_sound(find_steps_up(ground, highest, policy))
    return Plan(steps, version_after(steps, ground))


def find_steps_up(
    ground: PlanInputs, to: Version | None, policy: OutOfOrder
) -> tuple[PlannedStep, ...]:
    version = ground.version
    if ground.source.is_empty and version is None:
        raise no_files(ground.source)
    if not ground.applied.validates_files:
        require_known(ground, version, in_source=to is None or version is None or to > version)
    late = tuple(m for m in out_of_order_migrations(ground) if to is None or m.version <= to)
    if late and policy is OutOfOrder.REJECT:
        raise _out_of_order(late, version)
    steps = []
    if policy is OutOfOrder.APPLY:
        steps += [step_up(migration, version, version) for migration in late]
    checkpoint = ground.source.checkpoint(to) if version is None else None
    if checkpoint is not None:
        steps.append(step_up(checkpoint, version, checkpoint.version))
        version = checkpoint.version
    for step in steps_up(ground.source.above(version), version):
        if to is not None and step.version > to:
            break
        steps.append(step)
        version = step.after
    steps += [step_up(migration, version, version) for migration in outdated(ground)]
    return tuple(steps)


def _out_of_order(late: tuple[Migration, ...], version: Version | None) -> MigrationError:
    names = ", ".join(f"{m.version} ({m.name})" for m in late[:5])
    more = f" and {len(late) - 5} more" if len(late) > 5 else ""
    return MigrationError(
        Reason.OUT_OF_ORDER,
        f"below the database's version {version}, but never applied: {names}{more}",
        hint="give it a version above the database's, or run with -out-of-order apply or ignore",
    )
