"""drift: the live schema against the one that the applied migrations make; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, each_value, is_set
from dbmigrate.cli.arguments.usage import DRIFT
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.commands.drift import Drift
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

DRIFTED = 3
"""The exit code where the schema differs."""

FLAGS = (
    HELP,
    Flag(
        "dev-url", "A server on which a scratch database may be created (default a temporary one)"
    ),
    Flag(
        "ignore",
        "Exclude objects: a pattern of names such as `public.audit_*`, with a kind before it such"
        " as `extension:pg_stat_statements`; may be repeated",
        is_repeated=True,
    ),
    Flag("rights", "Also compare owners and privileges", kind=""),
    Flag("partitions", "Also compare which partitions exist", kind=""),
    Flag("exit-zero", "Exit with 0 even if the schema differs", kind=""),
)


def run(invocation: Invocation) -> int:
    """Compare them; 3 if the live schema differs."""
    from dbmigrate.cli.run import FileUse, run_use_case

    values = invocation.values

    def use_case(request: Request) -> Result[Drift]:
        from dbmigrate.diff.drift import IgnoreRules
        from dbmigrate.postgres.connection.target import parse_target
        from dbmigrate.runner.commands.drift import DriftOrder, drift

        dev_url = values.get("dev-url", "")
        rules = IgnoreRules(
            patterns=each_value(values, "ignore"),
            with_rights=is_set(values, "rights"),
            with_partitions=is_set(values, "partitions"),
        )
        server = parse_target(dev_url, {}) if dev_url else None
        return drift(request, DriftOrder(server, rules))

    return run_use_case(invocation, use_case, files=FileUse.REQUIRED, show=_show, extra=_document)


def _show(invocation: Invocation, drift: Drift) -> int:
    terminal = invocation.terminal
    if not drift.differences:
        terminal.line(f"the schema is what the migrations up to {drift.version} make")
        return 0
    if not invocation.options.json:
        from dbmigrate.cli.output.document import print_text
        from dbmigrate.printable import indented

        for each in drift.differences:
            print_text(invocation.output, f"{each.change} {each.object}")
            for detail in each.details:
                print_text(invocation.output, indented(detail))
            for sql in each.undo:
                print_text(invocation.output, indented(f"undo: {sql};"))
    count = len(drift.differences)
    noun = "object differs" if count == 1 else "objects differ"
    terminal.line(f"{count} {noun} from what the migrations up to {drift.version} make")
    return 0 if is_set(invocation.values, "exit-zero") else DRIFTED


def _document(drift: Drift) -> Mapping[str, Any]:
    return {
        "drift": {
            "version": drift.version,
            "differences": [
                {
                    "change": each.change,
                    "kind": each.object.kind,
                    "name": each.object.name,
                    "details": list(each.details),
                    "undo": list(each.undo),
                }
                for each in drift.differences
            ],
        }
    }


COMMAND = Command("drift", DRIFT, run, flags=FLAGS, twins=("dev-url",))
