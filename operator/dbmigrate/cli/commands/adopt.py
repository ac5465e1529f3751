"""adopt -from TOOL: take over another tool's history, after showing what that means.

By then the files are golang-migrate's, written by `convert`. An ORM has none that
could be run: dbmigrate.cli.orm_adoption.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.numbers import read_decimal
from dbmigrate.cli.arguments.suggestions import guess
from dbmigrate.cli.arguments.usage import ADOPT
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation
from dbmigrate.cli.prompts import confirm_adoption

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
    from dbmigrate.runner.commands.adopt import Adoption
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result
    from dbmigrate.versions import Version

TOOLS = ("goose", "dbmate", "atlas", "flyway")
ORMS = ("alembic", "django", "rails", "prisma")
FLAGS = (
    HELP,
    Flag("from", f"The tool of the history: {', '.join((*TOOLS, *ORMS))}"),
    Flag("from-table", "Its table, if it does not have the tool's name for it"),
    Flag("as", "Of an ORM: the migration that stands for it", check=read_decimal, kind="version"),
    Flag("baseline", "Of an ORM: write the schema as the first migration, by this name"),
    Flag("keep-owners", "Also write owners and privileges into that file", kind=""),
    Flag("dev-url", "A server on which that file may be tried (default a temporary one)"),
    Flag("f", "Skip the confirmation", kind=""),
)
OF_ORMS = ("as", "baseline", "keep-owners", "dev-url")


def run(invocation: Invocation) -> int:
    """Show it, ask, and do it."""
    tool = invocation.values.get("from", "")
    if tool in ORMS:
        from dbmigrate.cli.orm_adoption import adopt_from_orm

        return adopt_from_orm(invocation, tool)
    if tool not in TOOLS:
        known = f"{', '.join((*TOOLS, *ORMS[:-1]))} or {ORMS[-1]}"
        raise ArgumentError(f"-from must be {known}{guess(tool, (*TOOLS, *ORMS))}")
    wrong = next((flag for flag in OF_ORMS if flag in invocation.values), None)
    if wrong is not None:
        raise ArgumentError(f"-{wrong} is for ORMs: {tool}'s files are converted")
    from dbmigrate.cli.run import FileUse, run_use_case
    from dbmigrate.postgres.connection.target import HistoryKind

    use_case = partial(_adopt, invocation, HistoryKind(tool))
    return run_use_case(invocation, use_case, files=FileUse.REQUIRED)


def _adopt(invocation: Invocation, kind: HistoryKind, request: Request) -> Result[None]:
    from dataclasses import replace

    from dbmigrate.runner.commands.adopt import adopt, examine
    from dbmigrate.runner.result import Result

    into = request.target.history
    theirs = _table(invocation, kind)
    if replace(theirs, kind=into.kind) == into:
        raise ArgumentError(
            f"{kind}'s table is called {into.name} as well: name another one with -history-table"
        )
    of_theirs = replace(request, target=replace(request.target, history=theirs))
    numbers = _numbers(invocation, kind)
    found = examine(of_theirs, into, numbers)
    if found.value is None:
        return Result(found.report, error=found.error)
    _show(invocation, found.value)
    confirm_adoption(invocation)
    return adopt(of_theirs, into, numbers, found.value)


def _numbers(invocation: Invocation, kind: HistoryKind) -> Mapping[Version, Version]:
    """The numbers that `convert` has given to versions that are not numbers."""
    from dbmigrate.versions import are_numbers

    if are_numbers(kind):
        return {}
    from dbmigrate.cli.arguments.source_location import find_directory
    from dbmigrate.sources.convert import read_numbers
    from dbmigrate.sources.migration import Format

    return read_numbers(find_directory(invocation.options), Format(kind))


def _table(invocation: Invocation, kind: HistoryKind) -> HistoryTable:
    from dataclasses import replace

    from dbmigrate.postgres.connection.target import HistoryTable, parse_history_table

    name = invocation.values.get("from-table", "")
    table = replace(parse_history_table(name), kind=kind) if name else HistoryTable().of(kind)
    return replace(table, owner=invocation.options.history_owner or None)


def _show(invocation: Invocation, found: Adoption) -> None:
    count = len(found.applied)
    line = invocation.terminal.line
    line(f"{found.tool}'s {found.table}: {count} applied, the highest is {found.applied[-1]}")
    line(f"{found.into} will say: version {found.version}")


COMMAND = Command("adopt", ADOPT, run, flags=FLAGS)
