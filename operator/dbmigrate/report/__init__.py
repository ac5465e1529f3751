"""The report of one run of the runner.

The runner writes it (`--report FILE`, `--json`, a Job's termination message), the operator reads
it. It is the contract between the two programs, so this package imports neither. What a report
says of drift, of a fleet and of the preparation of a run has modules of its own.
"""

from dbmigrate.report.document import (
    SCHEMA_VERSION,
    TERMINATION_MESSAGE_LIMIT,
    Report,
    ReportError,
    Step,
    UnknownReport,
)
from dbmigrate.report.reasons import RETRYABLE, Outcome, Reason

__all__ = [
    "RETRYABLE",
    "SCHEMA_VERSION",
    "TERMINATION_MESSAGE_LIMIT",
    "Outcome",
    "Reason",
    "Report",
    "ReportError",
    "Step",
    "UnknownReport",
]
