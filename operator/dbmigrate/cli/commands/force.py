"""force V: say that the database has version V and is clean, without running anything.

-1 means that nothing is applied. golang-migrate reads `force -1` as a flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.numbers import read_signed_decimal
from dbmigrate.cli.arguments.operands import check_version, read_version, the_version, version_for
from dbmigrate.cli.arguments.usage import FORCE
from dbmigrate.cli.command import AS_ATLAS, HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result
    from dbmigrate.versions import Version

NOTHING = "-1"


def run(invocation: Invocation) -> int:
    """Set the version."""
    if AS_ATLAS.name in invocation.values:
        return _set_revision(invocation)
    text = _read(invocation)
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.commands.force import force

        return force(request, _version_for(request, text))

    return run_use_case(invocation, use_case, files=FileUse.FOR_ROWS)


def _set_revision(invocation: Invocation) -> int:
    """As Atlas's `migrate set`: to a file's version, or to that of the last one."""

    from dbmigrate.cli.output.atlas.output import print_change
    from dbmigrate.cli.run import FileUse, run_use_case
    from dbmigrate.runner.commands.revisions import RevisionsChange, set_revision

    text = (
        check_version(invocation.operands[0], invocation.options) if invocation.operands else None
    )

    def use_case(request: Request) -> Result[RevisionsChange]:
        return set_revision(request, version_for(request, text))

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED, show=print_change)


def _read(invocation: Invocation) -> str:
    text = the_version(invocation.operands)
    try:
        number = read_signed_decimal(text)
    except ValueError:
        return check_version(text, invocation.options)
    if number < -1:
        raise ArgumentError("argument V must be >= -1")
    return NOTHING if number == -1 else text.removeprefix("+")


def _version_for(request: Request, text: str) -> Version | None:
    return None if text == NOTHING else read_version(text, request.target.history.kind)


_TRANSLATED = AS_ATLAS._replace(usage="")
"""For `atlas migrate set` alone: the help of `force` is golang-migrate's."""
COMMAND = Command(
    "force", FORCE, run, flags=(HELP, _TRANSLATED), operand="V", numbers_are_operands=True
)
