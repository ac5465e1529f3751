"""apply [N]: go up as Atlas does; `atlas migrate apply` is translated to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, is_set, one_of
from dbmigrate.cli.arguments.operands import check_version, read_limit, version_for
from dbmigrate.cli.arguments.usage import APPLY
from dbmigrate.cli.command import AS_ATLAS, HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

MODES = ("file", "none", "all")


FLAGS = (
    HELP,
    Flag(
        "baseline",
        "The version that the database already has, if nothing is applied yet",
        kind="version",
    ),
    Flag("allow-dirty", "Start a history in a database that is not empty", kind=""),
    Flag("to", "Migrate up to that version", kind="version"),
    Flag(
        "tx-mode", "The scope of a transaction: file, none or all", check=one_of(MODES), kind="mode"
    ),
    Flag("dry-run", "Show what would be run; change nothing", kind=""),
    AS_ATLAS,
)


def run(invocation: Invocation) -> int:
    """Apply what is pending."""
    limit = read_limit(invocation.operands)
    texts = {name: invocation.values.get(name) for name in ("baseline", "to")}
    for text in filter(None, texts.values()):
        check_version(text, invocation.options)
    is_dry = is_set(invocation.values, "dry-run")
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Any]:
        from dataclasses import replace

        from dbmigrate.policies import Transactions
        from dbmigrate.runner.commands.apply import ApplyOrder, apply, preview_apply

        order = ApplyOrder(
            limit,
            target=version_for(request, texts["to"]),
            baseline=version_for(request, texts["baseline"]),
            may_hold_something=is_set(invocation.values, "allow-dirty"),
        )
        if is_dry:
            return preview_apply(request, order)
        mode = Transactions(invocation.values.get("tx-mode", "file"))
        options = replace(request.options, transactions=mode)
        return apply(replace(request, options=options), order)

    if AS_ATLAS.name in invocation.values:
        from dbmigrate.cli.output.atlas.output import with_apply_document

        told = with_apply_document(invocation, use_case, is_dry=is_dry)
        return run_use_case(invocation, told, files=FileUse.REQUIRED, show=lambda *_: 0)
    if is_dry:
        from dbmigrate.cli.commands.plan import tell_plan

        return tell_plan(invocation, use_case)
    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


COMMAND = Command("apply", APPLY, run, flags=FLAGS, operand="N")
