"""apply [N]: go up as Atlas does, which is what `atlas migrate apply` becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.command import HELP, Command, Invocation
from dbmigrate.cli.flags import Flag, is_set
from dbmigrate.cli.operands import check_version, read_limit, version_for
from dbmigrate.cli.usage import APPLY

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

FLAGS = (
    HELP,
    Flag("baseline", "What the database has already, if nothing is applied yet", kind="version"),
    Flag("allow-dirty", "Begin a history in a database that is not empty", kind=""),
    Flag("to", "Go up to that version, and no further", kind="version"),
)


def run(invocation: Invocation) -> int:
    """Apply what is pending."""
    limit = read_limit(invocation.operands)
    texts = {name: invocation.values.get(name) for name in ("baseline", "to")}
    for text in filter(None, texts.values()):
        check_version(text, invocation.options)
    from dbmigrate.cli.run import Files, run_use_case

    def use_case(request: Request) -> Result[None]:
        from dbmigrate.runner.apply import ApplyOrder, apply

        order = ApplyOrder(
            limit,
            target=version_for(request, texts["to"]),
            baseline=version_for(request, texts["baseline"]),
            may_hold_something=is_set(invocation.values, "allow-dirty"),
        )
        return apply(request, order)

    return run_use_case(invocation, use_case, files=Files.REQUIRED)


COMMAND = Command("apply", APPLY, run, flags=FLAGS)
