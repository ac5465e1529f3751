"""Where a report is written: as one JSON document to standard output, and to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from dbmigrate.cli.output.report_file import write_report
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.errors import cause_of
from dbmigrate.printable import json_text, lines
from dbmigrate.report import Report


def send_report(
    report: Report,
    terminal: Terminal,
    *,
    path: str = "",
    output: TextIO | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print it to `output`, and write it to the file, where these are given.

    The command's other results (`more`) are added to the printed document only: the file
    has to fit into a termination message. A report that cannot be written is a warning:
    the run is over, and its exit code has to show how it ended.
    """
    report = report.hiding(terminal.secrets.hide)
    if output is not None:
        text = report.to_json()
        if more:
            document = json.loads(text) | more
            text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        print_json(output, text)
    if path:
        try:
            write_report(path, report)
        except OSError as error:
            terminal.warning(f"the report can't be written to {path}: {cause_of(error)}")


def print_text(output: TextIO, text: str, *, has_commands: bool = False) -> None:
    """One text to standard output, with its lines unchanged; `has_commands` as `lines` has it."""
    _print(output, lines(text, has_commands=has_commands))


def print_json(output: TextIO, text: str) -> None:
    """One JSON document to standard output."""
    _print(output, json_text(text))


def _print(output: TextIO, text: str) -> None:
    """A reader that has closed the pipe is no error."""
    try:
        output.write(text + "\n")
        output.flush()
    except (OSError, ValueError):
        pass
