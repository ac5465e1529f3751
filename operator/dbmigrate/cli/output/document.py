"""Where a report goes: as one JSON document to the standard output, and to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from dbmigrate.cli.output.report_file import write_report
from dbmigrate.cli.output.terminal import Terminal
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

    What the command found besides (`more`) is added to the printed document
    alone: the file has to fit into a termination message. A report that can't
    be written is a warning: the run is over, and its exit code has to tell how it ended.
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
            terminal.warning(f"the report can't be written to {path}: {error.strerror}")


def print_text(output: TextIO, text: str) -> None:
    """One text to the standard output, with its lines as they are."""
    _print(output, lines(text))


def print_json(output: TextIO, text: str) -> None:
    """One JSON document to the standard output."""
    _print(output, json_text(text))


def _print(output: TextIO, text: str) -> None:
    """A reader that went away is no error."""
    try:
        output.write(text + "\n")
        output.flush()
    except (OSError, ValueError):
        pass
