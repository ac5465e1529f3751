"""status: each migration and whether it is applied; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.usage import STATUS
from dbmigrate.cli.command import AS_ATLAS, HELP, Command, Invocation
from dbmigrate.printable import one_line

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result, StatusRow, StatusTable

PENDING_CODE = 3
HEAD = ("VERSION", "NAME", "STATE", "APPLIED AT", "TIME", "BY")
EXIT_CODE = Flag("exit-code", "Exit with 3 while any is pending or the database is dirty", kind="")


def run(invocation: Invocation) -> int:
    """Ask the database and compare with the files."""
    from dbmigrate.cli.run import FileUse, run_use_case

    if AS_ATLAS.name in invocation.values:
        from dbmigrate.cli.output.atlas.output import print_status
        from dbmigrate.runner.commands.revisions import read_revisions

        show = partial(print_status, invocation)
        return run_use_case(invocation, read_revisions, files=FileUse.REQUIRED, show=show)

    def use_case(request: Request) -> Result[StatusTable]:
        from dbmigrate.runner.commands.status import status

        if request.source is not None and request.source.is_empty:
            invocation.terminal.warning(f"{request.source.location} holds no migration files")
        return status(request)

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.IF_GIVEN,
        show=partial(_show, invocation),
        extra=_document,
    )


def _show(invocation: Invocation, table: StatusTable) -> int:
    if not invocation.options.json:
        from dbmigrate.cli.output.document import print_text

        print_text(invocation.output, _draw(table))
    is_behind = table.pending > 0 or table.state.dirty
    return PENDING_CODE if is_behind and is_set(invocation.values, "exit-code") else 0


def _draw(table: StatusTable) -> str:
    from dbmigrate.cli.output.table import draw_table

    lines = []
    if table.rows:
        lines.append(draw_table(HEAD, [_cells(row) for row in table.rows]))
    if table.unfinished:
        lines.append(one_line(table.unfinished))
    version = "none" if table.state.version is None else str(table.state.version)
    dirty = " (dirty)" if table.state.dirty else ""
    latest = "none" if table.target is None else str(table.target)
    lines.append(f"version {version}{dirty}, latest {latest}, {table.pending} pending")
    return "\n".join(lines)


def _cells(row: StatusRow) -> tuple[str, ...]:
    return (
        str(row.version),
        row.name,
        row.state + (", changed" if row.changed else ""),
        row.applied_at or "",
        "" if row.milliseconds is None else f"{row.milliseconds}ms",
        row.applied_by or "",
    )


def _document(table: StatusTable) -> Mapping[str, Any]:
    return {
        "migrations": [
            {
                "version": str(row.version),
                "name": row.name,
                "state": row.state,
                "changed": row.changed,
                "recorded": row.recorded,
                "appliedAt": row.applied_at,
                "milliseconds": row.milliseconds,
                "appliedBy": row.applied_by,
            }
            for row in table.rows
        ]
    }


COMMAND = Command("status", STATUS, run, flags=(HELP, EXIT_CODE, AS_ATLAS), twins=("exit-code",))
