"""The way down: by the files, or by the scripts that the history kept."""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.policies import Rollback
from dbmigrate.report import Reason
from dbmigrate.runner.planning import squashed
from dbmigrate.runner.planning.plan import (
    Plan,
    PlanInputs,
    no_file,
    no_migration,
    require_known,
    require_sound,
    version_after,
)
from dbmigrate.runner.planning.step import PlannedStep, step_up
from dbmigrate.sources.migration import Direction, Migration
from dbmigrate.versions import Version


def plan_down_to(inputs: PlanInputs, lowest: Version, rollback: Rollback | None) -> Plan:
    """All steps down from versions above that one, which need not exist itself.

    Raises MigrationError as `plan_down` does.
    """
    version = inputs.version
    if version is None or version <= lowest:
        return Plan((), version)
    kept = max((v for v in _undoable(inputs, version) if v <= lowest), default=None)
    steps = find_steps_down(inputs, kept, None)
    _require_allowed(inputs, steps, rollback)
    return Plan(steps, version_after(steps, inputs))


def plan_down(inputs: PlanInputs, limit: int | None, rollback: Rollback | None) -> Plan:
    """All steps down, or at most `limit` of them.

    Raises MigrationError: MissingVersion, RollbackForbidden.
    """
    if limit is not None and limit > 0 and inputs.version is None:
        raise no_file("no migration is applied")
    steps = find_steps_down(inputs, None, limit)
    _require_allowed(inputs, steps, rollback)
    if limit != 0 and not steps and inputs.applied.base is not None:
        raise MigrationError(
            Reason.IRREVERSIBLE_MIGRATION,
            f"version {inputs.version} is where the history begins: nothing was rolled back",
        )
    short = 0 if limit is None else max(0, limit - len(steps))
    return Plan(steps, version_after(steps, inputs), short=short)


def plan_redo(inputs: PlanInputs, rollback: Rollback | None) -> Plan:
    """The step down from the version that `down 1` would undo, and the step up to it again.

    Raises MigrationError: as `plan_down` does, MissingVersion for a version without its file,
    and IrreversibleMigration for one that the history begins at, or that nothing undoes.
    """
    (undone,) = plan_down(inputs, 1, rollback).steps
    if not inputs.applied.is_exact:
        # The version alone would move, and the way up would find what is still there.
        require_scripts((undone,))
    source, version = inputs.source, undone.version
    migration = source.find(version)
    if _is_old(inputs, version):  # its file is another one now
        migration = squashed.old_migration(source, version)
        if migration is None:
            raise squashed.no_file_of(source, version)
    if migration is None:
        raise no_migration(version, source=source)
    left = [each for each in (undone.after, undone.version) if each is not None]
    return Plan(require_sound((undone, step_up(migration, undone.after, max(left)))), max(left))


def find_steps_down(
    inputs: PlanInputs, to: Version | None, limit: int | None
) -> tuple[PlannedStep, ...]:
    """Down until `to` is reached (None: until nothing is applied), at most `limit` steps."""
    version = inputs.version
    if version is None:
        return ()
    require_known(inputs, version)
    base = inputs.applied.base
    if base is not None:
        to = base if to is None else max(to, base)
    undone = [each for each in _undoable(inputs, version) if to is None or each > to]
    left = set(undone)
    steps = []
    for current in undone[:limit]:
        left.remove(current)
        after = max(left, default=to)
        steps.append(_step_down(inputs, current, version, after))
        version = after
    if inputs.applied.requires_down:
        require_scripts(tuple(steps))
    return require_sound(tuple(steps))


def _undoable(inputs: PlanInputs, version: Version) -> list[Version]:
    """Applied versions in the order in which they are undone: by their files, or by the log."""
    if inputs.applied.is_exact:
        return list(inputs.applied.undoing)
    applied, source = inputs.applied, inputs.source
    known = {*applied.recorded, version}
    had = {*source.versions, *source.squash_versions, *(m.version for m in source.lacking)}
    if inputs.lost is not None:
        had |= {*inputs.lost, *applied.stops}
    known.update(v for v in had if applied.covers(v))  # none above the database's version
    return sorted(known, reverse=True)


def _step_down(
    inputs: PlanInputs, version: Version, before: Version | None, after: Version | None
) -> PlannedStep:
    migration = inputs.source.find(version)
    row = inputs.applied.row(version)
    is_replaced = squashed.is_replaced(inputs.source, version, inputs.version)
    is_unknown = squashed.is_maker_unknown(inputs.source, inputs.applied)
    if is_replaced and is_unknown and inputs.lost is not None:
        raise squashed.unknown_maker(inputs.source, version)
    if _is_old(inputs, version):
        migration = squashed.old_migration(inputs.source, version)
    script = migration.down if migration else None
    is_stored = script is None and row is not None and row.has_down
    if is_stored and row is not None:
        script = inputs.stored(row)
    is_replaced = is_replaced or any(m.version == version for m in inputs.source.lacking)
    if script is None and is_replaced:
        raise squashed.no_way_below(inputs.source, version)
    if migration is None and script is None and inputs.applied.is_exact:
        raise no_migration(version, source=inputs.source)
    if script is None and row is None and inputs.lost is not None and not inputs.applied.is_exact:
        raise _unknown_way_down(version, migration)
    name = migration.name if migration else row.name if row else ""
    return PlannedStep(
        version,
        name,
        Direction.DOWN,
        script,
        before,
        after,
        is_stored,
        text=migration.text if migration else "",
        description=migration.description if migration else "",
    )


def _is_old(inputs: PlanInputs, version: Version) -> bool:
    """Whether the version was made by a file that a squashed one has replaced."""
    is_replaced = squashed.is_replaced(inputs.source, version, inputs.version)
    return is_replaced and not squashed.began_with_squash(inputs.source, inputs.applied)


def _require_allowed(
    inputs: PlanInputs, steps: tuple[PlannedStep, ...], rollback: Rollback | None
) -> None:
    if steps and rollback is Rollback.FORBID:
        raise MigrationError(
            Reason.ROLLBACK_FORBIDDEN,
            f"the database is at version {inputs.version}: rolling back is forbidden",
        )


def require_scripts(steps: tuple[PlannedStep, ...]) -> None:
    for step in steps:
        if step.script is None:
            raise MigrationError(
                Reason.IRREVERSIBLE_MIGRATION,
                f"version {step.version} ({step.name}) has no down script: nothing was rolled back",
                hint="add its down file, or choose a target at or above it",
            )


def _unknown_way_down(version: Version, migration: Migration | None) -> MigrationError:
    name = f" ({migration.name})" if migration else ""
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {version}{name} has no down file, and the rows of the history's log are missing"
        " that would have its down script: nothing was rolled back",
        hint="put its down file back; or `dbmigrate force V` with the version below, which moves"
        " the version alone and leaves what the migration has made",
    )
