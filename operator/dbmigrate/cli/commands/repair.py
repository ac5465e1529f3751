"""repair: clean up after a step that failed outside of a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.usage import REPAIR
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.answers import Repair
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Repair what can be repaired, and say what was done."""
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Repair]:
        from dbmigrate.runner.commands.repair import repair

        return repair(request)

    return run_use_case(invocation, use_case, files=FileUse.IF_GIVEN, show=_show, extra=_document)


def _show(invocation: Invocation, done: Repair) -> int:
    for name in done.dropped_indexes:
        invocation.terminal.line(f"dropped the invalid index {name}")
    for message in done.messages:
        invocation.terminal.line(message)
    if not done.dropped_indexes and not done.messages:
        invocation.terminal.line("nothing to repair")
    return 0


def _document(done: Repair) -> Mapping[str, Any]:
    return {"droppedIndexes": list(done.dropped_indexes), "messages": list(done.messages)}


COMMAND = Command("repair", REPAIR, run, flags=(HELP,))
