"""hash: write atlas.sum for the present files, or only check whether it agrees.

Needs no database.
"""

from __future__ import annotations

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.usage import HASH
from dbmigrate.cli.command import HELP, Command, Invocation

FLAGS = (HELP, Flag("check", "Only check that it matches the files", kind=""))


def run(invocation: Invocation) -> int:
    """Write it, and print where it is."""
    from dbmigrate.cli.arguments.source_location import find_directory
    from dbmigrate.sources.formats import find_format
    from dbmigrate.sources.listing import list_directory
    from dbmigrate.sources.migration import Format
    from dbmigrate.sources.sums import renew_sum, verify_sum

    directory, asked = find_directory(invocation.options), invocation.options.format
    # Files without any mark are Atlas's as soon as there is an atlas.sum, which is made here.
    kind = find_format(directory, otherwise=Format.ATLAS) if asked == "auto" else Format(asked)
    if is_set(invocation.values, "check"):
        verify_sum(list_directory(directory), kind)
        return 0
    invocation.terminal.line(str(renew_sum(directory, kind)))
    return 0


COMMAND = Command("hash", HASH, run, flags=FLAGS)
