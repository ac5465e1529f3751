"""drop [-f] [-cascade]: empty the schema, after asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.usage import DROP
from dbmigrate.cli.command import HELP, Command, Declined, Invocation
from dbmigrate.cli.prompts import confirm

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

QUESTION = "Are you sure you want to drop the entire database schema?"
FORCE = Flag("f", "Force the drop command by bypassing the confirmation prompt", kind="")


def run(invocation: Invocation) -> int:
    """Drop them."""
    if not is_set(invocation.values, "f"):
        if not confirm(invocation.terminal, invocation.answers, QUESTION):
            raise Declined("Aborted dropping the entire database schema")
        invocation.terminal.line("Dropping the entire database schema")
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.drop import drop

        return drop(request, cascade=is_set(invocation.values, "cascade"))

    return run_use_case(invocation, use_case, files=FileUse.NONE)


CASCADE = Flag(
    "cascade",
    "Also drop dependent objects in other schemas, and objects of other roles",
    kind="",
)

COMMAND = Command("drop", DROP, run, flags=(HELP, FORCE, CASCADE))
