"""status: each migration and whether it is applied; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.numbers import read_page, read_size
from dbmigrate.cli.arguments.usage import STATUS
from dbmigrate.cli.command import AS_ATLAS, HELP, Command, Invocation
from dbmigrate.printable import one_line

if TYPE_CHECKING:
    from dbmigrate.runner.answers import StatusRow, StatusTable
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

PENDING_CODE = 3
HEAD = ("VERSION", "NAME", "STATE", "APPLIED AT", "TIME", "BY")
EXIT_CODE = Flag("exit-code", "Exit with 3 while any is pending or the database is dirty", kind="")
PAGE = Flag("page", "Show only that page; -1 is the last", check=read_page, kind="P")
PAGE_SIZE = Flag(
    "page-size",
    "Migrations on a page (default 100 with -page, else all)",
    check=read_size,
    kind="N",
)
DEFAULT_SIZE = 100


def run(invocation: Invocation) -> int:
    """Ask the database and compare with the files."""
    from dbmigrate.cli.run import FileUse, run_use_case

    if AS_ATLAS.name in invocation.values:
        from dbmigrate.cli.output.atlas.output import print_status
        from dbmigrate.runner.commands.revisions import read_revisions

        return run_use_case(invocation, read_revisions, files=FileUse.REQUIRED, show=print_status)

    def use_case(request: Request) -> Result[StatusTable]:
        from dbmigrate.runner.commands.read_only.status import status

        if request.source is not None and request.source.is_empty:
            invocation.terminal.warning(f"{request.source.location} holds no migration files")
        return status(request)

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.IF_GIVEN,
        show=_show,
        extra=partial(_document, invocation),
    )


def _page_of(invocation: Invocation, table: StatusTable) -> tuple[tuple[StatusRow, ...], int, int]:
    """The rows of the page that is wanted, its number, and how many there are."""
    values = invocation.values
    if "page" not in values and "page-size" not in values:
        return table.rows, 1, 1
    size = read_size(values["page-size"]) if "page-size" in values else DEFAULT_SIZE
    number, pages = read_page(values.get("page", "1")), max(1, -(-len(table.rows) // size))
    number = pages if number == -1 else number
    return table.rows[(number - 1) * size : number * size], number, pages


def _show(invocation: Invocation, table: StatusTable) -> int:
    if not invocation.options.json:
        from dbmigrate.cli.output.document import print_text

        print_text(invocation.output, _draw(table, *_page_of(invocation, table)))
    is_behind = table.pending > 0 or table.state.dirty
    return PENDING_CODE if is_behind and is_set(invocation.values, "exit-code") else 0


def _draw(table: StatusTable, rows: tuple[StatusRow, ...], page: int, pages: int) -> str:
    from dbmigrate.cli.output.table import draw_table

    lines = []
    if rows:
        lines.append(draw_table(HEAD, [_cells(row) for row in rows]))
    if pages > 1 or page > pages:
        lines.append(f"page {page} of {pages}")
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


def _document(invocation: Invocation, table: StatusTable) -> Mapping[str, Any]:
    rows, page, pages = _page_of(invocation, table)
    return {
        **({"page": page, "pages": pages} if pages > 1 or page > pages else {}),
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
            for row in rows
        ],
    }


COMMAND = Command(
    "status",
    STATUS,
    run,
    flags=(HELP, EXIT_CODE, PAGE, PAGE_SIZE, AS_ATLAS),
    twins=("exit-code", "page", "page-size", "as-atlas"),
)
