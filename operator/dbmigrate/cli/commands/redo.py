"""redo: undo the newest migration and apply it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.usage import REDO
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Undo it and apply it."""
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.redo import redo

        return redo(request)

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


COMMAND = Command("redo", REDO, run, flags=(HELP,))
