"""create NAME: write the files of a new migration, in the format of the existing ones.

They are written to -dir, else to -path or -source, else to the working directory. Their
format is the one that `up` would detect in that directory; only a working directory that
was not named is not searched recursively for Flyway's files.
Needs no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.numbers import read_signed
from dbmigrate.cli.arguments.usage import CREATE
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable
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
    wanted = _find_format(invocation)
    if not invocation.operands and wanted != "atlas":
        raise ArgumentError("please specify name", hint="create -ext sql NAME")
    if not values.get("ext"):
        raise ArgumentError("-ext flag must be specified", hint="create -ext sql NAME")
    directory = _find_place(invocation) or "."
    renew = _find_sum(directory, wanted)
    created = _create(invocation, directory, wanted)
    for path in created:
        invocation.terminal.line(str(path))
    if renew is not None:
        renew()
    from dbmigrate.sources.new_file_checks import warn_of

    for warning in warn_of(created):
        invocation.terminal.warning(warning)
    return 0


def _find_place(invocation: Invocation) -> str:
    """The named directory; empty where none was."""
    options = invocation.options
    named = invocation.values.get("dir", "")
    if named or not (options.source or options.path):
        return named
    from dbmigrate.cli.arguments.source_location import find_directory

    return find_directory(options)


def _find_sum(directory: str, wanted: Format) -> Callable[[], object] | None:
    """Updates atlas.sum, where there is to be one; it has to agree before."""
    from functools import partial
    from os.path import isdir

    from dbmigrate.sources.listing import DirectoryListing, list_directory
    from dbmigrate.sources.sums import has_sum, renew_sum, verify_sum

    listing = list_directory(directory) if isdir(directory) else DirectoryListing(directory, ())
    if not has_sum(listing, wanted):
        return None
    verify_sum(listing, wanted)
    return partial(renew_sum, directory, wanted)


def _find_format(invocation: Invocation) -> Format:
    """The named format, else that of the files beside it."""
    from os.path import isdir

    from dbmigrate.sources.formats import find_format
    from dbmigrate.sources.migration import Format

    if invocation.options.format != "auto":
        return Format(invocation.options.format)
    named = _find_place(invocation)
    if named and not isdir(named):
        return Format.GOLANG_MIGRATE
    return find_format(named or ".", looks_below=bool(named))


def _create(invocation: Invocation, directory: str, wanted: Format) -> list[Path]:
    from datetime import UTC, datetime

    from dbmigrate.sources.migration import Format
    from dbmigrate.sources.new_files import create_annotated_file, create_files, create_flyway_files

    values, name = invocation.values, "".join(invocation.operands[:1])
    ext, seq = values["ext"], is_set(values, "seq")
    digits = read_signed(values.get("digits", "6"))
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
    if wanted is Format.FLYWAY:
        return create_flyway_files(
            directory, name, seq=seq, time_format=time_format, tz=tz, now=now
        )
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
    "create",
    CREATE,
    run,
    flags=FLAGS,
    operand="NAME",
    twins=("ext", "dir", "format", "tz", "seq", "digits"),
)
