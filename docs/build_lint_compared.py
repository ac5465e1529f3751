"""Writes docs/lint-compared.md: `python docs/build_lint_compared.py`.

The page compares each rule with the checks of other linters for the same statement. squawk's
checks are measured: it runs on the rule's example, which the tests contain. The names of the other
linters' checks are from their documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("lint-compared.md")
HEAD = """# Comparison of the rules with other linters

The table has one row for each rule of [lint](lint.md), with the statement that the tests use. \
squawk
2.70 was run on the same statement, with all of its rules. The codes of Atlas, the numbers of eugene
and the names of strong_migrations are from their documentation, for the check that looks for the
same problem. An empty field means that there is no such check.

| rule | statement | squawk | Atlas | eugene | strong_migrations |
| --- | --- | --- | --- | --- | --- |
"""
TAIL = """
squawk's advice on the design of tables (`prefer-bigint-over-int`, `prefer-text-field`,
`prefer-identity`) has no rule here: use `lint -squawk`, with the extra `lint`. The runner handles
what squawk and eugene report about missing time limits, and about statements that cannot be
repeated. strong_migrations reads Ruby and knows Rails' behaviour; the others read SQL.
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
    """The page, for an example of each rule. Raises MigrationError if squawk fails."""
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
"""Findings about nearly every statement, or about the design of tables."""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tests.unit.lint.examples import EXAMPLES

    PAGE.write_text(render(EXAMPLES))
