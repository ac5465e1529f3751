"""up [N] [-to V]: apply all pending migrations, the next N, or those up to a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.operands import read_limit, read_to, version_for
from dbmigrate.cli.arguments.usage import UP
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Apply them."""
    limit = read_limit(invocation.operands)
    to = read_to(invocation)
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.up import up

        return up(request, limit=limit, highest=version_for(request, to))

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


TO = Flag("to", "Apply those up to that version (which need not exist)", kind="version")

COMMAND = Command("up", UP, run, flags=(HELP, TO), operand="N")
