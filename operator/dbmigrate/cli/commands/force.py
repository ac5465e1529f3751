"""force V: say that the database has version V and is clean, without running anything.

-1 means that nothing is applied. golang-migrate takes `force -1` for a flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation
from dbmigrate.cli.numbers import read_signed_decimal
from dbmigrate.cli.operands import the_version
from dbmigrate.cli.usage import FORCE

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result


def run(invocation: Invocation) -> int:
    """Set the version."""
    version = _read_version(invocation.operands)
    from dbmigrate.cli.run import Files, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.force import force

        return force(request, version)

    return run_use_case(invocation, use_case, files=Files.FOR_ROWS)


def _read_version(operands: tuple[str, ...]) -> int | None:
    try:
        version = read_signed_decimal(the_version(operands))
    except ValueError:
        raise ArgumentError("can't read version argument V") from None
    if version < -1:
        raise ArgumentError("argument V must be >= -1")
    return None if version == -1 else version


COMMAND = Command("force", FORCE, run, flags=(HELP,), numbers_are_operands=True)
