"""What a squashed file, a baseline or a checkpoint means for the database at hand.

A database at or above its version has all that it stands for; one that has nothing begins
with it. One in between has a part of the files that it replaces, and needs the others: they
come from an archive, or the run is refused.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import Version


def fit(source: Source, version: Version | None) -> Source:
    """The files for a database at that version: with the archived ones where it needs them."""
    end, archive = source.squash_end, source.archive
    if end is None or archive is None or version is None or version >= end:
        return source
    old = tuple(migration for migration in archive.migrations if migration.version <= end)
    return replace(source, migrations=(*old, *source.above(end)), checkpoints=(), archive=None)


def require_whole(source: Source, version: Version | None) -> None:
    """Raise MigrationError (MissingVersion) for a database that has only a part of what a
    squashed file stands for."""
    end = source.squash_end
    if end is None or version is None or version >= end:
        return
    raise MigrationError(
        Reason.MISSING_VERSION,
        f"the database is at version {version}, and the files of the versions above it up to {end}"
        f" were replaced by {source.squash_file}, which an empty database alone can run",
        hint="name the directory that has the replaced files: -archive DIR; or migrate this"
        f" database to {end} with an earlier release first",
    )


def left_out(source: Source, applied: AppliedVersions) -> tuple[Migration, ...]:
    """The replaced versions of which the history says that this database never had them, with
    their archived files where there are any."""
    here, end = applied.version, source.squash_end
    if end is None or here is None or here < end:
        return ()
    gone: list[Version] = []
    lists = source.squash_lists
    below = {v for versions in lists for v in versions if v < end}
    for index, versions in reversed([*enumerate(lists, start=1)]):
        # A list that a person has written may leave out the file's own version.
        own = end if index == len(lists) else max(versions, default=end)
        if _began_with(own, below, applied):
            break
        gone += (v for v in versions if v < end and not applied.covers(v))
    name = f"replaced by {source.squash_file}"
    return tuple(old_migration(source, v) or Migration(v, name) for v in sorted(gone))


def _began_with(version: Version, below: set[Version], applied: AppliedVersions) -> bool:
    """Whether a squashed file of that version was the first step of this database."""
    row = applied.row(version)
    if row is not None:
        return ran_as_squash(row)
    return applied.is_exact and not any(applied.covers(v) for v in below if v < version)


def is_replaced(source: Source, version: Version, here: Version | None) -> bool:
    """Whether a database at `here` does not need the file of that version any more."""
    end, start = source.squash_end, source.squash_start
    if end is None or here is None or here < end or version > end:
        return False
    return start is None or version >= start


def ran_as_squash(row: LogRow | None) -> bool:
    """Whether the squashed file itself made the version: it begins with nothing, as the last of
    the files that it replaces never does."""
    return row is not None and row.from_version is None


def old_migration(source: Source, version: Version) -> Migration | None:
    """The archived files of a replaced version."""
    return source.archive.find(version) if source.archive else None


def no_file_of(source: Source, version: Version) -> MigrationError:
    """The squashed file has its version, and is not the file that has made it."""
    return MigrationError(
        Reason.MISSING_VERSION,
        f"the file that made version {version} was replaced by {source.squash_file}, which an empty"
        " database alone can run: nothing was undone",
        hint="name the directory that has the replaced files: -archive DIR",
    )


def no_way_below(source: Source, version: Version) -> MigrationError:
    """The way down leads through what was replaced, and no script is left of it."""
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {version} was replaced by {source.squash_file}, and the history has no down"
        " script of it: nothing was rolled back",
        hint="name the directory that has the replaced files: -archive DIR; or choose a target at"
        f" or above {source.squash_end}",
    )
