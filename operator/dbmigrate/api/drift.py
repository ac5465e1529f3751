"""Drift of the live schema: `spec.drift`, and what the checks have found, `status.drift`.

A check compares the live schema with the one that the applied migrations make. The newest answer
stays here until there is a newer one, also after the check's Job is deleted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from dbmigrate.api.conditions import MESSAGE_LIMIT
from dbmigrate.api.fields import Fields
from dbmigrate.api.forms import DRIFT_PATTERN
from dbmigrate.codec import Bound
from dbmigrate.report.bounds import DIFFERENCES_LIMIT, Count, Hash, VersionText, Word
from dbmigrate.report.drift import ReportedDifference

SHORTEST_INTERVAL = timedelta(minutes=10)
"""A check starts a server and runs all migrations."""
MOST_PATTERNS = 64


class SchemaDrift(StrEnum):
    """How changes that were made by hand are reported."""

    OFF = "Off"
    """The schema is not checked."""
    REPORT = "Report"


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """Whether, how often and without what the schemas are compared."""

    schema: SchemaDrift = SchemaDrift.OFF
    interval: timedelta | None = timedelta(hours=6)
    """None: only after a run."""
    ignore: tuple[str, ...] = ()
    """Patterns of names, perhaps with a kind before them."""

    def intent(self, content: str, job: str) -> str:
        """A hash of what a check answers: this question, after the run of that Job."""
        text = json.dumps([content, job, *self.ignore])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def parse_drift(fields: Fields) -> DriftOptions:
    """Read a `drift` section. Raises SpecError."""
    interval = fields.duration("interval", "6h")
    if interval is not None and interval < SHORTEST_INTERVAL:
        raise fields.error("interval", "must be at least 10m, or none")
    return DriftOptions(
        schema=fields.choice("schema", SchemaDrift.OFF),
        interval=interval,
        ignore=fields.words("ignore", DRIFT_PATTERN, most=MOST_PATTERNS),
    )


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """The newest answer, and the checks since then without one."""

    job: Word
    """The Job of the newest check that is taken in here."""
    started_at: datetime
    """When that Job was created."""
    intent: Word
    """What the newest check was to answer (DriftOptions.intent)."""
    checked_at: datetime | None = None
    """When the newest check with an answer ended; None: there is no answer."""
    version: VersionText | None = None
    """The version of the database then."""
    differences_total: Count = 0
    checksum: Hash | None = None
    """Over all of them, by which two answers are compared."""
    differences: Annotated[tuple[ReportedDifference, ...], Bound(DIFFERENCES_LIMIT)] = ()
    """The first ones."""
    unanswered: Count = 0
    """Checks in a row, up to the newest, that could not be made."""
    reason: Word | None = None
    """Why the newest one could not be made, in one word."""
    error: Annotated[str, Bound(MESSAGE_LIMIT)] | None = None
    """The same, in a sentence."""
    retryable: bool = False
    """Whether that may go away by itself."""
