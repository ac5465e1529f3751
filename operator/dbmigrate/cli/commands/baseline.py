"""baseline V: start the history of a database that already has the schema of version V."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.operands import check_version, read_version, the_version
from dbmigrate.cli.arguments.usage import BASELINE
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Record the version; run nothing."""
    text = check_version(the_version(invocation.operands), invocation.options)
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.baseline import baseline

        return baseline(request, read_version(text, request.target.history.kind))

    return run_use_case(invocation, use_case, files=FileUse.IF_GIVEN)


COMMAND = Command("baseline", BASELINE, run, flags=(HELP,), operand="V")
