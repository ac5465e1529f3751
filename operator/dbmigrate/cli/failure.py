"""Runs that never came to a use case: what is printed, and the report of them.

A command line that can't be understood, a source that can't be read, a database
URL that can't be, and defects of dbmigrate itself. Secrets that were given to
the program are blotted out of whatever is shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import TextIO

from dbmigrate import __version__
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.document import send_report
from dbmigrate.cli.output.problem import draw
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.errors import MigrationError
from dbmigrate.report import Outcome, Reason, Report

_BLOT = "***"


def tell(invocation: Invocation, error: BaseException) -> None:
    """Print the error and make the failure report of it."""
    problem = _as_migration_error(error, invocation)
    invocation.terminal.live("")
    invocation.terminal.error(draw(problem))
    _report(invocation, problem)


def report_refusal(invocation: Invocation, message: str) -> None:
    """The report of a command whose operands won't do or that was declined."""
    _report(invocation, MigrationError(Reason.INTERNAL, message))


def report_usage(
    message: str, terminal: Terminal, *, path: str = "", output: TextIO | None = None
) -> None:
    """The report of a command line that can't be understood, to a file and to `output`."""
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
    text = f"internal error{_place(error)}: {type(error).__name__}: {error}"
    return MigrationError(Reason.INTERNAL, blot_out(text, _secrets(invocation)))


def _describe_os_error(error: OSError) -> str:
    """As Go writes it: what was tried, on which file, and why not."""
    name = f"{error.filename}: " if error.filename is not None else ""
    return f"{name}{(error.strerror or str(error)).lower()}"


def _place(error: BaseException) -> str:
    """The innermost line of our own code, for a bug report."""
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        _, found, inside = file.replace("\\", "/").rpartition("/dbmigrate/")
        if found:
            place = f" at dbmigrate/{inside}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _secrets(invocation: Invocation) -> Iterable[str]:
    """Everything that must not be shown: the URLs as they are, and the passwords in them."""
    given = "\n".join(invocation.values.values()).split("\n")
    yield invocation.environ.get("PGPASSWORD", "")
    for text in (invocation.options.database, *(each for each in given if "://" in each)):
        yield text
        yield from _passwords(text, invocation.environ)


def _passwords(database: str, environ: Mapping[str, str]) -> Iterable[str]:
    from dbmigrate.postgres.connection.target import parse_target

    try:
        conninfo = parse_target(database, environ).conninfo
    except MigrationError:
        return
    for key in ("password", "sslpassword"):
        yield conninfo.get(key, "")


def blot_out(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret in it replaced; the longest first, since one may hold another."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if secret:
            text = re.sub(re.escape(secret), _BLOT, text)
    return text
