"""The way to one version, in whichever direction."""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.report import Reason
from dbmigrate.runner.planning import squashed
from dbmigrate.runner.planning.down import find_steps_down, require_scripts
from dbmigrate.runner.planning.plan import (
    Plan,
    PlanInputs,
    no_files,
    no_target,
    require_known,
    require_sound,
)
from dbmigrate.runner.planning.up import find_steps_up
from dbmigrate.versions import Version


def plan_goto(
    inputs: PlanInputs, wanted: Version | None, policy: OutOfOrder, rollback: Rollback | None
) -> Plan:
    """The steps to one version, in whichever direction; None is the source's latest.

    Raises MigrationError: SourceInvalid, MissingVersion, OutOfOrder,
    RollbackForbidden, IrreversibleMigration.
    """
    version = inputs.version
    target = inputs.source.latest_from(version) if wanted is None else wanted
    if target is None and inputs.source.repeatables:
        return Plan(require_sound(find_steps_up(inputs, None, policy)), version)
    if target is None:
        raise no_files(inputs.source)
    require_known(inputs, version)
    if not _is_known(inputs, target):
        raise no_target(target, inputs.source)
    if version is None or target >= version:
        return Plan(require_sound(find_steps_up(inputs, target, policy)), target)
    if rollback is Rollback.FORBID:
        raise MigrationError(
            Reason.ROLLBACK_FORBIDDEN,
            f"the database is at version {version}, the target is {target}:"
            " going there would roll back, which is forbidden",
            hint="allow the rollback, or deploy files that know the database's version",
        )
    is_heeded = inputs.applied.is_exact or policy is not OutOfOrder.IGNORE
    if is_heeded and not inputs.applied.covers(target):
        raise _never_applied(target, version)
    if inputs.applied.base is not None and target < inputs.applied.base:
        raise _below_base(target, inputs.applied.base)
    steps = find_steps_down(inputs, target, None)
    if rollback is Rollback.ALLOW:
        require_scripts(steps)
    return Plan(steps, target)


def _is_known(inputs: PlanInputs, version: Version) -> bool:
    """Whether it can be a target: the files have it, or the history has."""
    applied = inputs.applied
    is_replaced = squashed.is_replaced(inputs.source, version, inputs.version)
    if is_replaced and squashed.old_migration(inputs.source, version) is not None:
        return True
    return (
        inputs.source.knows(version)
        or applied.row(version) is not None
        or (applied.covers(version) and not applied.needs_file(version))
    )


def _below_base(target: Version, base: Version) -> MigrationError:
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {target} is below {base}, at which the history of this database begins:"
        " there is no way back",
        hint=f"choose {base} or a version above it",
    )


def _never_applied(target: Version, version: Version) -> MigrationError:
    return MigrationError(
        Reason.OUT_OF_ORDER,
        f"version {target} is below the database's version {version}, but was never applied:"
        " the way down does not lead there",
        hint="choose a version that is applied, or apply it first with -out-of-order apply",
    )
