"""goto V: up or down to version V; `goto latest` is the newest one in the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.operands import the_target, version_for
from dbmigrate.cli.arguments.usage import GOTO
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Go there."""
    text = the_target(invocation.operands, invocation.options)
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.goto import goto

        return goto(request, version=version_for(request, text))

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


COMMAND = Command("goto", GOTO, run, flags=(HELP,), operand="V")
