"""backup [FILE]: save the database with pg_dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.operands import read_file
from dbmigrate.cli.arguments.usage import BACKUP
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.report.preparation import Backup
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Save it."""
    file = read_file((*invocation.operands, ".")[0])
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Backup]:
        from dbmigrate.runner.commands.backup import backup

        return backup(request, file)

    return run_use_case(invocation, use_case, files=FileUse.NONE, show=_show)


def _show(invocation: Invocation, made: Backup) -> int:
    invocation.terminal.line(f"{made.name} {made.size} bytes sha256 {made.sha256}")
    return 0


COMMAND = Command("backup", BACKUP, run, flags=(HELP,), operand="FILE")
