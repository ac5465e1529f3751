"""create NAME: write the files of a new migration, in the format of those that are there.

Needs no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation
from dbmigrate.cli.flags import Flag, is_set
from dbmigrate.cli.numbers import read_signed
from dbmigrate.cli.usage import CREATE

if TYPE_CHECKING:
    from pathlib import Path

    from dbmigrate.sources.migration import Format

DEFAULT_FORMAT = "20060102150405"

FLAGS = (
    HELP,
    Flag("ext", "File extension"),
    Flag("dir", "Directory to place file in (default: current working directory)"),
    Flag(
        "format",
        'The Go time format string to use. If the string "unix" or "unixNano" is specified, then'
        " the seconds or nanoseconds since January 1, 1970 UTC respectively will be used. Caution,"
        " due to the behavior of time.Time.Format(), invalid format strings will not error",
        default=DEFAULT_FORMAT,
    ),
    Flag(
        "tz",
        "The timezone that will be used for generating timestamps (default: utc)",
        default="UTC",
    ),
    Flag("seq", "Use sequential numbers instead of timestamps (default: false)", kind=""),
    Flag(
        "digits",
        "The number of digits to use in sequences (default: 6)",
        check=read_signed,
        kind="int",
        default="6",
    ),
)


def run(invocation: Invocation) -> int:
    """Write them, and print where they are."""
    values = invocation.values
    if not invocation.operands:
        raise ArgumentError("please specify name")
    if not values.get("ext"):
        raise ArgumentError("-ext flag must be specified")
    created = _create(invocation, _find_format(invocation))
    for path in created:
        invocation.terminal.line(str(path))
    from dbmigrate.sources.neighbours import warn_of

    for warning in warn_of(created):
        invocation.terminal.warning(warning)
    return 0


def _find_format(invocation: Invocation) -> Format:
    """The one that was named, else that of the files beside it."""
    from os.path import isdir

    from dbmigrate.sources.formats import find_format
    from dbmigrate.sources.migration import Format

    directory = invocation.values.get("dir", "") or "."
    if invocation.options.format != "auto":
        return Format(invocation.options.format)
    return find_format(directory) if isdir(directory) else Format.GOLANG_MIGRATE


def _create(invocation: Invocation, wanted: Format) -> list[Path]:
    from datetime import UTC, datetime

    from dbmigrate.sources.migration import Format
    from dbmigrate.sources.new_files import create_annotated_file, create_files

    values, name = invocation.values, invocation.operands[0]
    directory, ext = values.get("dir", ""), values["ext"]
    seq, digits = is_set(values, "seq"), read_signed(values.get("digits", "6"))
    time_format, tz = values.get("format", DEFAULT_FORMAT), values.get("tz", "UTC")
    now = datetime.now(UTC)
    if wanted is Format.GOLANG_MIGRATE:
        return create_files(
            directory,
            name,
            ext=ext,
            seq=seq,
            digits=digits,
            time_format=time_format,
            tz=tz,
            now=now,
        )
    if ext.removeprefix(".") != "sql":
        raise ArgumentError(f"a file of {wanted}'s ends in .sql, not in .{ext.removeprefix('.')}")
    file = create_annotated_file(
        directory,
        name,
        wanted=wanted,
        seq=seq,
        digits=digits,
        time_format=time_format,
        tz=tz,
        now=now,
    )
    return [file]


COMMAND = Command(
    "create", CREATE, run, flags=FLAGS, twins=("ext", "dir", "format", "tz", "seq", "digits")
)
