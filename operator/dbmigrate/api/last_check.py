"""The last check of a migrated database, as the status keeps it: `status.lastCheck`.

A check that finds the database as the last run left it clears this part, so that an
idle resource costs no write. Anything else stays here until a newer answer replaces
it, also after the check's Job is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dbmigrate.api.conditions import MESSAGE_LIMIT, shorten
from dbmigrate.api.fields import Document
from dbmigrate.api.timestamps import format_timestamp, read_timestamp
from dbmigrate.report import WORD_LIMIT
from dbmigrate.untrusted import INT32, read_text, read_whole


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the newest answer found, and the number of checks since then without an answer."""

    job: str
    """The Job of the newest check that is taken in here."""
    started_at: datetime
    """When that Job was created."""
    drift: str | None = None
    """What the newest answer found; None: the database as the last run left it."""
    unanswered: int = 0
    """Checks in a row, up to the newest one, that had no answer."""
    unanswered_since: datetime | None = None
    """When the first of those ended."""
    error: str | None = None
    """Why the newest check had no answer."""


def dump_check(check: LastCheck) -> Document:
    """The check as a document for the API server."""
    since = check.unanswered_since
    fields = {
        "job": check.job,
        "startedAt": format_timestamp(check.started_at),
        "drift": None if check.drift is None else shorten(check.drift),
        "unanswered": check.unanswered or None,
        "unansweredSince": format_timestamp(since) if since else None,
        "error": None if check.error is None else shorten(check.error),
    }
    return {key: value for key, value in fields.items() if value is not None}


def parse_check(raw: Any) -> LastCheck | None:
    """The same read back; None where there is none, or one that cannot be read."""
    started = read_timestamp(raw.get("startedAt")) if isinstance(raw, dict) else None
    if started is None:
        return None

    def text(key: str, limit: int = MESSAGE_LIMIT) -> str | None:
        value = raw.get(key)
        return read_text(value, limit) if isinstance(value, str) else None

    try:
        count = read_whole(raw.get("unanswered", 0), most=INT32)
    except ValueError:
        count = 0
    return LastCheck(
        job=text("job", WORD_LIMIT) or "",
        started_at=started,
        drift=text("drift"),
        unanswered=count,
        unanswered_since=read_timestamp(raw.get("unansweredSince")),
        error=text("error"),
    )
