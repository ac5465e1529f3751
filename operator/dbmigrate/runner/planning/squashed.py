"""What a squashed file, a baseline or a checkpoint means for the database at hand.

A database at or above its version has all that it stands for; one that has nothing begins
with it. One in between has a part of the files that it replaces, and needs the others: they
come from an archive, or the run is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.sources.migration import Format, Migration, Source
from dbmigrate.versions import Version

_NAMED = 5


def fit(source: Source, version: Version | None) -> Source:
    """The files for a database at that version: with the archived ones where it needs them."""
    end, archive = source.squash_end, source.archive
    if end is None or archive is None or version is None or version >= end:
        return source
    old = tuple(migration for migration in archive.migrations if migration.version <= end)
    gone = (
        v
        for v in sorted(source.squash_versions)
        if not _has_up(archive.find(v)) and not archive.stands_for(v)
    )
    return replace(
        source,
        migrations=(*old, *source.above(end)),
        checkpoints=(),
        archive=None,
        lacking=tuple(_without_file(source, version) for version in gone),
    )


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


def require_archived(
    source: Source, applied: AppliedVersions, to: Version | None, policy: OutOfOrder
) -> None:
    """Raise MigrationError (MissingVersion) for an archive that has no file of a version which
    this database needs on its way up."""
    here = applied.version
    gone = [
        migration.version
        for migration in source.lacking
        if not applied.covers(migration.version)
        and (to is None or migration.version <= to)
        and not (policy is OutOfOrder.IGNORE and here is not None and migration.version < here)
    ]
    if gone:
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"the archive has no up file of {name_versions(gone)}, {source.lacking[0].name},"
            f" and the database, at version {here}, needs what was replaced: nothing was run",
            hint="name a directory that has all of them: -archive DIR; where there never was a file"
            " of such a version, name those that there were in the squashed file"
            " (-- dbmigrate:replaced 1-17 19-50)",
        )


def require_listed(
    source: Source, applied: AppliedVersions, to: Version | None, policy: OutOfOrder
) -> None:
    """Raise MigrationError (MissingVersion) for a version that a baseline lists, which this
    database needs, and whose file is gone although others of the list are still there."""
    here = applied.version
    first = source.checkpoint(to) if here is None else None
    gone = [
        version
        for version in _listed_without_file(source)
        if not applied.covers(version)
        and (to is None or version <= to)
        and (first is None or version > first.version)
        and not (policy is OutOfOrder.IGNORE and here is not None and version < here)
    ]
    if not gone:
        return
    is_below = here is not None and gone[0] < here
    raise MigrationError(
        Reason.MISSING_VERSION,
        f"there is no file of {name_versions(gone)}, which the list in"
        f" {_file_of(source.checkpoints[-1])} names, and the database has not had it: nothing was"
        " run",
        hint="put the file back among the others; where there never was one, name those that there"
        " were in the baseline (-- dbmigrate:replaced 1-17 19-50)"
        + ("; or leave it out permanently with -out-of-order ignore" if is_below else ""),
    )


def _file_of(migration: Migration) -> str:
    return migration.up.file if migration.up is not None else str(migration.version)


def _listed_without_file(source: Source) -> list[Version]:
    """Those that baselines list, but for what squash_end says: there no file is left below it."""
    end = source.squash_end
    listed = {v for each in source.checkpoints for those in each.replaced for v in those}
    return sorted(v for v in listed if source.find(v) is None and (end is None or v > end))


def left_out(source: Source, applied: AppliedVersions) -> tuple[Migration, ...]:
    """The replaced versions of which the history says that this database never had them, with
    their archived files where there are any. Where it had none of the range, the squashed file
    stands for them all."""
    here, end = applied.version, source.squash_end
    if end is None or here is None or here < end:
        return ()
    squashed = source.find(end)
    if squashed is not None and squashed.replaces and not _has_part(squashed.replaces, applied):
        return (squashed,)
    is_gone = end in source.squash_versions and not applied.covers(end)
    gone: list[Version] = [end] if is_gone else []
    lists = source.squash_lists
    for index, versions in reversed([*enumerate(lists, start=1)]):
        # A list that a person has written may leave out the file's own version.
        own = end if index == len(lists) else max(versions, default=end)
        if _began_with(own, source.squash_start, applied):
            break
        gone += (v for v in versions if v < end and not applied.covers(v))
    found = ((v, old_migration(source, v)) for v in sorted(gone))
    return tuple(m if m and _has_up(m) else _without_file(source, v) for v, m in found)


def _has_up(migration: Migration | None) -> bool:
    """Whether there is anything to run: a down file alone is not the version's."""
    return migration is not None and migration.up is not None


def _has_part(span: tuple[Version, Version], applied: AppliedVersions) -> bool:
    """Whether any version from the first to the last one counts as applied."""
    low, high = span
    within = any(low <= v <= high for v in (*applied.recorded, *applied.stops))
    return within or applied.covers(low) or applied.covers(high)


