"""The program: reads the command line, runs the command, maps every end to an exit code.

    0  done, nothing to do, help, or stopped by Ctrl-C after a step
    1  any error, or a prompt declined
    2  an invalid command line
    3  `status -exit-code`: something is pending, or the database is dirty;
       `diff -check`: there is a difference

These are golang-migrate's except for the last. With -report a report is written in
each of these cases, even for a mistyped option.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import NoReturn, TextIO

from dbmigrate import __version__
from dbmigrate.cli.arguments.flags import (
    HelpRequested,
    UnknownFlag,
    UsageError,
    describe_flags,
    is_given,
    is_set,
    parse_flags,
)
from dbmigrate.cli.arguments.options import (
    NAMES,
    GlobalOptions,
    find_report_file,
    parse_options,
    read_twins,
)
from dbmigrate.cli.arguments.suggestions import guess
from dbmigrate.cli.arguments.usage import COMMANDS, describe_program
from dbmigrate.cli.command import Command, Declined, HostProgram, Invocation
from dbmigrate.cli.output.outlet import KEPT_BYTES, Outlet
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.printable import block

PROGRAM = "dbmigrate"
ALIAS = "migrate"
"""The image carries the program under golang-migrate's name as well."""
IMITATED = ("goose", "atlas")
"""As the first word: the rest is that tool's own command line, read by cli/goose or cli/atlas."""


def main() -> NoReturn:
    """Run the program on the process's own arguments and streams, and end the process.

    Without the interpreter's shutdown: releasing what psycopg imported would cost more
    than a run that finds nothing to do.
    """
    started_ns = time.monotonic_ns()
    # Imported objects are no garbage: collecting meanwhile costs a tenth of a short run.
    gc.set_threshold(100_000)
    # None: the descriptor is closed.
    output = Outlet(sys.stdout) if sys.stdout else None
    messages = Outlet(sys.stderr, kept=KEPT_BYTES) if sys.stderr else None
    name = os.path.basename(sys.argv[0])
    program = Program(
        name=ALIAS if name == ALIAS else PROGRAM,
        environ=os.environ,
        answers=sys.stdin or io.StringIO(),
        output=output or io.StringIO(),
        messages=messages or io.StringIO(),
        started_ns=started_ns,
    )
    code = program.run(sys.argv[1:])
    try:
        for outlet in (output, messages):
            if outlet is not None:
                outlet.drain()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    os._exit(code)


