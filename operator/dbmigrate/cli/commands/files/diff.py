"""diff NAME: write the migrations that lead from the existing ones to a schema."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, each_value, is_set
from dbmigrate.cli.arguments.usage import DIFF
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.commands.diff import Diff, DiffOrder
    from dbmigrate.runner.diffing.desired import Desired
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

NOWHERE = "host=scratch dbname=scratch"
"""Stands for the target where none is named; no connection to it is made."""
NAMELESS = "change"
"""The name of migrations that are not to be written."""

FLAGS = (
    HELP,
    Flag(
        "to",
        "The desired schema: files of SQL, a directory of them or of migrations, a"
        " database's URL, or exec:PROGRAM; may be repeated (default schema.sql or schema/ beside"
        " the migrations)",
        is_repeated=True,
    ),
    Flag("dev-url", "A server on which scratch databases may be created (default a temporary one)"),
    Flag(
        "rename",
        "Treat an object as renamed: kind:old=new, such as `column:public.users.name=full_name`;"
        " may be repeated",
        is_repeated=True,
    ),
    Flag("no-renames", "Treat no other object as renamed: drop and create", kind=""),
    Flag("plain", "Plain forms of SQL, which may block the application, in fewer files", kind=""),
    Flag("seq", "Sequential versions (default like the others, else timestamps)", kind=""),
    Flag("dry-run", "Print the files without writing them", kind=""),
    Flag("check", "Exit with 3 if there is a difference, and write nothing", kind=""),
)


def run(invocation: Invocation) -> int:
    """Plan, verify and write; 3 for a difference with -check."""
    values = invocation.values
    is_check = is_set(values, "check")
    if not invocation.operands and not is_check and not is_set(values, "dry-run"):
        raise ArgumentError("please specify name", hint="diff NAME: of the new migration")
    from dbmigrate.cli.output.diff_result import describe_diff, show_diff
    from dbmigrate.cli.run import FileUse, run_use_case

    desired = _read_desired(invocation)

    def use_case(request: Request) -> Result[Diff]:
        from dbmigrate.runner.commands.diff import diff

        return diff(request, _read_order(invocation, desired))

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.REQUIRED,
        show=show_diff,
        extra=describe_diff,
        database=None if invocation.options.database else NOWHERE,
    )


def _read_desired(invocation: Invocation) -> tuple[Desired, ...]:
    from dbmigrate.cli.arguments.source_location import find_directory
    from dbmigrate.runner.diffing.desired import find_beside, read_desired

    places = each_value(invocation.values, "to")
    if not places:
        directory = find_directory(invocation.options)
        beside = find_beside(directory)
        if beside is None:
            from dbmigrate.sources.listing import list_directory

            list_directory(directory)  # a directory that is none is the likelier mistake
            raise ArgumentError(
                f"no desired schema: neither schema.sql nor schema/ is beside"
                f" {directory}: name it with -to"
            )
        places = (beside,)
    return tuple(read_desired(place, invocation.environ) for place in places)


def _read_order(invocation: Invocation, desired: tuple[Desired, ...]) -> DiffOrder:
    from dbmigrate.cli.rename_choice import choose_renames, read_rename
    from dbmigrate.postgres.connection.target import parse_target
    from dbmigrate.runner.commands.diff import DiffOrder
    from dbmigrate.sources.drafts import check_name

    values = invocation.values
    dev_url = values.get("dev-url", "")
    return DiffOrder(
        name=check_name(invocation.operands[0]) if invocation.operands else NAMELESS,
        desired=desired,
        choose=partial(choose_renames, invocation),
        renames=tuple(map(read_rename, each_value(values, "rename"))),
        server=parse_target(dev_url, {}) if dev_url else None,
        seq=is_set(values, "seq") if "seq" in values else None,
        online=not is_set(values, "plain"),
        is_check=is_set(values, "check"),
        is_dry_run=is_set(values, "dry-run"),
    )


COMMAND = Command(
    "diff", DIFF, run, flags=FLAGS, operand="NAME", twins=("to", "dev-url", "plain", "seq")
)
