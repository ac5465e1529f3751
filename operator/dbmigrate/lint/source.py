"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbmigrate.lint.finding import Finding
from dbmigrate.lint.script import judge_script
from dbmigrate.sources.migration import Source


@dataclass(frozen=True, slots=True)
class LintedScript:
    """An up script by the name of its file."""

    file: str
    sql: bytes


AskOthers = Callable[[Sequence[LintedScript]], Mapping[str, Sequence[Finding]]]
"""Another linter: its findings by file."""


def lint(
    source: Source, *, above: int | None = None, others: AskOthers | None = None
) -> Iterator[Finding]:
    """Look at the up scripts of all migrations, or of those above a version.

    Raises MigrationError (SourceInvalid) for a script that can't be read or split, and
    those of the other linter.
    """
    migrations = [each for each in source.above(above) if each.up is not None]
    found: Mapping[str, Sequence[Finding]] = {}
    if others is not None:
        found = others([LintedScript(m.up.file, m.up.show()) for m in migrations if m.up])
    for migration in migrations:
        if migration.up is None:
            continue
        yield from judge_script(
            migration.up.show(),
            migration.up.file,
            has_down=migration.down is not None,
            others=None if others is None else found.get(migration.up.file, ()),
        )
