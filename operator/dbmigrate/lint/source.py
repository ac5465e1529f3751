"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbmigrate.lint.finding import Finding
from dbmigrate.lint.script import judge_script
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import Role, Version


@dataclass(frozen=True, slots=True)
class LintedScript:
    """An up script by the name of its file."""

    file: str
    sql: bytes


AskOthers = Callable[[Sequence[LintedScript]], Mapping[str, Sequence[Finding]]]
"""Another linter: its findings by file."""


def lint(
    source: Source, *, above: Version | None = None, others: AskOthers | None = None
) -> Iterator[Finding]:
    """Look at the up scripts of all migrations, or of those above a version.

    Repeatable ones are looked at always. A checkpoint runs where nothing is, and can hurt
    nobody. Raises MigrationError (SourceInvalid) for a script that can't be read or split,
    and those of the other linter.
    """
    migrations = [*source.above(above), *source.repeatables]
    scripts: Iterable[tuple[Migration, LintedScript]] = (
        (each, LintedScript(each.up.file, each.up.show())) for each in migrations if each.up
    )
    found = None
    if others is not None:
        scripts = list(scripts)  # one by one they need no more memory than the largest has
        found = others([script for _, script in scripts])
    for migration, script in scripts:
        yield from judge_script(
            script.sql,
            script.file,
            has_down=migration.down is not None or migration.role is Role.REPEATABLE,
            others=None if found is None else found.get(script.file, ()),
        )
