"""plan [V]: the steps that lead to a version, with their SQL; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.operands import the_target, version_for
from dbmigrate.cli.arguments.usage import PLAN
from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.printable import indented, one_line

if TYPE_CHECKING:
    from dbmigrate.runner.answers import Preview, PreviewStep
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Compute them."""
    operands = invocation.operands
    text = the_target(operands, invocation.options) if operands else None

    def use_case(request: Request) -> Result[Preview]:
        from dbmigrate.runner.commands.read_only.plan import preview

        return preview(request, version=version_for(request, text))

    return tell_plan(invocation, use_case)


def tell_plan(invocation: Invocation, use_case: Callable[[Request], Result[Preview]]) -> int:
    """Run a use case that returns a plan, and print it."""
    from dbmigrate.cli.run import FileUse, run_use_case

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED, show=_show, extra=_document)


def _show(invocation: Invocation, found: Preview) -> int:
    if not found.steps:
        invocation.terminal.line("no change")
    elif not invocation.options.json:
        from dbmigrate.cli.output.document import print_text
        from dbmigrate.postgres.sqltext.syntax_tree import NOT_INSTALLED, is_installed

        head = [f"-- {one_line(found.unfinished)}"] if found.unfinished else []
        if not is_installed():
            head.append(f"-- what the statements lock or lose is not known: {NOT_INSTALLED}")
        steps = [_draw(step) for step in found.steps]
        print_text(invocation.output, "\n\n".join([*head, *steps]))
    return 0


def _draw(preview: PreviewStep) -> str:
    """One step: a comment, and its SQL below it, indented so that no line of it looks like one.

    -json has the SQL as it is.
    """
    from dbmigrate.cli.inspection import inspect_step
    from dbmigrate.cli.output.narrator import describe_step

    step = preview.step
    place = "" if step.script is None else f" ({one_line(step.script.file)})"
    stored = ", from the history" if step.is_stored else ""
    lines = [f"-- {describe_step(step)}{place}{stored}"]
    if preview.sql is not None:
        lines += [f"--   {one_line(remark)}" for remark in inspect_step(preview).remarks()]
        lines.append(indented(_text(preview.sql)))
    return "\n".join(lines)


def _document(found: Preview) -> Mapping[str, Any]:
    return {"plan": [_describe(preview) for preview in found.steps]}


def _describe(preview: PreviewStep) -> Mapping[str, Any]:
    from dbmigrate.cli.inspection import inspect_step

    step = preview.step
    found = inspect_step(preview)
    return {
        "version": str(step.version),
        "name": step.name,
        "direction": str(step.direction),
        "file": None if step.script is None else step.script.file,
        "stored": step.is_stored,
        "transaction": found.is_transaction,
        "transactionCauses": list(found.causes),
        "analysed": found.is_analysed,
        "destructive": found.is_destructive,
        "problem": found.problem,
        "impacts": [
            {
                "line": impact.line,
                "table": impact.table,
                "lock": impact.lock,
                "others": [{"table": table, "lock": lock} for table, lock in impact.others],
                "notes": list(impact.notes),
                "destructive": impact.is_destructive,
                "known": impact.is_known,
            }
            for impact in found.impacts
        ],
        "sql": None if preview.sql is None else _text(preview.sql),
    }


def _text(sql: bytes) -> str:
    return sql.decode("utf-8", "replace")


COMMAND = Command("plan", PLAN, run, flags=(HELP,), operand="V")
