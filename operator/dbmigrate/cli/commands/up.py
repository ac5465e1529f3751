"""up [N]: apply all pending migrations, or the next N."""

from __future__ import annotations

from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.cli.operands import read_limit
from dbmigrate.cli.usage import UP


def run(invocation: Invocation) -> int:
    """Apply them."""
    limit = read_limit(invocation.operands)
    from dbmigrate.cli.run import Files, run_use_case
    from dbmigrate.runner.up import up

    return run_use_case(invocation, lambda request: up(request, limit=limit), files=Files.REQUIRED)


COMMAND = Command("up", UP, run, flags=(HELP,))
