"""goto V: up or down to version V; `goto latest` is the newest one in the source."""

from __future__ import annotations

from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.cli.operands import read_target
from dbmigrate.cli.usage import GOTO


def run(invocation: Invocation) -> int:
    """Go there."""
    version = read_target(invocation.operands)
    from dbmigrate.cli.run import Files, run_use_case
    from dbmigrate.runner.goto import goto

    return run_use_case(
        invocation, lambda request: goto(request, version=version), files=Files.REQUIRED
    )


COMMAND = Command("goto", GOTO, run, flags=(HELP,))
