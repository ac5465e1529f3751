"""convert DIR: write the migrations of another format as golang-migrate's files.

Needs no database.
"""

from __future__ import annotations

from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation
from dbmigrate.cli.usage import CONVERT


def run(invocation: Invocation) -> int:
    """Write them, and print where they are."""
    if len(invocation.operands) != 1:
        raise ArgumentError("please specify the directory to write to")
    from dbmigrate.cli.source_location import find_directory
    from dbmigrate.sources.convert import convert, convert_prisma
    from dbmigrate.sources.formats import read_source
    from dbmigrate.sources.migration import Format
    from dbmigrate.sources.prisma import is_prisma, read_prisma

    options = invocation.options
    directory, place = find_directory(options), invocation.operands[0]
    if options.format == "auto" and is_prisma(directory):
        written = convert_prisma(read_prisma(directory), place)
    else:
        wanted = None if options.format == "auto" else Format(options.format)
        source = read_source(directory, wanted, {})
        for warning in source.warnings:
            invocation.terminal.warning(warning)
        written = convert(source, place)
    for path in written:
        invocation.terminal.line(str(path))
    return 0


COMMAND = Command("convert", CONVERT, run, flags=(HELP,))
