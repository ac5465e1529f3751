"""`dbmigrate atlas ...`: reads Atlas's command line, and runs what it comes to here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.atlas.arguments import read_arguments
from dbmigrate.cli.atlas.translate import translate
from dbmigrate.cli.command import HostProgram
from dbmigrate.cli.output.problem import draw
from dbmigrate.errors import MigrationError


def run(args: Sequence[str], program: HostProgram) -> int:
    """Run the words after `atlas`; returns the exit code."""
    terminal = program.terminal
    try:
        arguments = read_arguments(args)
        if arguments.command == "help":
            from dbmigrate.cli.atlas.usage import describe

            program.output.write(describe(arguments.operands))
            return 0
        translation = translate(arguments, program.environ)
    except UsageError as error:
        terminal.line(str(error))
        return 1  # as Atlas
    except MigrationError as error:
        terminal.error(draw(error))
        return 1
    for notice in translation.notices:
        terminal.warning(notice)
    if translation.directory is not None:
        # The command that needs the directory reports why it can't be made.
        with suppress(OSError):
            Path(translation.directory).mkdir(parents=True, exist_ok=True)
    return program.run(translation.lines, program.environ)
