"""`dbmigrate goose ...`: reads goose's command line, and runs its translation."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.command import HostProgram
from dbmigrate.cli.goose.translate import translate
from dbmigrate.cli.goose.usage import describe_goose
from dbmigrate.cli.output.problem import draw
from dbmigrate.errors import MigrationError


def run(args: Sequence[str], program: HostProgram) -> int:
    """Run the words after `goose`; returns the exit code."""
    terminal = program.terminal
    if not args:
        program.output.write(describe_goose(program.name))
        return 1  # as goose
    try:
        translation = translate(args, program.environ)
        if translation.work is not None:
            translation.work(terminal)
    except UsageError as error:
        terminal.line(str(error))
        terminal.line(f"run `{program.name} goose -h` for the commands and options")
        return 2
    except MigrationError as error:
        terminal.error(draw(error))
        return 1
    if translation.is_help:
        program.output.write(describe_goose(program.name))
        return 0
    return program.run([translation.line] if translation.line else [], translation.environ)
