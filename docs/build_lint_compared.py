"""Writes docs/lint-compared.md: `python docs/build_lint_compared.py`.

Each rule stands beside the checks of other linters for the same statement. What squawk says is
measured: it is run on the rule's own example, which the tests hold. The names of the others'
checks are from their documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("lint-compared.md")
HEAD = """# The rules of lint beside other linters

One row for each rule of [lint](lint.md), with the statement that the tests try it on. squawk was
run on the same statement (2.70, all of its rules); the codes of Atlas, the numbers of eugene and
the names of strong_migrations are those of their documentation, for the check that looks for the
same. An empty field says that there is none.

| rule | statement | squawk | Atlas | eugene | strong_migrations |
| --- | --- | --- | --- | --- | --- |
"""
TAIL = """
What squawk says of how tables should be made (`prefer-bigint-over-int`, `prefer-text-field`,
`prefer-identity`) has no rule here: `lint -squawk` has it, with the extra `lint`. What squawk and
eugene say of missing time limits, and of statements that can't be run again, the runner sees to.
strong_migrations reads Ruby, and knows what Rails does; the others read SQL.
"""
EUGENE: Mapping[str, str] = {
    "check-scans": "E1",
    "foreign-key-scans": "E1",
    "not-null-scans": "E2",
    "json-column": "E3",
    "data-under-lock": "E4",
    "many-locks": "E4",
    "type-rewrites": "E5",
    "index-blocks-writes": "E6",
    "unique-builds-index": "E7",
    "exclude-builds-index": "E8",
    "table-rewrites": "E10",
    "default-rewrites": "E11",
    "primary-key-scans": "W14",
    "foreign-key-unindexed": "E15",
}
STRONG_MIGRATIONS: Mapping[str, str] = {
    "index-blocks-writes": "adding an index non-concurrently",
    "unique-builds-index": "adding a unique constraint",
    "exclude-builds-index": "adding an exclusion constraint",
    "foreign-key-scans": "adding a foreign key",
    "check-scans": "adding a check constraint",
    "not-null-scans": "setting NOT NULL on an existing column",
    "type-rewrites": "changing the type of a column",
    "default-rewrites": "adding a column with a volatile default value",
    "column-dropped": "removing a column",
    "renamed": "renaming a column, a table or a schema",
    "every-row": "backfilling data",
    "json-column": "adding a json column",
}


def render(examples: Mapping[str, str]) -> str:
    """The page, for an example of each rule. Raises MigrationError where squawk does not work."""
    from dbmigrate.lint.ignore import code_of
    from dbmigrate.lint.source import LintedScript
    from dbmigrate.lint.squawk import ask_squawk

    scripts = [LintedScript(f"{name}.sql", f"{sql};".encode()) for name, sql in examples.items()]
    found = ask_squawk(scripts, is_whole=True)
    rows = []
    for name, sql in sorted(examples.items()):
        said = {each.rule.name.partition(":")[2] for each in found.get(f"{name}.sql", ())}
        statement = " ".join(sql.split()).replace("|", "\\|")
        fields = (
            f"`{name}`",
            f"`{statement}`",
            ", ".join(f"`{each}`" for each in sorted(said - ADVICE)),
            code_of(name),
            EUGENE.get(name, ""),
            STRONG_MIGRATIONS.get(name, ""),
        )
        rows.append("| " + " | ".join(fields) + " |\n")
    return HEAD + "".join(rows) + TAIL


ADVICE = frozenset(
    "prefer-bigint-over-int prefer-bigint-over-smallint prefer-text-field prefer-identity"
    " prefer-timestamptz prefer-robust-stmts require-lock-timeout require-statement-timeout"
    " require-timeout-settings require-table-schema require-enum-value-ordering".split()
)
"""What is said of nearly every statement, or of how tables should be made."""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tests.unit.lint.examples import EXAMPLES

    PAGE.write_text(render(EXAMPLES))
