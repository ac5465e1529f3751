"""convert DIR: write the migrations of another format as golang-migrate's files.

Needs no database.
"""

from __future__ import annotations

from dbmigrate.cli.arguments.usage import CONVERT
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

HEAD = ("VERSION", "NUMBER", "NAME")


def run(invocation: Invocation) -> int:
    """Write them, and print where they are."""
    if not invocation.operands:
        raise ArgumentError("please specify the directory to write to")
    from dbmigrate.cli.arguments.source_location import find_directory
    from dbmigrate.sources.convert import convert, convert_prisma
    from dbmigrate.sources.formats import read_source
    from dbmigrate.sources.migration import Format
    from dbmigrate.sources.prisma import is_prisma, read_prisma

    options = invocation.options
    directory, place = find_directory(options), invocation.operands[0]
    if options.format == "auto" and is_prisma(directory):
        done = convert_prisma(read_prisma(directory), place)
    else:
        wanted = None if options.format == "auto" else Format(options.format)
        source = read_source(directory, wanted, {})
        for warning in source.warnings:
            invocation.terminal.warning(warning)
        done = convert(source, place)
    for path in done.paths:
        invocation.terminal.line(str(path))
    if done.numbers:
        from dbmigrate.cli.output.document import print_text
        from dbmigrate.cli.output.table import draw_table

        rows = [(str(old), str(new), name) for old, new, name in done.numbers]
        print_text(invocation.output, draw_table(HEAD, rows))
    return 0


COMMAND = Command("convert", CONVERT, run, flags=(HELP,), operand="DIR")
