"""What a plan is made on, what it is, and what is known to be wrong with one.

Pure, as all of planning: a source, what is applied, and a wish go in, steps come out. The rules are
golang-migrate's (migrate.go) with three repairs: a version that was jumped over is seen, a version
whose file is gone can be undone by the script that the history kept, and a way down that does not
exist can be refused beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.planning.squashed import where_replaced
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.sources.migration import Script, Source
from dbmigrate.versions import Version

StoredScript = Callable[[LogRow], Script]
"""Makes the script that a row of the log has kept."""


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
    lost: frozenset[Version] | None = None
    """The versions that are known to be applied although rows of the log are missing, each of
    which needs a down script; None: no row is missing."""

    @property
    def version(self) -> Version | None:
        """The version of the database."""
        return self.applied.version


def require_sound(steps: tuple[PlannedStep, ...]) -> tuple[PlannedStep, ...]:
    """Nothing is begun on a way on which some step is known to be impossible."""
    for step in steps:
        if step.script is not None and step.script.problem:
            raise MigrationError(Reason.SOURCE_INVALID, step.script.problem)
    return steps


def require_known(inputs: PlanInputs, version: Version | None, *, in_source: bool = False) -> None:
    """The database's version must be one we know; on the way up, one that has a file."""
    if version is None or inputs.source.knows(version) or not inputs.applied.needs_file(version):
        return
    if any(migration.version == version for migration in inputs.source.lacking):
        return  # it was replaced
    if in_source or inputs.applied.row(version) is None:
        source = inputs.source
        raise no_migration(
            version,
            f"{source.location} holds no migration files, and the database is at version {version}"
            if source.is_empty
            else None,
            source=source,
        )


def version_after(steps: tuple[PlannedStep, ...], inputs: PlanInputs) -> Version | None:
    return steps[-1].after if steps else inputs.version


def no_file(hint: str) -> MigrationError:
    """There is no step to take, in golang-migrate's words; `hint` says why."""
    return MigrationError(Reason.MISSING_VERSION, "file does not exist", hint=hint)


def no_files(source: Source) -> MigrationError:
    """Nothing to read; golang-migrate's words."""
    return MigrationError(
        Reason.SOURCE_INVALID,
        "first .: file does not exist",
        hint=f"{source.location} holds no migration files: name the directory that does",
    )


def no_migration(
    version: Version, hint: str | None = None, *, source: Source | None = None
) -> MigrationError:
    """No file of that version; golang-migrate's words. `source` may know where it is."""
    if source is not None:
        hint = where_replaced(source, version) or hint
    return MigrationError(
        Reason.MISSING_VERSION,
        f"no migration found for version {version}:"
        f" read down for version {version} .: file does not exist",
        hint=hint
        or "the files are older than the database, or one was removed: name the directory that the"
        " database was migrated from, or bring the file back",
    )


def no_target(target: Version, source: Source) -> MigrationError:
    """No file of the version that a person has named."""
    newest = f"the newest is {source.latest}" if source.latest is not None else "it has no version"
    return no_migration(
        target, f"{source.location} has no version {target}: {newest}", source=source
    )
