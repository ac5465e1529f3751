"""plan [V]: the steps that lead to a version, with their SQL; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.cli.operands import read_target
from dbmigrate.cli.usage import PLAN

if TYPE_CHECKING:
    from dbmigrate.postgres.impact import Impact
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Preview, PreviewStep, Result


def run(invocation: Invocation) -> int:
    """Work them out."""
    version = read_target(invocation.operands) if invocation.operands else None
    from dbmigrate.cli.run import Files, run_use_case

    def use_case(request: Request) -> Result[Preview]:
        from dbmigrate.runner.preview import preview

        return preview(request, version=version)

    return run_use_case(
        invocation,
        use_case,
        files=Files.REQUIRED,
        show=partial(_show, invocation),
        extra=_document,
    )


def _show(invocation: Invocation, found: Preview) -> int:
    if not found.steps:
        invocation.terminal.line("no change")
    elif not invocation.options.json:
        from dbmigrate.cli.document import print_text

        print_text(invocation.output, "\n\n".join(_draw(step) for step in found.steps))
    return 0


def _draw(preview: PreviewStep) -> str:
    """One step as SQL with a comment above it, so that the whole can be read as a script."""
    from dbmigrate.cli.narrator import describe_step

    step = preview.step
    place = "" if step.script is None else f" ({step.script.file})"
    stored = ", from the history" if step.is_stored else ""
    lines = [f"-- {describe_step(step)}{place}{stored}"]
    if preview.sql is not None:
        lines += [f"--   {impact}" for impact in _impacts(preview)]
        lines.append(_text(preview.sql).strip())
    return "\n".join(lines)


def _impacts(preview: PreviewStep) -> tuple[Impact, ...]:
    """What is known of its statements; nothing of a file that can't be split."""
    from dbmigrate.errors import MigrationError
    from dbmigrate.postgres.impact import read_impacts

    step = preview.step
    if preview.sql is None or step.script is None:
        return ()
    try:
        return read_impacts(preview.sql, step.script.file)
    except MigrationError:
        return ()


def _document(found: Preview) -> Mapping[str, Any]:
    return {"plan": [_describe(preview) for preview in found.steps]}


def _describe(preview: PreviewStep) -> Mapping[str, Any]:
    step = preview.step
    impacts = _impacts(preview)
    return {
        "version": str(step.version),
        "name": step.name,
        "direction": str(step.direction),
        "file": None if step.script is None else step.script.file,
        "stored": step.is_stored,
        "destructive": any(impact.is_destructive for impact in impacts),
        "impacts": [
            {
                "line": impact.line,
                "table": impact.table,
                "lock": impact.lock,
                "notes": list(impact.notes),
                "destructive": impact.is_destructive,
            }
            for impact in impacts
        ],
        "sql": None if preview.sql is None else _text(preview.sql),
    }


def _text(sql: bytes) -> str:
    return sql.decode("utf-8", "replace")


COMMAND = Command("plan", PLAN, run, flags=(HELP,))
