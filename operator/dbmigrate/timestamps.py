"""Points in time as Kubernetes writes them: RFC 3339, UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these any duration can be added and subtracted."""


def parse_timestamp(text: str) -> datetime:
    """A point in time, in UTC. Raises ValueError when it is not one, or too far away."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"{text!r} is not a moment between {EARLIEST.year} and {LATEST.year}")
    return moment.astimezone(UTC)


def read_timestamp(value: object) -> datetime | None:
    """The same for a field that may be absent or, in a status, written by someone else."""
    if not isinstance(value, str):
        return None
    try:
        return parse_timestamp(value)
    except ValueError:
        return None


def format_timestamp(moment: datetime) -> str:
    """The spelling that the API server uses: no fraction, Z for UTC."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
