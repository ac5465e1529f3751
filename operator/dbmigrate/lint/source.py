"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.lint.finding import Finding
from dbmigrate.lint.script import judge_script
from dbmigrate.sources.migration import Format, Source
from dbmigrate.versions import Version


def lint(
    source: Source, *, above: Version | None = None, latest: int | None = None
) -> Iterator[Finding]:
    """Look at the up scripts of all migrations, of those above a version, or of the newest ones.

    Raises MigrationError (SourceInvalid) for a script that can't be read or split.
    """
    migrations = source.above(above)
    if latest is not None:
        migrations = migrations[max(0, len(migrations) - latest) :]
    for migration in migrations:
        if migration.up is None:
            continue
        # Atlas's files have no way down at all.
        up, has_down = migration.up, migration.down is not None or source.format is Format.ATLAS
        yield from judge_script(up.show(), up.file, has_down=has_down)
