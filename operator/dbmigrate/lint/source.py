"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.lint.finding import Finding
from dbmigrate.lint.script import judge_script
from dbmigrate.sources.migration import Source
from dbmigrate.versions import Version


def lint(source: Source, *, above: Version | None = None) -> Iterator[Finding]:
    """Look at the up scripts of all migrations, or of those above a version.

    Raises MigrationError (SourceInvalid) for a script that can't be read or split.
    """
    for migration in source.above(above):
        if migration.up is None:
            continue
        up, has_down = migration.up, migration.down is not None
        yield from judge_script(up.show(), up.file, has_down=has_down)
