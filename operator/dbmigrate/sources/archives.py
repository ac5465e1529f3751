"""The archives of several squashes as one: each has the files that one of them has replaced.

The later of two has the file that the earlier one has written, in the place of those of the earlier
archive. Such a file stands for others, so it never counts together with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.migration import DatabaseFacts, Direction, Migration, Source
from dbmigrate.versions import Version


def merge_archives(archives: Sequence[Source]) -> Source:
    """All their files. There is at least one, and all have one format.

    Raises MigrationError (SourceInvalid) for two different files of one version.
    """
    first = archives[0]
    if len(archives) == 1:
        return first
    found: dict[Version, tuple[Migration, Source]] = {}
    for archive in archives:
        for migration in archive.migrations:
            earlier = found.get(migration.version)
            if earlier is None or earlier[0].replaces is not None:
                found[migration.version] = migration, archive
            elif migration.replaces is None and not _are_alike(earlier[0], migration):
                raise _two_files(earlier, (migration, archive))
    merged = sorted((migration for migration, _ in found.values()), key=lambda each: each.version)
    kept = (each for each in merged if each.replaces is None or each is merged[0])

    def learn(facts: DatabaseFacts) -> None:
        for archive in archives:
            if archive.learn is not None:
                archive.learn(facts)

    return replace(
        first,
        location=" and ".join(archive.location for archive in archives),
        migrations=tuple(kept),
        warnings=tuple(text for archive in archives for text in archive.warnings),
        checkpoints=(),
        repeatables=(),
        learn=learn,
    )


def _are_alike(one: Migration, other: Migration) -> bool:
    pairs = ((one.script(each), other.script(each)) for each in Direction)
    return all((mine and mine.load()) == (theirs and theirs.load()) for mine, theirs in pairs)


def _two_files(*found: tuple[Migration, Source]) -> MigrationError:
    names = " and ".join(f"{each.location} ({migration.name})" for migration, each in found)
    return MigrationError(
        Reason.SOURCE_INVALID,
        f"two archives have different files of version {found[0][0].version}: {names}",
        hint="give those archives alone whose files this database has had",
    )
