"""The names `create` gives, the files it writes, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.go_time import format_time
from dbmigrate.sources.migration import Format
from dbmigrate.sources.new_files import (
    DEFAULT_TIME_FORMAT,
    create_annotated_file,
    create_files,
)

pytestmark = pytest.mark.quick

NOW = datetime(2026, 11, 24, 4, 5, 6, 789012, tzinfo=UTC)


def create(
    directory: Path,
    name: str = "add_users",
    *,
    ext: str = "sql",
    seq: bool = False,
    digits: int = 6,
    time_format: str = DEFAULT_TIME_FORMAT,
    tz: str = "UTC",
) -> list[str]:
    paths = create_files(
        directory,
        name,
        ext=ext,
        seq=seq,
        digits=digits,
        time_format=time_format,
        tz=tz,
        now=NOW,
    )
    assert all(path.is_absolute() and path.read_bytes() == b"" for path in paths)
    return [path.name for path in paths]


def test_a_pair_is_named_by_the_time_in_utc(tmp_path: Path) -> None:
    assert create(tmp_path) == [
        "20261124040506_add_users.up.sql",
        "20261124040506_add_users.down.sql",
    ]


def test_the_directory_is_made_and_a_dot_before_the_extension_is_one(tmp_path: Path) -> None:
    assert create(tmp_path / "a" / "b", ext=".pgsql", seq=True)[0] == "000001_add_users.up.pgsql"


@pytest.mark.parametrize(
    ("time_format", "tz", "version"),
    [
        ("unix", "UTC", "1795493106"),
        ("unixNano", "UTC", "1795493106789012000"),
        ("200601021504", "Asia/Tokyo", "202611241305"),
        ("060102", "", "261124"),
    ],
)
def test_the_version_follows_format_and_zone(
    tmp_path: Path, time_format: str, tz: str, version: str
) -> None:
    assert create(tmp_path, time_format=time_format, tz=tz)[0] == f"{version}_add_users.up.sql"


@pytest.mark.parametrize(
    ("existing", "digits", "expected"),
    [
        ([], 6, "000001"),
        (["000007_a.up.sql", "000007_a.down.sql"], 6, "000008"),
        (["9_a.up.sql", "10_b.up.sql"], 3, "011"),
        (["1_a.up.sql", "zeed.sql", "README.md", "5_b.up.txt"], 6, "000006"),
        (["998_a.down.sql"], 3, "999"),
        (["1_a.up.sql", "20240101120000_gooses.sql", "V7__flyways.sql"], 6, "000002"),
    ],
)
def test_a_sequence_goes_on_after_the_highest_version(
    tmp_path: Path, existing: list[str], digits: int, expected: str
) -> None:
    for name in existing:
        (tmp_path / name).touch()
    assert create(tmp_path, seq=True, digits=digits)[0].startswith(f"{expected}_")


@pytest.mark.parametrize(
    ("wanted", "existing", "expected"),
    [
        (Format.GOOSE, ["00007_a.sql", "20240101120000_b.sql", "00009_c.go"], "00010_x.sql"),
        (Format.GOOSE, ["20240101120000_b.sql", "8_a.up.sql.bak"], "00001_x.sql"),
        (Format.GOOSE, ["19690101120000_b.sql"], "19690101120001_x.sql"),
        (Format.GOOSE, ["20241301120000_no_month.sql"], "20241301120001_x.sql"),
        (Format.DBMATE, ["00007b.sql", "a.sql", "00009_c.txt"], "00008_x.sql"),
        (Format.ATLAS, ["00007.sql", "00003_a.sql", "00009_c.txt"], "00008_x.sql"),
    ],
)
def test_a_sequence_counts_what_a_run_of_that_format_would_read(
    tmp_path: Path, wanted: Format, existing: list[str], expected: str
) -> None:
    for name in existing:
        (tmp_path / name).touch()

    path = create_annotated_file(
        tmp_path,
        "x",
        wanted=wanted,
        seq=True,
        digits=5,
        time_format=DEFAULT_TIME_FORMAT,
        tz="UTC",
        now=NOW,
    )
    assert path.name == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seq": True, "time_format": "unix"}, "the seq and format options are mutually exclusive"),
        ({"time_format": ""}, "time format may not be empty"),
        ({"seq": True, "digits": 0}, "digits must be positive"),
        ({"seq": True, "digits": 2}, "next sequence number 100 too large, at most 2 digits"),
        ({"time_format": "2006-01-02"}, "the version 2026-11-24 can't be read back"),
        ({"time_format": "20060102150405000000000"}, "can't be read back"),
        ({"time_format": "99"}, "duplicate migration version: 99: 0099_x.up.sql is there"),
        ({"name": "a/b"}, "malformed migration filename"),
        ({"ext": "up.sql"}, "malformed migration filename"),
        ({"tz": "Mars/Olympus"}, "unknown time zone Mars/Olympus"),
        ({"tz": "../etc/passwd"}, "unknown time zone"),
    ],
)
def test_what_could_not_be_read_back_is_refused(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    (tmp_path / "0099_x.up.sql").touch()
    with pytest.raises(MigrationError, match=message):
        create(tmp_path, **arguments)  # type: ignore[arg-type]
    assert [each.name for each in tmp_path.iterdir()] == ["0099_x.up.sql"]


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MigrationError, match="can't be read"):
        create(tmp_path / "file")


MOMENT = datetime(2026, 3, 4, 15, 6, 7, 8000, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Jan 2 15:04:05 2006", "Wed Mar 4 15:06:07 2026"),
        ("Monday, January _2 06 3:4:5 PM", "Wednesday, March  4 26 3:6:7 PM"),
        ("2006-01-02T15:04:05.000Z07:00", "2026-03-04T15:06:07.008-03:30"),
        ("20060102.999999999 -0700 -07", "20260304.008 -0330 -03"),
        ("002 __2 03pm January_2006 Month", "063  63 03pm March_2026 Month"),
        ("Janet", "Janet"),
    ],
)
def test_a_go_layout_is_written_as_go_writes_it(layout: str, text: str) -> None:
    assert format_time(MOMENT, layout) == text
