"""Where a report goes: as one JSON document to the standard output, and to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from dbmigrate.cli.options import Options
from dbmigrate.cli.report_file import write_report
from dbmigrate.cli.terminal import Terminal
from dbmigrate.report import Report


def print_report(
    options: Options, output: TextIO, terminal: Terminal, report: Report, more: Mapping[str, Any]
) -> None:
    """Print it with -json, and write it with -report.

    What the command found besides (`more`) is added to the printed document
    alone: the file has to fit into a termination message. A report that can't
    be written is a warning: the run is over, and its exit code has to tell how it ended.
    """
    if options.json:
        text = report.to_json()
        if more:
            text = json.dumps(json.loads(text) | more, ensure_ascii=False, separators=(",", ":"))
        print_text(output, text)
    if options.report:
        try:
            write_report(options.report, report)
        except OSError as error:
            terminal.warning(f"the report can't be written to {options.report}: {error.strerror}")


def print_text(output: TextIO, text: str) -> None:
    """One text to the standard output; a reader that went away is no error."""
    try:
        output.write(text + "\n")
        output.flush()
    except (OSError, ValueError):
        pass
