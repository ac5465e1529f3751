"""The options of a batched file: each with its bounds, and the place of a mistake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.batched.directive import BatchOptions, read_options

pytestmark = pytest.mark.quick

DEFAULT = BatchOptions()


def read(options: str) -> BatchOptions:
    """The options between two others that do not belong to them."""
    before, data = b"size=7\n", options.encode()
    sql = before + data + b" size=9"
    return read_options(sql, len(before), len(before) + len(data), "f")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", DEFAULT),
        (" \t", DEFAULT),
        ("size=1", replace(DEFAULT, size=1)),
        (" size=1000000 ", replace(DEFAULT, size=1_000_000)),
        ("duration=1ms", replace(DEFAULT, duration=0.001)),
        ("duration=1.5s", replace(DEFAULT, duration=1.5)),
        ("pause=0s", replace(DEFAULT, pause=0.0)),
        ("pause=2m", replace(DEFAULT, pause=120.0)),
        ("max-lag=1h", replace(DEFAULT, lag_seconds=3600.0)),
        ("max-lag=none", replace(DEFAULT, lag_seconds=None)),
        ("max-lag=3kB", replace(DEFAULT, lag_seconds=None, lag_bytes=3 * 1024)),
        ("max-lag=3MB", replace(DEFAULT, lag_seconds=None, lag_bytes=3 * 1024**2)),
        ("max-lag=3GB", replace(DEFAULT, lag_seconds=None, lag_bytes=3 * 1024**3)),
        ("order=asc", DEFAULT),
        ("order=desc", replace(DEFAULT, is_descending=True)),
        ("start=0", replace(DEFAULT, start=((1, "0"),))),
        ("start_2='it''s' start_1=''", replace(DEFAULT, start=((2, "it's"), (1, "")))),
        ("start='' size=2", replace(DEFAULT, size=2, start=((1, ""),))),
        ("size=2\tpause=1s", replace(DEFAULT, size=2, pause=1.0)),
    ],
)
def test_options_are_read(text: str, expected: BatchOptions) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("size=0", 1, "size=0: a number of rows from 1 to 1000000 is expected"),
        ("size=1000001", 1, "size=1000001: a number of rows from 1 to 1000000 is expected"),
        ("pause=1s size=x", 10, "size=x: a number of rows from 1"),
        ("duration=0s", 1, "duration=0s: the duration must not be 0"),
        ("duration=1", 1, "duration=1: a duration like 100ms, 10s, 2m or 1h is expected"),
        ("pause=1d", 1, "pause=1d: a duration like"),
        ("max-lag=1TB", 1, "max-lag=1TB: a duration like"),
        ("order=up", 1, "order=up: use asc or desc"),
        ("size=1 size=2", 8, "size occurs twice"),
        ("start=1 start=1", 9, "start occurs twice"),
        ("rows=1", 1, "unknown option rows of dbmigrate:batched; valid options: size, duration"),
        ("start_0=1", 1, "unknown option start_0 of dbmigrate:batched"),
        ("size", 1, "write options as name=value, separated by spaces"),
        ("size=1  x", 9, "write options as name=value, separated by spaces"),
        ("start='a", 1, "write options as name=value, separated by spaces"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, column: int, problem: str) -> None:
    with pytest.raises(MigrationError) as caught:
        read(text)
    assert caught.value.message.startswith(f"f: line 2: {problem}")
    assert caught.value.location is not None
    assert caught.value.location.column == column
