"""version: print the version of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.usage import VERSION
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result, VersionState


def run(invocation: Invocation) -> int:
    """Ask the database."""
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[VersionState]:
        from dbmigrate.runner.commands.read_only.version import version

        return version(request)

    return run_use_case(invocation, use_case, files=FileUse.NONE, show=_show)


def _show(invocation: Invocation, state: VersionState) -> int:
    dirty = " (dirty)" if state.dirty else ""
    if state.version is None:
        invocation.terminal.error(f"no migration{dirty}")
        return 1
    invocation.terminal.line(f"{state.version}{dirty}")
    return 0


COMMAND = Command("version", VERSION, run, flags=(HELP,))
