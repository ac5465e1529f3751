"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from dbmigrate.lint.finding import Finding
from dbmigrate.lint.known import Known
from dbmigrate.lint.script import judge_script
from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.sources.migration import Format, Migration, Source
from dbmigrate.versions import Role, Version


@dataclass(frozen=True, slots=True)
class LintedScript:
    """An up script by the name of its file."""

    file: str
    sql: bytes


AskOthers = Callable[[Sequence[LintedScript]], Mapping[str, Sequence[Finding]]]
"""Another linter: its findings by file."""


def choose(
    source: Source, *, above: Version | None = None, latest: int | None = None
) -> list[Migration]:
    """The migrations to examine."""
    chain = source.above(above)
    if latest is not None:
        chain = chain[max(0, len(chain) - latest) :]
    return [*chain, *source.repeatables]


def lint(
    source: Source,
    *,
    above: Version | None = None,
    latest: int | None = None,
    others: AskOthers | None = None,
) -> Iterator[Finding]:
    """Examine the up scripts of all migrations, of those above a version, or of the newest ones.

    Repeatable ones are always examined. A checkpoint runs in an empty database only, so it is
    skipped. Raises MigrationError (SourceInvalid) for a script that cannot be read or split,
    and those of the other linter.
    """
    migrations = choose(source, above=above, latest=latest)
    scripts: Iterable[tuple[Migration, LintedScript]] = (
        (each, LintedScript(each.up.file, each.up.show())) for each in migrations if each.up
    )
    found = None
    if others is not None:
        scripts = list(scripts)  # one at a time they need no more memory than the largest
        found = others([script for _, script in scripts])
    known = _follow_earlier(source, migrations)
    # Atlas's files have no down scripts.
    is_one_way = source.format is Format.ATLAS
    said: list[Finding] = []
    for migration, script in scripts:
        has_down = migration.down is not None or migration.role is Role.REPEATABLE
        said += judge_script(
            script.sql,
            script.file,
            has_down=has_down or is_one_way,
            others=None if found is None else found.get(script.file, ()),
            known=known,
        )
    yield from known.without_indexed(said)


def _follow_earlier(source: Source, chosen: Sequence[Migration]) -> Known:
    """The tables after the files before the selected ones."""
    known = Known()
    versions = {each.version for each in chosen}
    for each in takewhile(lambda each: each.version not in versions, source.migrations):
        if each.up is not None:
            analyse(partial(known.follow_script, each.up.show(), each.up.file), lambda _: None)
    return known
