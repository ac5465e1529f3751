"""prune: shorten the log by what explains nothing of the present state any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.numbers import read_count
from dbmigrate.cli.arguments.usage import PRUNE
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.commands.prune import Pruned
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

KEEP = Flag("keep", "How many of the newest rows are always kept", check=read_count, kind="N")


def run(invocation: Invocation) -> int:
    """Prune the log, and say how many rows that were."""
    if "keep" not in invocation.values:
        raise ArgumentError(
            "please specify with -keep N how many of the newest rows of the log are kept"
        )
    keep = read_count(invocation.values["keep"])
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Pruned]:
        from dbmigrate.runner.commands.prune import prune

        return prune(request, keep)

    return run_use_case(invocation, use_case, files=FileUse.IF_GIVEN, show=_show, extra=_document)


def _show(invocation: Invocation, done: Pruned) -> int:
    rows = "1 row" if done.removed == 1 else f"{done.removed} rows"
    invocation.terminal.line(f"removed {rows} of the log, {done.left} are left")
    return 0


def _document(done: Pruned) -> Mapping[str, Any]:
    return {"removedRows": done.removed, "leftRows": done.left}


COMMAND = Command("prune", PRUNE, run, flags=(HELP, KEEP))
