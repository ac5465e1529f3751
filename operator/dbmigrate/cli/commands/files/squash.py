"""squash: one file in the place of many, proven to make the same schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, one_of
from dbmigrate.cli.arguments.operands import check_version, version_for
from dbmigrate.cli.arguments.usage import SQUASH
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.commands.squash import Squash
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

NOWHERE = "host=scratch dbname=scratch"
"""Stands for a target; no connection to it is made."""
DATA = {"refuse": None, "keep": True, "leave": False}


FLAGS = (
    HELP,
    Flag("to", "The newest version that is replaced", kind="version"),
    Flag("name", "The name of the new file (default squash)"),
    Flag(
        "archive", "The directory for the replaced files (default archive-V beside the migrations)"
    ),
    Flag(
        "data",
        "How to handle rows that they leave: refuse (default), keep, leave",
        check=one_of(DATA),
    ),
    Flag(
        "dev-url", "A server on which a scratch database may be created (default a temporary one)"
    ),
)


def run(invocation: Invocation) -> int:
    """Squash, and say what was replaced."""
    values = invocation.values
    if not values.get("to"):
        raise ArgumentError("please say with -to V up to which version files are replaced")
    text = check_version(values["to"], invocation.options)
    if "search_path" in invocation.options.database:
        raise ArgumentError(
            "the URL names a search_path, and a squashed file writes each name with its schema: for"
            " a schema per tenant it would make the objects in one schema alone"
        )
    dev_url, url = values.get("dev-url", ""), invocation.options.database
    archive = values.get("archive", "")
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Squash]:
        from pathlib import Path

        from dbmigrate.postgres.connection.target import parse_target
        from dbmigrate.runner.commands.squash import SquashOrder, squash

        version = version_for(request, text)
        if version is None:
            raise ArgumentError("please name a version with -to V")
        order = SquashOrder(
            version,
            values.get("name", "squash"),
            Path(archive) if archive else None,
            DATA[values.get("data", "refuse")],
            parse_target(dev_url, {}) if dev_url else None,
            parse_target(url, invocation.environ) if url else None,
        )
        return squash(request, order)

    return run_use_case(
        invocation, use_case, files=FileUse.REQUIRED, show=_show, extra=_document, database=NOWHERE
    )


def _show(invocation: Invocation, done: Squash) -> int:
    line, count = invocation.terminal.line, len(done.replaced)
    where = f", which are in {done.archive} now" if done.archive else ", which stay where they are"
    line(f"wrote {done.file} for {count} files{where}")
    if done.filled:
        line(f"rows: {', '.join(done.filled)}")
    elif done.data_files:
        line(f"these change no rows of an empty database: {', '.join(done.data_files)}")
    if done.has_sum:
        line("atlas.sum no longer matches: run `dbmigrate hash`")
    return 0


def _document(done: Squash) -> Mapping[str, Any]:
    return {
        "file": str(done.file),
        "replaced": list(done.replaced),
        "archive": str(done.archive) if done.archive else None,
        "dataFiles": list(done.data_files),
        "filled": list(done.filled),
    }


COMMAND = Command("squash", SQUASH, run, flags=FLAGS, twins=("dev-url",))
