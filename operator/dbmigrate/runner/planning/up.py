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
    no_migration,
    require_known,
    require_sound,
    version_after,
)
from dbmigrate.runner.planning.squashed import (
    left_out,
    require_archived,
    require_listed,
    require_whole,
)
from dbmigrate.runner.planning.step import PlannedStep, step_up, steps_up
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version


def out_of_order_migrations(inputs: PlanInputs) -> tuple[Migration, ...]:
    """Those below the database's version that the log proves were never applied. One that a
    squashed file has replaced has scripts only where the archive has them."""
    version = inputs.version
    if version is None:
        return ()
    here = (
        migration
        for migration in inputs.source.migrations
        if migration.version <= version
        and migration.replaces is None
        and not inputs.applied.covers(migration.version)
    )
    return (*left_out(inputs.source, inputs.applied), *here)


def pending(inputs: PlanInputs, version: Version | None) -> tuple[Migration, ...]:
    """What is still to be run at that version, without what was left out below it."""
    source = inputs.source
    checkpoint = source.checkpoint(None) if version is None else None
    first = () if checkpoint is None else (checkpoint,)
    return (
        *first,
        *source.above(checkpoint.version if checkpoint else version),
        *outdated(inputs),
    )


def outdated(inputs: PlanInputs) -> tuple[Migration, ...]:
    """The repeatable migrations that have not run as they are now."""
    return tuple(m for m in inputs.source.repeatables if not inputs.applied.is_current(m))


def plan_up(inputs: PlanInputs, limit: int | None, policy: OutOfOrder) -> Plan:
    """All steps up, or at most `limit` of them.

    Raises MigrationError: SourceInvalid, MissingVersion, OutOfOrder.
    """
    steps = find_steps_up(inputs, None, policy)
    if limit is None:
        return Plan(require_sound(steps), version_after(steps, inputs))
    if limit > 0 and not steps:
        raise no_file(f"no migration is pending: the database is at version {inputs.version}")
    steps_within = require_sound(steps[:limit])
    return Plan(steps_within, version_after(steps_within, inputs), short=max(0, limit - len(steps)))


def plan_at_most(inputs: PlanInputs, limit: int | None, policy: OutOfOrder) -> Plan:
    """The same, and fewer than the limit is enough."""
    steps = require_sound(find_steps_up(inputs, None, policy)[:limit])
    return Plan(steps, version_after(steps, inputs))


def plan_up_to(inputs: PlanInputs, highest: Version, policy: OutOfOrder) -> Plan:
    """All steps up to versions that are not above that one, which need not exist itself.

    Raises MigrationError as `plan_up` does.
    """
    if inputs.version is None and inputs.source.stands_for(highest):
        raise no_migration(highest, source=inputs.source)
    steps = require_sound(find_steps_up(inputs, highest, policy))
    return Plan(steps, version_after(steps, inputs))


def find_steps_up(
    inputs: PlanInputs, to: Version | None, policy: OutOfOrder
) -> tuple[PlannedStep, ...]:
    version = inputs.version
    if inputs.source.is_empty and version is None:
        raise no_files(inputs.source)
    if to is None or version is None or to > version:
        require_whole(inputs.source, version)
    require_archived(inputs.source, inputs.applied, to, policy)
    require_listed(inputs.source, inputs.applied, to, policy)
    if not inputs.applied.validates_files:
        require_known(inputs, version, in_source=to is None or version is None or to > version)
    late = tuple(m for m in out_of_order_migrations(inputs) if to is None or m.version <= to)
    if late and policy is OutOfOrder.REJECT:
        raise _out_of_order(late, inputs)
    lost = tuple(m for m in late if m.up is None and m.down is None)
    if lost and policy is OutOfOrder.APPLY:
        raise _out_of_order(lost, inputs)
    steps = []
    if policy is OutOfOrder.APPLY:
        steps += [step_up(migration, version, version) for migration in late]
    checkpoint = inputs.source.checkpoint(to) if version is None else None
    if checkpoint is not None:
        steps.append(step_up(checkpoint, version, checkpoint.version))
        version = checkpoint.version
    for step in steps_up(inputs.source.above(version), version):
        if to is not None and step.version > to:
            break
        steps.append(step)
        version = step.after
    steps += [step_up(migration, version, version) for migration in outdated(inputs)]
    return tuple(steps)


def _out_of_order(late: tuple[Migration, ...], inputs: PlanInputs) -> MigrationError:
    names = ", ".join(f"{m.version} ({m.name})" for m in late[:5])
    more = f" and {len(late) - 5} more" if len(late) > 5 else ""
    source = inputs.source
    hint = "give it a version above the database's, or run with -out-of-order apply or ignore"
    if any(m.up is None and m.down is None for m in late):
        archive = source.archive
        there = "" if archive is None else f" ({archive.location} has no file of it)"
        hint = (
            f"run its file from the archive of the squashed ones{there}: -archive DIR with"
            " -out-of-order apply; or leave it out permanently with -out-of-order ignore"
        )
    elif source.stands_for(late[0].version) or late[0].version == source.squash_end:
        hint = "run it with -out-of-order apply, or leave it out permanently with ignore"
    return MigrationError(
        Reason.OUT_OF_ORDER,
        f"below the database's version {inputs.version}, but never applied: {names}{more}",
        hint=hint,
    )
