"""The findings of a whole source, in the order of its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from dbmigrate.lint.checked_columns import CheckedColumns, sets_not_null
from dbmigrate.lint.finding import Finding
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
    """Those that are to be looked at."""
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
    """Look at the up scripts of all migrations, of those above a version, or of the newest ones.

    Repeatable ones are looked at always. A checkpoint runs where nothing is, and can hurt
    nobody. Raises MigrationError (SourceInvalid) for a script that can't be read or split,
    and those of the other linter.
    """
    migrations = choose(source, above=above, latest=latest)
    scripts: Iterable[tuple[Migration, LintedScript]] = (
        (each, LintedScript(each.up.file, each.up.show())) for each in migrations if each.up
    )
    found = None
    if others is not None:
        scripts = list(scripts)  # one by one they need no more memory than the largest has
        found = others([script for _, script in scripts])
    checked = _follow_earlier(source, migrations)
    # Atlas's files have no way down at all.
    is_one_way = source.format is Format.ATLAS
    for migration, script in scripts:
        has_down = migration.down is not None or migration.role is Role.REPEATABLE
        yield from judge_script(
            script.sql,
            script.file,
            has_down=has_down or is_one_way,
            others=None if found is None else found.get(script.file, ()),
            checked=checked,
        )


def _follow_earlier(source: Source, chosen: Sequence[Migration]) -> CheckedColumns:
    """What the files before the chosen ones have checked, where one of these may want to know."""
    checked = CheckedColumns()
    versions = {each.version for each in chosen}
    earlier = [*takewhile(lambda each: each.version not in versions, source.migrations)]
    if earlier and any(each.up and sets_not_null(each.up.show()) for each in chosen):
        for script in (each.up for each in earlier if each.up):
            analyse(partial(checked.follow_script, script.show(), script.file), lambda _: None)
    return checked
