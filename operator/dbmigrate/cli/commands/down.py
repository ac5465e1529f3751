"""down [N] [-all] [-to V]: undo the last N migrations, those above V, or all after asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.operands import read_limit, read_to, version_for
from dbmigrate.cli.arguments.usage import DOWN
from dbmigrate.cli.command import HELP, ArgumentError, Command, Declined, Invocation
from dbmigrate.cli.prompts import confirm

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

QUESTION = "Are you sure you want to apply all down migrations?"


def run(invocation: Invocation) -> int:
    """Undo them."""
    limit = _read_limit(invocation)
    to = read_to(invocation)
    if limit is None and to is None and not is_set(invocation.values, "all"):
        if not confirm(invocation.terminal, invocation.answers, QUESTION):
            raise Declined("Not applying all down migrations")
        invocation.terminal.line("Applying all down migrations")
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.down import down

        return down(request, limit=limit, lowest=version_for(request, to))

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


def _read_limit(invocation: Invocation) -> int | None:
    if is_set(invocation.values, "all") and (invocation.operands or "to" in invocation.values):
        raise ArgumentError("-all cannot be used with other arguments")
    return read_limit(invocation.operands)


ALL = Flag("all", "Apply all down migrations", kind="")
TO = Flag("to", "Undo those above that version (which need not exist)", kind="version")

COMMAND = Command("down", DOWN, run, flags=(HELP, ALL, TO), operand="N")
