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
    from dbmigrate.sources.convert import convert
    from dbmigrate.sources.formats import read_source
    from dbmigrate.sources.migration import Format

    options = invocation.options
    wanted = None if options.format == "auto" else Format(options.format)
    source = read_source(find_directory(options), wanted, {})
    for warning in source.warnings:
        invocation.terminal.warning(warning)
    for path in convert(source, invocation.operands[0]):
        invocation.terminal.line(str(path))
    return 0


COMMAND = Command("convert", CONVERT, run, flags=(HELP,))