def _without_file(source: Source, version: Version) -> Migration:
    return Migration(version, f"replaced by {source.squash_file}")


def _began_with(version: Version, start: Version | None, applied: AppliedVersions) -> bool:
    """Whether a squashed file of that version was the first step of this database."""
    row = applied.row(version)
    if row is not None:
        return ran_as_squash(row)
    is_there = applied.is_exact and applied.covers(version)
    within = (v for v in applied.recorded if start is None or v >= start)
    return is_there and not any(v < version for v in within)


def counted(source: Source) -> tuple[Migration, ...]:
    """The files that are applied where a person says so: with those that were replaced.

    What left_out would miss has a row then. Flyway's own row for a baseline covers what is below
    it; a version that is known by its number alone is written as the squashed file writes its own.
    """
    end = source.squash_end
    if end is None:
        # One baseline counts for all that it lists, where some of their files are gone.
        first = source.checkpoint(None) if _listed_without_file(source) else None
        if first is None:
            return source.migrations
        return tuple(sorted((*source.migrations, first), key=lambda each: each.version))
    squashed = source.find(end)
    old = {v: old_migration(source, v) for v in sorted(source.squash_versions)}
    archived = [m for v, m in old.items() if m is not None and source.find(v) is None]
    if squashed is None or squashed.replaces is None:
        has_all = old and None not in old.values()
        is_covering = source.format is Format.FLYWAY and not has_all
        first = source.checkpoint(end) if is_covering else None
        return (*([first] if first else archived), *source.migrations)
    digits = len(squashed.text) if squashed.text.startswith("0") else 0
    numbered = [
        Migration(v, "", text=str(v).zfill(digits))
        for v, archived_one in old.items()
        if archived_one is None and v != end
    ]
    return (*archived, *numbered, *source.migrations)


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
    """The archived files of a replaced version. A squashed file in the archive, which a later one
    has replaced, is not the file of its version: it stands for all of its range."""
    found = source.archive.find(version) if source.archive else None
    return found if found is not None and found.replaces is None else None


def began_with_squash(source: Source, applied: AppliedVersions) -> bool:
    """Whether the squashed file was the first step of this database, as far as it is known."""
    end = source.squash_end
    return end is not None and _began_with(end, source.squash_start, applied)


def is_maker_unknown(source: Source, applied: AppliedVersions) -> bool:
    """Whether the history does not say which of the two has made the version: it has no row of the
    range. A table with a row for each version says it."""
    end, start = source.squash_end, source.squash_start
    if applied.is_exact or end is None:
        return False
    return not any(v <= end and (start is None or v >= start) for v in applied.recorded)


def unknown_maker(source: Source, version: Version) -> MigrationError:
    """The log would say it, and its rows are missing."""
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {version} was replaced by {source.squash_file}, and the rows of the history's log"
        " are missing that would say whether that file or the replaced ones have made this"
        " database: nothing was rolled back",
        hint=f"choose a target at or above {source.squash_end}; or put back the rows of the log"
        " from a backup; or `dbmigrate force V` with a version below, which moves the version alone"
        " and leaves what the migrations have made",
    )


def where_replaced(source: Source, version: Version) -> str | None:
    """Where the file of a replaced version is, as a hint; None: it was not replaced."""
    end, squashed = source.squash_end, source.find(version)
    is_end = version == end and squashed is not None and squashed.replaces is not None
    if not source.stands_for(version) and not is_end:
        return None
    hint = f"version {version} was replaced by {source.squash_file}; "
    if source.archive is None:
        return f"{hint}name the directory that has the replaced files: -archive DIR"
    if old_migration(source, version) is None:
        return f"{hint}{source.archive.location} has no file of it either"
    return f"{hint}an empty database begins with that: choose {end} or above it"


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
    lacking = next((m.name for m in source.lacking if m.version == version), None)
    has_archive = lacking is not None or source.archive is not None
    end = version if lacking else source.squash_end
    return MigrationError(
        Reason.IRREVERSIBLE_MIGRATION,
        f"version {version} was {lacking or f'replaced by {source.squash_file}'}, and"
        f" {'neither the archive nor the history has a' if has_archive else 'the history has no'}"
        " down script of it: nothing was rolled back",
        hint="name the directory that has"
        f" {'its file as well' if has_archive else 'the replaced files'}: -archive DIR; or choose a"
        f" target at or above {end}",
    )


def name_versions(versions: Sequence[Version]) -> str:
    """The first ones, in a sentence."""
    more = f" and {len(versions) - _NAMED} more" if len(versions) > _NAMED else ""
    word = "version" if len(versions) == 1 else "the versions"
    return f"{word} {', '.join(map(str, versions[:_NAMED]))}{more}"
