"""The directive that makes a file run in batches, and its options.

    -- dbmigrate:batched size=5000 duration=1s pause=100ms max-lag=10s start=0

Each has a default, so `-- dbmigrate:batched` alone is enough. All except `start` and
`order` control the pace: they may be changed while the step is unfinished, because a
resumed step is identified by its statement and not by this line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from dbmigrate.durations import read_seconds
from dbmigrate.postgres.sqltext.tokens import refusal

WORD = b"batched"
LARGEST_SIZE = 1_000_000
_OPTION = re.compile(rb"[ \t]*([A-Za-z0-9_-]+)=('(?:[^']|'')*'|[^\s']\S*)(?=\s|\Z)")
_START = re.compile(r"start(?:_([1-9]))?")
_BYTES = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batched file runs."""

    size: int = 1000
    """`:batch_size` at most."""
    duration: float = 1.0
    """Seconds that a batch should take: a slower one makes the next one smaller."""
    pause: float = 0.0
    """Seconds between two batches."""
    lag_seconds: float | None = 10.0
    """The maximum lag of a standby before the next batch; None: no limit."""
    lag_bytes: int | None = None
    """The same in bytes of WAL."""
    is_descending: bool = False
    """Whether the cursor goes from high to low."""
    start: tuple[tuple[int, str], ...] = ()
    """The cursor of the first batch: each column's number, counted from 1, and its value."""


def read_options(sql: bytes, start: int, end: int, file: str) -> BatchOptions:
    """Parse what follows `batched`, between these offsets.

    Raises MigrationError (SourceInvalid) for an invalid option, with the place.
    """
    options = BatchOptions()
    seen: set[str] = set()
    at = start
    while sql[at:end].strip():
        match = _OPTION.match(sql, at, end)
        if match is None:
            first = at + len(sql[at:end]) - len(sql[at:end].lstrip())
            raise refusal(sql, first, file, "write options as name=value, separated by spaces")
        name, raw = match[1].decode(), match[2].decode("utf-8", "replace")
        value = raw[1:-1].replace("''", "'") if raw.startswith("'") else raw
        try:
            options = _put(options, name, value)
            if name in seen:
                raise ValueError(f"{name} occurs twice")
        except ValueError as problem:
            raise refusal(sql, match.start(1), file, str(problem)) from None
        seen.add(name)
        at = match.end()
    return options


def _put(options: BatchOptions, name: str, value: str) -> BatchOptions:
    first = _START.fullmatch(name)
    if first is not None:
        return replace(options, start=(*options.start, (int(first[1] or 1), value)))
    reader = _READERS.get(name)
    if reader is None:
        known = ", ".join([*_READERS, "start"])
        raise ValueError(f"unknown option {name} of dbmigrate:batched; valid options: {known}")
    return reader(options, value)


def _size(options: BatchOptions, value: str) -> BatchOptions:
    if not re.fullmatch(r"[0-9]{1,7}", value) or not 1 <= int(value) <= LARGEST_SIZE:
        raise ValueError(f"size={value}: a number of rows from 1 to {LARGEST_SIZE} is expected")
    return replace(options, size=int(value))


def _duration(options: BatchOptions, value: str) -> BatchOptions:
    seconds = _read_seconds("duration", value)
    if seconds <= 0:
        raise ValueError(f"duration={value}: the duration must not be 0")
    return replace(options, duration=seconds)


def _pause(options: BatchOptions, value: str) -> BatchOptions:
    return replace(options, pause=_read_seconds("pause", value))


def _lag(options: BatchOptions, value: str) -> BatchOptions:
    if value == "none":
        return replace(options, lag_seconds=None, lag_bytes=None)
    size = re.fullmatch(r"([0-9]{1,9})(kB|MB|GB)", value)
    if size is not None:
        return replace(options, lag_seconds=None, lag_bytes=int(size[1]) * _BYTES[size[2]])
    return replace(options, lag_seconds=_read_seconds("max-lag", value), lag_bytes=None)


def _order(options: BatchOptions, value: str) -> BatchOptions:
    if value not in {"asc", "desc"}:
        raise ValueError(f"order={value}: use asc or desc")
    return replace(options, is_descending=value == "desc")


_READERS: dict[str, Callable[[BatchOptions, str], BatchOptions]] = {
    "size": _size,
    "duration": _duration,
    "pause": _pause,
    "max-lag": _lag,
    "order": _order,
}


def _read_seconds(name: str, value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h)", value):
        raise ValueError(f"{name}={value}: a duration like 100ms, 10s, 2m or 1h is expected")
    return read_seconds(value)
