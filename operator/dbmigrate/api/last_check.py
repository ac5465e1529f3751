"""The last check of a migrated database, as the status keeps it: `status.lastCheck`.

A check that finds the database as the last run left it clears this part, so that an
idle resource costs no write. Anything else stays here until a newer answer replaces
it, also after the check's Job is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from dbmigrate.api.conditions import MESSAGE_LIMIT
from dbmigrate.codec import Bound
from dbmigrate.report.bounds import Count, Word

Message = Annotated[str, Bound(MESSAGE_LIMIT)]


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the newest answer found, and the number of checks since then without an answer."""

    job: Word
    """The Job of the newest check that is taken in here."""
    started_at: datetime
    """When that Job was created."""
    drift: Message | None = None
    """What the newest answer found; None: the database as the last run left it."""
    unanswered: Count = 0
    """Checks in a row, up to the newest one, that had no answer."""
    unanswered_since: datetime | None = None
    """When the first of those ended."""
    error: Message | None = None
    """Why the newest check had no answer."""
