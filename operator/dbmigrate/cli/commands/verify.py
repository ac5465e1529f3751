"""verify: compare the source with the history; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.usage import VERIFY
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.answers import VerifyFinding
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

HEAD = ("VERSION", "FINDING", "WHAT")


def run(invocation: Invocation) -> int:
    """Compare them; 1 if anything is wrong."""
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[tuple[VerifyFinding, ...]]:
        from dbmigrate.runner.commands.read_only.verify import verify

        return verify(request)

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED, show=_show, extra=_document)


def _show(invocation: Invocation, findings: tuple[VerifyFinding, ...]) -> int:
    if not findings:
        invocation.terminal.line("the source and the history agree")
        return 0
    if not invocation.options.json:
        from dbmigrate.cli.output.document import print_text
        from dbmigrate.cli.output.table import draw_table

        rows = [
            ("" if finding.version is None else str(finding.version), finding.kind, finding.message)
            for finding in findings
        ]
        print_text(invocation.output, draw_table(HEAD, rows))
    return 1


def _document(findings: tuple[VerifyFinding, ...]) -> Mapping[str, Any]:
    return {
        "findings": [
            {
                "version": None if finding.version is None else str(finding.version),
                "kind": finding.kind,
                "message": finding.message,
            }
            for finding in findings
        ]
    }


COMMAND = Command("verify", VERIFY, run, flags=(HELP,))
