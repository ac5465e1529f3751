"""The result of `diff`, as text and as JSON.

The text has the names of the files, the data that they destroy, and lint's findings
about them; with -dry-run their content, with -check what would change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import is_set
from dbmigrate.cli.command import Invocation

if TYPE_CHECKING:
    from dbmigrate.diff.change import Change
    from dbmigrate.lint.finding import Finding
    from dbmigrate.runner.commands.diff import Diff
    from dbmigrate.runner.diffing.verification import NewMigration

DIFFERENT = 3
"""The exit code of -check."""


def show_diff(invocation: Invocation, diff: Diff) -> int:
    """Print it. Returns the exit code."""
    from dbmigrate.postgres.sqltext.syntax_tree import NOT_INSTALLED, is_installed

    terminal = invocation.terminal
    if not diff.changes:
        terminal.line("no difference")
        return 0
    if is_set(invocation.values, "check"):
        for change in diff.changes:
            terminal.line(f"{change.action} {change.about}")
        terminal.line(f"{len(diff.changes)} statements lead to the desired schema")
        return DIFFERENT
    if is_set(invocation.values, "dry-run"):
        _print_files(invocation, diff)
    for path in diff.paths:
        terminal.line(str(path))
    for step in diff.steps:
        for change in step.up:
            if change.destroys is not None:
                terminal.warning(f"{_label(step)} is destructive: {change.destroys}")
    for text in diff.warnings:
        terminal.warning(text)
    if not is_installed():
        terminal.warning(f"lint cannot check the new files: {NOT_INSTALLED}")
    for finding in find_faults(diff):
        terminal.line(
            f"{finding.severity} {finding.rule.name}: {finding.file}:{finding.line}:"
            f" {finding.message}"
        )
    return 0


def describe_diff(diff: Diff) -> Mapping[str, Any]:
    """The additions to the JSON document."""
    from dbmigrate.lint.outputs import describe

    return {
        "diff": {
            "changes": [_describe_change(change) for change in diff.changes],
            "migrations": [
                {
                    "version": step.version,
                    "name": step.name,
                    "files": dict(step.files),
                    "up": [_describe_change(change) for change in step.up],
                    "down": [_describe_change(change) for change in step.down],
                }
                for step in diff.steps
            ],
            "warnings": list(diff.warnings),
            "written": [str(path) for path in diff.paths],
            "findings": [describe(finding) for finding in find_faults(diff)],
        }
    }


def find_faults(diff: Diff) -> Iterator[Finding]:
    """Lint's findings about the new migrations."""
    from dbmigrate.lint.known import Known
    from dbmigrate.lint.script import judge_script
    from dbmigrate.postgres.sqltext.syntax_tree import is_installed

    known = Known()
    for step in diff.steps if is_installed() else ():
        for each in judge_script(step.up_script, next(iter(step.files)), known=known):
            if not _is_widened(each, diff):
                yield each


def _is_widened(finding: Finding, diff: Diff) -> bool:
    """Whether a change of a type rewrites no row, by the type that the column has had."""
    from dbmigrate.lint.column_type import parse_type

    if finding.change is None or finding.table is None:
        return False
    old = diff.types.get((finding.table, finding.change.column))
    return old is not None and parse_type(old).widens_to(finding.change.type)


def _describe_change(change: Change) -> Mapping[str, Any]:
    return {
        "action": change.action,
        "kind": change.about.kind,
        "name": change.about.name,
        "sql": change.sql,
        "transaction": change.can_be_in_transaction,
        "destroys": change.destroys,
        "note": change.note,
    }


def _print_files(invocation: Invocation, diff: Diff) -> None:
    if invocation.options.json:
        return  # the document contains them
    from dbmigrate.cli.output.document import print_text
    from dbmigrate.printable import indented, one_line

    for step in diff.steps:
        for name, text in step.files.items():
            print_text(invocation.output, f"-- {one_line(name)}\n{indented(text)}")


def _label(step: NewMigration) -> str:
    return f"{step.version}_{step.name}"
