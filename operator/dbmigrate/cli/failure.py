"""Runs that end before a use case starts: what is printed, and their report.

An invalid command line, a source that cannot be read, an invalid database URL, and
defects of dbmigrate itself. The text of a defect is not shown where it may hold a
secret that was given to the program.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TextIO

from dbmigrate import __version__
from dbmigrate.cli.arguments.flags import present
from dbmigrate.cli.command import ArgumentError, Invocation
from dbmigrate.cli.output.document import send_report
from dbmigrate.cli.output.problem import draw
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Outcome, Reason, Report

_TELLING = 3
"""Characters of a password that are not to be shown in a row."""


def tell(invocation: Invocation, error: BaseException) -> None:
    """Print the error and write the failure report."""
    problem = _as_migration_error(error, invocation)
    invocation.terminal.live("")
    invocation.terminal.error(draw(problem))
    _report(invocation, problem)


def report_refusal(invocation: Invocation, message: str) -> None:
    """The report of a command that was declined."""
    _report(invocation, MigrationError(Reason.INTERNAL, message))


def report_usage(
    message: str, terminal: Terminal, *, path: str = "", output: TextIO | None = None
) -> None:
    """The report of an invalid command line, to a file and to `output`."""
    report = _failure("", MigrationError(Reason.INTERNAL, message), 0)
    send_report(report, terminal, path=path, output=output)


def _report(invocation: Invocation, error: MigrationError) -> None:
    report = _failure(invocation.command, error, invocation.elapsed_ns())
    options = invocation.options
    output = invocation.output if options.json else None
    send_report(report, invocation.terminal, path=options.report, output=output)


def _failure(command: str, error: MigrationError, elapsed_ns: int) -> Report:
    began = time.gmtime(time.time() - elapsed_ns / 1e9)
    return Report(
        command=command,
        outcome=Outcome.FAILED,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", began),
        milliseconds=elapsed_ns // 1_000_000,
        error=error.to_report(),
    )


def _as_migration_error(error: BaseException, invocation: Invocation) -> MigrationError:
    if isinstance(error, MigrationError):
        return error
    if isinstance(error, ArgumentError):
        return MigrationError(Reason.INTERNAL, str(error), hint=error.hint)
    if isinstance(error, KeyboardInterrupt):
        return MigrationError(Reason.INTERRUPTED, "interrupted")
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return MigrationError(Reason.INTERNAL, _describe_os_error(error))
    if isinstance(error, ImportError) and "psycopg" in str(error):
        return MigrationError(
            Reason.INTERNAL,
            str(error),
            hint="install dbmigrate[binary], or PostgreSQL's client library (libpq5)",
        )
    if isinstance(error, MemoryError):
        return MigrationError(Reason.INTERNAL, "out of memory")
    text = f"internal error{_place(error)}: {type(error).__name__}"
    said = str(error)
    if _may_hold_secret(said, invocation):
        said = "its text is not shown, because it may contain a password"
    return MigrationError(Reason.INTERNAL, f"{text}: {said}")


def _describe_os_error(error: OSError) -> str:
    """As Go writes it: the operation, the file, and the reason."""
    name = f"{present(str(error.filename))}: " if error.filename is not None else ""
    return f"{name}{cause_of(error)}"


def _place(error: BaseException) -> str:
    """The innermost line of this package's code, for a bug report."""
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        _, found, inside = file.replace("\\", "/").rpartition("/dbmigrate/")
        if found:
            place = f" at dbmigrate/{inside}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _may_hold_secret(text: str, invocation: Invocation) -> bool:
    """Whether the text contains several successive characters of a given password."""
    passwords = [invocation.environ.get("PGPASSWORD", "")]
    for given in _databases(invocation):
        try:
            passwords += _passwords(given, invocation.environ)
        except MigrationError:
            return True  # an unreadable value may have its password anywhere
    return any(
        password[start : start + _TELLING] in text
        for password in passwords
        for start in range(len(password) - _TELLING + 1)
    )


def _databases(invocation: Invocation) -> Iterable[str]:
    """All texts that may be the address of a database."""
    yield from filter(None, (invocation.options.database, invocation.options.rehearse_on))
    for value in invocation.values.values():
        yield from (each for each in value.split("\n") if "://" in each or "password" in each)


def _passwords(database: str, environ: Mapping[str, str]) -> list[str]:
    from dbmigrate.postgres.connection.parameters import PASSWORDS
    from dbmigrate.postgres.connection.target import parse_target

    conninfo = parse_target(database, environ).conninfo
    return [conninfo.get(key, "") for key in PASSWORDS]
