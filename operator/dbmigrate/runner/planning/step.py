"""A planned step, and what it does to the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dbmigrate.postgres.history.adapter import Move
from dbmigrate.sources.migration import Direction, Migration, Script
from dbmigrate.versions import Role, Version


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
    undo: Script | None = field(default=None, compare=False)
    """Of a step up: the script down, which the history keeps."""

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


def steps_up(migrations: Iterable[Migration], version: Version | None) -> Iterator[PlannedStep]:
    """The steps up through these migrations, one after the other."""
    for migration in migrations:
        after = version if migration.role is Role.REPEATABLE else migration.version
        yield step_up(migration, version, after)
        version = after


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
        undo=migration.down if migration.role is Role.VERSIONED else None,
    )


def moves_up(migrations: Iterable[Migration]) -> dict[Version, Move]:
    """What the steps up of these would do to the history, by version."""
    return {migration.version: move_up(migration) for migration in migrations}


def move_up(migration: Migration) -> Move:
    """What the step up of a migration would do to the history."""
    return step_up(migration, None, migration.version).move
