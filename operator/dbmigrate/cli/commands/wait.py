"""wait: until the database has the version that an application needs.

For init containers: needs to read the history and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set, present
from dbmigrate.cli.arguments.numbers import read_duration
from dbmigrate.cli.arguments.operands import check_version, version_for
from dbmigrate.cli.arguments.usage import WAIT
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result, VersionState

FLAGS = (
    HELP,
    Flag("version", "The version to wait for, or a later one", kind="version"),
    Flag("latest", "Wait for the newest version in the source (default)", kind=""),
    Flag(
        "timeout",
        "How long to wait: 5m, 90s; none waits without limit (default none)",
        check=read_duration,
        kind="duration",
    ),
)


def run(invocation: Invocation) -> int:
    """Wait for it."""
    values = invocation.values
    if invocation.operands:
        raise ArgumentError(f"too many arguments: {present(' '.join(invocation.operands))}")
    if "version" in values and is_set(values, "latest"):
        raise ArgumentError("-version and -latest are mutually exclusive")
    text = check_version(values["version"], invocation.options) if "version" in values else None
    timeout = read_duration(values.get("timeout", "none"))
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[VersionState]:
        from dbmigrate.runner.commands.wait import wait

        return wait(request, version=version_for(request, text), timeout=timeout)

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.REQUIRED if text is None else FileUse.NONE,
        show=lambda _: 0,
    )


COMMAND = Command("wait", WAIT, run, flags=FLAGS, twins=("version", "timeout"))
