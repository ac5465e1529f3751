"""restore FILE: restore a backup into an empty database, or replace what one holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.operands import read_file
from dbmigrate.cli.arguments.usage import RESTORE
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.report.preparation import Backup
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def _check_sha256(text: str) -> object:
    if not _SHA256.fullmatch(text):
        raise ValueError("expected 64 hexadecimal digits")
    return text


CLEAN = Flag("clean", "Drop the objects of the backup before restoring it", kind="")
NO_OWNER = Flag("no-owner", "Make the restoring role the owner of everything", kind="")
KEEP = Flag("keep-histories", "Keep the histories that the backup does not have", kind="")
SHA256 = Flag("sha256", "Refuse a file with another checksum", check=_check_sha256)


def run(invocation: Invocation) -> int:
    """Restore it."""
    if not invocation.operands:
        raise ArgumentError("please specify FILE", hint="name a backup: restore FILE")
    values = invocation.values
    file = read_file(invocation.operands[0])
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[Backup]:
        from dbmigrate.runner.commands.restore import RestoreOrder, restore

        order = RestoreOrder(
            file,
            sha256=values.get("sha256"),
            may_replace=is_set(values, "clean"),
            keeps_owners=not is_set(values, "no-owner"),
            keeps_histories=is_set(values, "keep-histories"),
        )
        return restore(request, order)

    return run_use_case(invocation, use_case, files=FileUse.NONE, show=_show)


def _show(invocation: Invocation, restored: Backup) -> int:
    invocation.terminal.line(f"restored {restored.name}")
    return 0


COMMAND = Command(
    "restore", RESTORE, run, flags=(HELP, CLEAN, KEEP, NO_OWNER, SHA256), operand="FILE"
)