class Program:
    """The program, with everything that it uses passed in."""

    def __init__(
        self,
        *,
        name: str,
        environ: Mapping[str, str],
        answers: TextIO,
        output: TextIO,
        messages: TextIO,
        started_ns: int,
    ) -> None:
        self._name = name
        self._environ = environ
        self._answers = answers
        self._output = output
        self._messages = messages
        self._started_ns = started_ns

    def run(self, args: Sequence[str]) -> int:
        """Run one command line. Returns the exit code."""
        if args and args[0] in IMITATED:
            return self._run_as(args[0], args[1:])
        plain = self._messages_plainly()
        try:
            options, rest = parse_options(args, self._environ)
        except HelpRequested:
            plain.text(describe_program(self._name))
            return 0
        except UsageError as error:
            return self._refuse(args, str(error))
        if options.show_version:
            plain.line(__version__)
            return 0
        if options.show_help:
            plain.text(describe_program(self._name))
            return 0
        if not rest:
            plain.line("no command given")
            plain.text(describe_program(self._name))
            self._report_usage(args, "no command given")
            return 2
        if rest[0] not in COMMANDS:
            return self._refuse(args, _describe_unknown(rest[0]))
        return self._run_command(options, args, rest[0], rest[1:])

    def _refuse(self, args: Sequence[str], problem: str) -> int:
        """Print the mistake alone; `-help` prints the usage."""
        plain = self._messages_plainly()
        plain.line(problem)
        plain.line(f"run `{self._name} -h` for the commands and options")
        self._report_usage(args, problem)
        return 2

    def _run_as(self, tool: str, args: Sequence[str]) -> int:
        """Another tool's command line; only that tool's package is imported."""
        from importlib import import_module

        code: int = import_module(f"dbmigrate.cli.{tool}.program").run(
            args,
            HostProgram(
                self._name, self._environ, self._output, self._messages_plainly(), self._run_all
            ),
        )
        return code

    def _run_all(self, lines: Iterable[Sequence[str]], environ: Mapping[str, str]) -> int:
        """Run them until one fails."""
        self._environ = environ
        for line in lines:
            code = self.run(line)
            if code != 0:
                return code
        return 0

    def _run_command(
        self, options: GlobalOptions, args: Sequence[str], name: str, rest: Sequence[str]
    ) -> int:
        command = find_command(name)
        terminal = Terminal(self._messages, self._environ, is_verbose=options.verbose)
        try:
            values, operands = self._parse(command, rest)
        except HelpRequested:
            terminal.text(f"Usage of {name}:\n{describe_flags(command.flags)}")
            return 0
        except UsageError as error:
            terminal.text(f"{block(str(error))}\nUsage of {name}:\n{describe_flags(command.flags)}")
            if isinstance(error, UnknownFlag) and error.name in NAMES:
                terminal.line(f"options go before the command: {self._name} OPTIONS {name}")
            self._report_usage(args, str(error), is_document_wanted=options.json)
            return 2
        if is_set(values, "help"):
            terminal.text(f"{command.usage}\n{describe_flags(command.flags)}")
            return 0
        invocation = Invocation(
            command=name,
            options=options,
            values=values,
            operands=tuple(operands),
            environ=self._environ,
            terminal=terminal,
            answers=self._answers,
            output=self._output,
            started_ns=self._started_ns,
        )
        if not options.confined_to:
            return _run_guarded(command, invocation)
        from dbmigrate.sources.confinement import confined_to

        with confined_to(options.confined_to):
            return _run_guarded(command, invocation)

    def _parse(self, command: Command, rest: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        words = (
            [*takewhile(lambda word: not word.startswith("-"), rest)] if command.has_verb else []
        )
        values, operands = parse_flags(
            command.flags, rest[len(words) :], numbers_are_operands=command.numbers_are_operands
        )
        twins = [flag for flag in command.flags if flag.name in command.twins]
        found = read_twins(twins, self._environ, command.name)
        given = {flag.name for flag in command.flags if is_given(flag, values)}
        for pair in command.exclusive:
            for one, other in (pair, pair[::-1]):
                if one in given:
                    found.pop(other, None)
        return found | values, [*words, *operands]

    def _report_usage(
        self, args: Sequence[str], problem: str, *, is_document_wanted: bool = False
    ) -> None:
        path = find_report_file(args, self._environ)
        if path or is_document_wanted:
            from dbmigrate.cli.failure import report_usage

            output = self._output if is_document_wanted else None
            report_usage(problem, self._messages_plainly(), path=path, output=output)

    def _messages_plainly(self) -> Terminal:
        return Terminal(self._messages, self._environ, is_verbose=False)


OF_FILES = frozenset(("convert", "create", "diff", "hash", "lint", "rehearse", "squash"))
"""The commands that make or judge migration files."""


def find_command(name: str) -> Command:
    """The command of that name, which must be one of COMMANDS; imports its module only."""
    from importlib import import_module

    place = "commands.files" if name in OF_FILES else "commands"
    command = import_module(f"dbmigrate.cli.{place}.{name}").COMMAND
    if not isinstance(command, Command):
        raise TypeError(f"the module of {name} defines no Command")
    return command


def _run_guarded(command: Command, invocation: Invocation) -> int:
    """Run it; every exception becomes a line, a report and exit code 1."""
    terminal = invocation.terminal
    if invocation.options.report:
        from dbmigrate.cli.output.report_file import check_report_file

        try:
            check_report_file(invocation.options.report)
        except OSError as error:
            terminal.error(str(error))
            return 1
    try:
        surplus = command.find_surplus(invocation.operands)
        if surplus:
            from dbmigrate.cli.arguments.operands import refuse_surplus

            refuse_surplus(command, surplus)
        return command.run(invocation)
    except Declined as error:
        terminal.line(str(error))
        if invocation.options.report or invocation.options.json:
            from dbmigrate.cli.failure import report_refusal

            report_refusal(invocation, str(error))
    except BaseException as error:
        from dbmigrate.cli.failure import tell

        tell(invocation, error)
    return 1


def _describe_unknown(command: str) -> str:
    """Shows a plain word only: anything else may be a URL with a password."""
    if not command.replace("-", "").isalpha():
        return "unknown command"
    return f"unknown command {command}{guess(command, (*COMMANDS, *IMITATED))}"
