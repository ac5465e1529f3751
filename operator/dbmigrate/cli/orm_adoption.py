"""`adopt` for the histories of ORMs: shown, confirmed and carried out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import is_set
from dbmigrate.cli.arguments.source_location import find_directory
from dbmigrate.cli.command import ArgumentError, Invocation
from dbmigrate.cli.prompts import confirm_adoption
from dbmigrate.cli.run import FileUse, run_use_case
from dbmigrate.postgres.connection.target import HistoryTable, parse_history_table, parse_target
from dbmigrate.postgres.history.orm_history import Orm
from dbmigrate.runner.commands.adopt_orm import OrmAdoption, OrmOrder, adopt_orm, examine_orm
from dbmigrate.runner.diffing.baseline_file import SchemaFileOrder
from dbmigrate.runner.result import Result
from dbmigrate.versions import number

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request

FIRST = 1
"""The version of the file of the schema, where none was named."""


def adopt_from_orm(invocation: Invocation, tool: str) -> int:
    """Show it, ask, and do it; the exit code."""
    order = read_order(invocation, Orm(tool))
    files = FileUse.NONE if order.file is not None else FileUse.REQUIRED
    return run_use_case(invocation, partial(_adopt, invocation, order), files=files)


def read_order(invocation: Invocation, orm: Orm) -> OrmOrder:
    """The meaning of the flags. Raises ArgumentError, MigrationError."""
    values = invocation.values
    try:
        version = number(values["as"]) if "as" in values else None
    except ValueError as error:
        raise ArgumentError(f"-as: {error}") from None
    name = values.get("baseline", "")
    of_file = next((flag for flag in ("keep-owners", "dev-url") if flag in values), None)
    if not name and ("baseline" in values or of_file):
        raise ArgumentError(f"-{of_file or 'baseline'} needs a name: -baseline NAME")
    if not name and version is None and orm is not Orm.PRISMA:
        raise ArgumentError(
            f"{orm.possessive} migrations are no SQL: write the schema as the first migration with"
            " -baseline NAME, or say with -as V which migration stands for it"
        )
    table = values.get("from-table", "")
    theirs = parse_history_table(table) if table else HistoryTable(None, orm.table)
    theirs = replace(theirs, owner=invocation.options.history_owner or None)
    if not name:
        return OrmOrder(orm, theirs, version)
    file = SchemaFileOrder(
        find_directory(invocation.options),
        FIRST if version is None else version,
        name,
        parse_target(values["dev-url"], {}) if values.get("dev-url") else None,
        is_set(values, "keep-owners"),
    )
    return OrmOrder(orm, theirs, file.version, file)


def _adopt(invocation: Invocation, order: OrmOrder, request: Request) -> Result[None]:
    into = request.target.history
    if (into.schema, into.name) == (order.table.schema, order.table.name):
        raise ArgumentError(
            f"{order.orm.possessive} table is also called {into.name}: give dbmigrate's table"
            " another name with -history-table, here and in every later command; or rename"
            f" {order.orm.possessive} table, and name it with -from-table"
        )
    request = replace(request, target=replace(request.target, history=_plain(into)))
    found = examine_orm(request, order)
    if found.value is None:
        return Result(found.report, error=found.error)
    _show(invocation, found.value)
    confirm_adoption(invocation)
    return adopt_orm(request, order, found.value)


def _plain(history: HistoryTable) -> HistoryTable:
    """golang-migrate's, whatever other files are in the directory."""
    return HistoryTable(history.schema, history.name, owner=history.owner)


def _show(invocation: Invocation, found: OrmAdoption) -> None:
    line = invocation.terminal.line
    for text in found.history.lines:
        line(f"{found.history.orm.possessive} {found.history.table}: {text}")
    if found.file is not None:
        count = len(found.file.catalog)
        line(
            f"{found.file.path}: the schema; in a scratch database it made the same {count} objects"
        )
        line("rows that migrations have inserted are not in it")
    line(f"{found.into} will say: version {found.version}")
