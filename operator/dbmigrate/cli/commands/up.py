"""up [N]: apply all pending migrations, or the next N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.cli.operands import read_limit
from dbmigrate.cli.usage import UP

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Apply them."""
    limit = read_limit(invocation.operands)
    from dbmigrate.cli.run import Files, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.up import up

        return up(request, limit=limit)

    return run_use_case(invocation, use_case, files=Files.REQUIRED)


COMMAND = Command("up", UP, run, flags=(HELP,))
