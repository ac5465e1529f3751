"""Which steps lead from the version of the database to the one that is wanted.

Pure: a source, what is applied, and a wish go in, steps come out. The rules are
golang-migrate's (migrate.go) with three repairs: a version that was jumped over
is seen, a version whose file is gone can be undone by the script that the
history kept, and a way down that does not exist can be refused beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.postgres.history.adapter import Move
from dbmigrate.postgres.history.log import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning import squashed
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.planning.squashed import require_whole
from dbmigrate.sources.migration import Direction, Migration, Script, Source
from dbmigrate.versions import Role, Version

StoredScript = Callable[[LogRow], Script]
"""Makes the script that a row of the log has kept."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One script to run in one direction, and the version row it leads to."""

    version: Version
    """The version whose script runs."""
    name: str
    direction: Direction
    script: Script | None
    """None: the version has no script in this direction, only the version row moves.
    golang-migrate prints such a step as `<empty>`."""
    before: Version | None
    """The database's version before the step; None: nothing is applied."""
    after: Version | None
    """The database's version after it."""
    is_stored: bool = False
    """The script comes from the history, because its file is not there."""
    text: str = ""
    """The version as the file's name writes it."""
    role: Role = Role.VERSIONED
    description: str = ""
    """As the migration's."""

    @property
    def move(self) -> Move:
        """What the step does to the history. Reads the script where a table keeps its checksum."""
        script = self.script
        checksums = script.tool_checksums if script else None
        return Move(
            self.version,
            self.direction is Direction.UP,
            self.after,
            text=self.text,
            role=self.role,
            description=self.description,
            path=script.path if script else "",
            checksum=checksums()[0] if checksums else None,
            statement_sums=script.statement_sums if script else None,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, in order."""

    steps: tuple[PlannedStep, ...]
    target: Version | None
    """The version after the last step."""
    short: int = 0
    """How many of the steps that were asked for do not exist."""


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made on."""

    source: Source
    applied: AppliedVersions
    stored: StoredScript
    is_log_empty: bool = False
    """The log has lost its rows: there is a table, and nothing in it."""

    @property
    def version(self) -> Version | None:
        """The version of the database."""
        return self.applied.version


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
    steps = _up(ground, None, policy)
    if limit is None:
        return Plan(_require_sound(steps), _last(steps, ground))
    if limit > 0 and not steps:
        raise _no_file()
    steps_within = _require_sound(steps[:limit])
    return Plan(steps_within, _last(steps_within, ground), short=max(0, limit - len(steps)))


def plan_at_most(ground: PlanInputs, limit: int | None, policy: OutOfOrder) -> Plan:
    """The same, and fewer than the limit is enough."""
    steps = _require_sound(_up(ground, None, policy)[:limit])
    return Plan(steps, _last(steps, ground))


def plan_up_to(ground: PlanInputs, highest: Version, policy: OutOfOrder) -> Plan:
    """All steps up to versions that are not above that one, which need not exist itself.

    Raises MigrationError as `plan_up` does.
    """
    steps = _require_sound(_up(ground, highest, policy))
    return Plan(steps, _last(steps, ground))


def plan_down_to(ground: PlanInputs, lowest: Version, rollback: Rollback | None) -> Plan:
    """All steps down from versions above that one, which need not exist itself.

    Raises MigrationError as `plan_down` does.
    """
    version = ground.version
    if version is None or version <= lowest:
        return Plan((), version)
    kept = max((v for v in _undoable(ground, version) if v <= lowest), default=None)
    steps = _down(ground, kept, None)
    _require_allowed(ground, steps, rollback)
    return Plan(steps, _last(steps, ground))


def plan_down(ground: PlanInputs, limit: int | None, rollback: Rollback | None) -> Plan:
    """All steps down, or at most `limit` of them.

    Raises MigrationError: MissingVersion, RollbackForbidden.
    """
    if limit is not None and limit > 0 and ground.version is None:
        raise _no_file()
    steps = _down(ground, None, limit)
    _require_allowed(ground, steps, rollback)
    if limit != 0 and not steps and ground.applied.base is not None:
        raise MigrationError(
            Reason.IRREVERSIBLE_MIGRATION,
            f"version {ground.version} is where the history begins: nothing was rolled back",
        )
    short = 0 if limit is None else max(0, limit - len(steps))
    return Plan(steps, _last(steps, ground), short=short)


def plan_redo(ground: PlanInputs, rollback: Rollback | None) -> Plan:
    """The step down from the version that `down 1` would undo, and the step up to it again.

    Raises MigrationError: as `plan_down` does, MissingVersion for a version without its file,
    and IrreversibleMigration for one that the history begins at.
    """
    (undone,) = plan_down(ground, 1, rollback).steps
    migration = ground.source.find(undone.version)
    if migration is None:
        raise no_migration(undone.version)
    left = [each for each in (undone.after, undone.version) if each is not None]
    return Plan(_require_sound((undone, step_up(migration, undone.after, max(left)))), max(left))


def plan_goto(
    ground: PlanInputs, wanted: Version | None, policy: OutOfOrder, rollback: Rollback | None
) -> Plan:
    """The steps to one version, in whichever direction; None is the source's latest.

    Raises MigrationError: SourceInvalid, MissingVersion, OutOfOrder,
    RollbackForbidden, IrreversibleMigration.
    """
    version = ground.version
    target = ground.source.latest_from(version) if wanted is None else wanted
    if target is None and ground.source.repeatables:
        return Plan(_require_sound(_up(ground, None, policy)), version)
    if target is None:
        raise no_files(ground.source)
    _require(ground, version)
    if not _is_known(ground, target):
        raise _no_target(target, ground.source)
    if version is None or target >= version:
        return Plan(_require_sound(_up(ground, target, policy)), target)
    if rollback is Rollback.FORBID:
        raise MigrationError(
            Reason.ROLLBACK_FORBIDDEN,
            f"the database is at version {version}, the target is {target}:"
            " going there would roll back, which is forbidden",
            hint="allow the rollback, or deploy files that know the database's version",
        )
    if ground.applied.is_exact and not ground.applied.covers(target):
        raise _never_applied(target, version)
    if ground.applied.base is not None and target < ground.applied.base:
        raise _below_base(target, ground.applied.base)
    steps = _down(ground, target, None)
    if rollback is Rollback.ALLOW:
        _require_scripts(steps)
    return Plan(steps, target)


def _up(ground: PlanInputs, to: Version | None, policy: OutOfOrder) -> tuple[PlannedStep, ...]:
    version = ground.version
    if ground.source.is_empty and version is None:
        raise no_files(ground.source)
    if to is None or version is None or to > version:
        require_whole(ground.source, version)
    if not ground.applied.validates_files:
        _require(ground, version, in_source=to is None or version is None or to > version)
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


def steps_up(migrations: Iterable[Migration], version: Version | None) -> Iterator[PlannedStep]:
    """The steps up through these migrations, one after the other."""
    for migration in migrations:
        after = version if migration.role is Role.REPEATABLE else migration.version
        yield step_up(migration, version, after)
        version = after


def _down(ground: PlanInputs, to: Version | None, limit: int | None) -> tuple[PlannedStep, ...]:
    """Down until `to` is reached (None: until nothing is applied), at most `limit` steps."""
    version = ground.version
    if version is None:
        return ()
    _require(ground, version)
    base = ground.applied.base
    undone = [each for each in _undoable(ground, version) if to is None or each > to]
    undone = [each for each in undone if base is None or each > base]
    to = base if to is None else to
    left = set(undone)
    steps = []
    for current in undone[:limit]:
        left.remove(current)
        after = max(left, default=to)
        steps.append(_step_down(ground, current, version, after))
        version = after
    if ground.applied.requires_down:
        _require_scripts(tuple(steps))
    return _require_sound(tuple(steps))


def _undoable(ground: PlanInputs, version: Version) -> list[Version]:
    """Applied versions in the order in which they are undone: by their files, or by the log."""
    if ground.applied.is_exact:
        return list(ground.applied.undoing)
    known = {v for v in ground.applied.recorded if v <= version}
    known.update(
        m.version
        for m in ground.source.migrations
        if m.version <= version and ground.applied.covers(m.version)
    )
    known.add(version)
    return sorted(known, reverse=True)


def find_migration(source: Source, step: PlannedStep) -> Migration | None:
    """What the source knows of a step's version; a checkpoint and a repeatable have none."""
    return source.find(step.version) if step.role is Role.VERSIONED else None


def step_up(migration: Migration, before: Version | None, after: Version | None) -> PlannedStep:
    """The step that applies a migration."""
    return PlannedStep(
        migration.version,
        migration.name,
        Direction.UP,
        migration.up,
        before,
        after,
        text=migration.text,
        role=migration.role,
        description=migration.description,
    )


def moves_up(migrations: Iterable[Migration]) -> dict[Version, Move]:
    """What the steps up of these would do to the history, by version."""
    return {migration.version: move_up(migration) for migration in migrations}


def move_up(migration: Migration) -> Move:
    """What the step up of a migration would do to the history."""
    return step_up(migration, None, migration.version).move


def _step_down(
    ground: PlanInputs, version: Version, before: Version | None, after: Version | None
) -> PlannedStep:
    migration = ground.source.find(version)
    row = ground.applied.row(version)
    is_replaced = squashed.is_replaced(ground.source, version, ground.version)
    if is_replaced and not squashed.ran_as_squash(row):
        migration = squashed.old_migration(ground.source, version)
    script = migration.down if migration else None
    is_stored = script is None and row is not None and row.has_down
    if is_stored and row is not None:
        script = ground.stored(row)
    if script is None and is_replaced:
        raise squashed.no_way_below(ground.source, version)
    if migration is None and script is None and ground.applied.is_exact:
        raise no_migration(version)
    if script is None and ground.is_log_empty and not ground.applied.is_exact:
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


def _require_sound(steps: tuple[PlannedStep, ...]) -> tuple[PlannedStep, ...]:
    """Nothing is begun on a way on which some step is known to be impossible."""
    for step in steps:
        if step.script is not None and step.script.problem:
            raise MigrationError(Reason.SOURCE_INVALID, step.script.problem)
    return steps


def _require(ground: PlanInputs, version: Version | None, *, in_source: bool = False) -> None:
    """The database's version must be one we know; on the way up, one that has a file."""
    if version is None or ground.source.knows(version) or not ground.applied.needs_file(version):
        return
    if in_source or ground.applied.row(version) is None:
        source = ground.source
        raise no_migration(
            version,
            f"{source.location} holds no migration files, and the database is at version {version}"
            if source.is_empty
            else None,
        )


def _is_known(ground: PlanInputs, version: Version) -> bool:
    """Whether it can be a target: the files have it, or the history has."""
    applied = ground.applied
    is_replaced = squashed.is_replaced(ground.source, version, ground.version)
    if is_replaced and squashed.old_migration(ground.source, version) is not None:
        return True
    return (
        ground.source.knows(version)
        or applied.row(version) is not None
        or (applied.covers(version) and not applied.needs_file(version))
    )


def _require_allowed(
    ground: PlanInputs, steps: tuple[PlannedStep, ...], rollback: Rollback | None
) -> None:
    if steps and rollback is Rollback.FORBID:
        raise MigrationError(
            Reason.ROLLBACK_FORBIDDEN,
            f"the database is at version {ground.version}: rolling back is forbidden",
        )


def _require_scripts(steps: tuple[PlannedStep, ...]) -> None:
    for step in steps:
        if step.script is None:
            raise MigrationError(
                Reason.IRREVERSIBLE_MIGRATION,
                f"version {step.version} ({step.name}) has no down script: nothing was rolled back",
                hint="add its down file, or choose a target at or above it",
            )


def _last(steps: tuple[PlannedStep, ...], ground: PlanInputs) -> Version | None:
    return steps[-1].after if steps else ground.version


def _no_file() -> MigrationError:
    return MigrationError(Reason.MISSING_VERSION, "file does not exist")


def no_files(source: Source) -> MigrationError:
    """Nothing to read; golang-migrate's words."""
    return MigrationError(
        Reason.SOURCE_INVALID,
        "first .: file does not exist",
        hint=f"{source.location} holds no migration files",
    )


def no_migration(version: Version, hint: str | None = None) -> MigrationError:
    """No file of that version; golang-migrate's words."""
    return MigrationError(
        Reason.MISSING_VERSION,
        f"no migration found for version {version}:"
        f" read down for version {version} .: file does not exist",
        hint=hint or "the files are older than the database, or one was removed",
    )


def _no_target(target: Version, source: Source) -> MigrationError:
    """The version that a person has named."""
    start, end = source.squash_start, source.squash_end
    if end is not None and target < end and (start is None or target >= start):
        return no_migration(target, f"version {target} was replaced by {source.squash_file}")
    newest = f"the newest is {source.latest}" if source.latest is not None else "it has no version"
    return no_migration(target, f"{source.location} has no version {target}: {newest}")


def _below_base(target: Version, base: Version) -> MigrationError:
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {target} is below {base}, at which the history of this database begins:"
        " there is no way back",
        hint=f"choose {base} or a version above it",
    )


def _unknown_way_down(version: Version, migration: Migration | None) -> MigrationError:
    name = f" ({migration.name})" if migration else ""
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {version}{name} has no down file, and the history's log, which would have its"
        " down script, is empty: nothing was rolled back",
        hint="put its down file back; or `dbmigrate force V` with the version below, which moves"
        " the version alone and leaves what the migration has made",
    )


def _never_applied(target: Version, version: Version) -> MigrationError:
    return MigrationError(
        Reason.OUT_OF_ORDER,
        f"version {target} is below the database's version {version}, but was never applied:"
        " the way down does not lead there",
        hint="choose a version that is applied, or apply it first with -out-of-order apply",
    )


def _out_of_order(late: tuple[Migration, ...], version: Version | None) -> MigrationError:
    names = ", ".join(f"{m.version} ({m.name})" for m in late[:5])
    more = f" and {len(late) - 5} more" if len(late) > 5 else ""
    return MigrationError(
        Reason.OUT_OF_ORDER,
        f"below the database's version {version}, but never applied: {names}{more}",
        hint="give it a version above the database's, or run with -out-of-order apply or ignore",
    )
