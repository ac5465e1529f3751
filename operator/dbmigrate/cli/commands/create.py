"""create NAME: write the two empty files of a new migration. Needs no database."""

from __future__ import annotations

from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation
from dbmigrate.cli.flags import Flag, is_set
from dbmigrate.cli.numbers import read_signed
from dbmigrate.cli.usage import CREATE

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
    if invocation.options.format not in ("auto", "golang-migrate"):
        raise ArgumentError(
            f"create writes golang-migrate's files alone, not {invocation.options.format}'s"
        )
    if not invocation.operands:
        raise ArgumentError("please specify name")
    if not values.get("ext"):
        raise ArgumentError("-ext flag must be specified")
    from datetime import UTC, datetime

    from dbmigrate.sources.new_files import create_files

    paths = create_files(
        values.get("dir", ""),
        invocation.operands[0],
        ext=values["ext"],
        seq=is_set(values, "seq"),
        digits=read_signed(values.get("digits", "6")),
        time_format=values.get("format", DEFAULT_FORMAT),
        tz=values.get("tz", "UTC"),
        now=datetime.now(UTC),
    )
    for path in paths:
        invocation.terminal.line(str(path))
    return 0


COMMAND = Command(
    "create", CREATE, run, flags=FLAGS, twins=("ext", "dir", "format", "tz", "seq", "digits")
)
