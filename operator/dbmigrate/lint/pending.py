"""The findings about a run's pending steps, weighed by the target database.

Only pending scripts are examined. What they do to a table that does not exist yet and
that one of them creates affects no session: files that would block a large database can
fill a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dbmigrate.lint.catalog_types import without_widened
from dbmigrate.lint.finding import Finding, Severity
from dbmigrate.lint.known import Known
from dbmigrate.lint.script import judge
from dbmigrate.lint.sizes import Size, read_sizes, weigh
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.syntax_tree import same_name
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Role

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def judge_pending(migrations: Iterable[Migration], session: Session | None) -> tuple[Finding, ...]:
    """The findings about these migrations' up scripts, the most severe first.

    One round trip, a second one for changed types, and none where no table is concerned;
    without a session every table may be large. Raises MigrationError (SourceInvalid) for a
    script that cannot be read or split, ServerFailure and ConnectionBroken.
    """
    found: list[Finding] = []
    made: set[str] = set()
    known = Known()
    for migration in migrations:
        if migration.up is None:
            continue
        sql, file = migration.up.show(), migration.up.file
        has_down = migration.down is not None or migration.role is not Role.VERSIONED
        judged = judge(sql, file, has_down=has_down, known=known)
        found += judged.findings
        made |= judged.made
    found = [*known.without_indexed(found)]
    if session is not None:
        found = without_widened(session, found)
        sizes = read_sizes(session, (each.table for each in found if each.table))
        found = list(_without_new_tables(found, made, sizes))
    return tuple(sorted(found, key=lambda each: _ORDER.index(each.severity)))


def _without_new_tables(
    found: Iterable[Finding], made: set[str], sizes: dict[str, Size]
) -> Iterator[Finding]:
    names = {each for name in made for each in (name, name.rpartition(".")[2])}
    for finding in found:
        table = finding.table
        if table is not None and table not in sizes:
            name = same_name(table)
            if name in names or name.rpartition(".")[2] in made:
                continue
        yield weigh(finding, sizes)
