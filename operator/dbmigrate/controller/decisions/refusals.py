"""A runner that does not know what the operator asks of it: the image is older than the operator.

Only what a resource asks for is put on the command line, so that a runner which is pinned
(`spec.job.image`) works as long as it knows all of that. What it does not know it refuses before
it has reached the database, in the words of Go's flag package.
"""

from __future__ import annotations

import re
from dataclasses import replace

from dbmigrate import __version__
from dbmigrate.report import Reason, Report

_UNKNOWN = re.compile(r"flag provided but not defined: --?([a-z][a-z-]*)|unknown command ([a-z]+)")
_INVALID = re.compile(r"invalid value (\"[^\"]{0,64}\") for flag --?([a-z][a-z-]*)")
FIELDS = {
    "format": "spec.source.format",
    "history-table": "spec.database.historyTable",
    "identity": "spec.database.identity",
    "role": "spec.database.role",
    "statement-lock-timeout": "spec.timeouts.lockAcquisition",
    "statement-timeout": "spec.timeouts.statement",
    "out-of-order": "spec.outOfOrder",
    "changed-files": "spec.changedFiles",
    "backup-to": "spec.backup",
    "backup-keep": "spec.backup.keep",
    "lint": "spec.source.lint Reject",
    "rehearse-on": "spec.rehearse BeforeApply",
    "drift": "spec.drift.schema Report",
    "plan-checksum": "spec.approval Manual",
    "plan": "spec.approval Manual",
    "repair": "a MigrationAction with Repair",
}
"""What of a resource puts an option on the command line, or chooses a command."""


def explain_refusal(report: Report, image: str) -> Report:
    """The report, with an error that names what the image does not support."""
    error = report.error
    if error is None or error.reason is not Reason.INTERNAL:
        return report
    unknown, invalid = _UNKNOWN.search(error.message), _INVALID.search(error.message)
    if unknown is not None:
        word = unknown[1] or unknown[2]
        lacks = f"-{word}" if unknown[1] else f"the command {word}"
    elif invalid is not None:
        word, lacks = invalid[2], f"-{invalid[2]} {invalid[1]}"
    else:
        return report
    field = FIELDS.get(word)
    need = f", which {field} needs" if field else ""
    version = report.tool_version or "an unknown version"
    text = (
        f"the runner of the image {image or 'that ran'} is dbmigrate {version} and does not know"
        f" {lacks}{need}: let spec.job.image name an image of the operator's version"
        f" ({__version__})" + (", or leave the field out" if field else "")
    )
    return replace(
        report,
        # This is certain: the runner itself has reported it.
        tool_version=report.tool_version or "unknown",
        error=replace(error, reason=Reason.RUNNER_OUTDATED, message=text),
    )
