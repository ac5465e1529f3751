"""Writes the table of rules at the end of docs/lint.md: `python docs/build_lint_rules.py`."""

from __future__ import annotations

from pathlib import Path

from dbmigrate.lint.rules import RULES

PAGE = Path(__file__).with_name("lint.md")
HEAD = "| --- | --- | --- |\n"


def render(page: str) -> str:
    """The page with a row for each rule."""
    rows = [
        f"| `{rule.name}`{'*' if rule.depends_on_size else ''} | {rule.severity} |"
        f" {rule.reason}. Instead: {rule.remedy} |\n"
        for rule in RULES.values()
    ]
    start = page.index(HEAD) + len(HEAD)
    return page[:start] + "".join(rows) + "\n\\* depends on the size of the table.\n"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
