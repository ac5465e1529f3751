"""Line ends and the last newline of an applied file are no change, its content is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.database import Database
from tests.formats.arrange import dbmate_file, fill, findings, goose_file, request

pytestmark = pytest.mark.database

TEXT = "CREATE TABLE a (\n  id int\n);\nCOMMENT ON TABLE a IS 'x';\n"
FILES = {
    "1_a.up.sql": TEXT,
    "00001_a.sql": goose_file(TEXT, "DROP TABLE a;"),
    "1_a.sql": dbmate_file(TEXT, "DROP TABLE a;"),
    "V1__a.sql": TEXT,
    "20240101000000_a.sql": TEXT,
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it was": lambda text: text,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "no last newline": lambda text: text.removesuffix("\n"),
    "crlf and no last newline": lambda text: text.removesuffix("\n").replace("\n", "\r\n"),
    "mixed": lambda text: text.replace("\n", "\r\n", 1),
}


def write(directory: Path, name: str, text: str) -> Path:
    fill(directory, {name: text})
    if name.startswith("2024"):
        renew_sum(directory, Format.ATLAS)
    return directory


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_spelled_otherwise_is_no_other_file(
    database: Database, tmp_path: Path, name: str
) -> None:
    first = "mixed" if name.startswith("1_a.up") else "as it was"
    write(tmp_path / "m", name, SPELLINGS[first](FILES[name]))
    up(request(database, tmp_path / "m")).unwrap()
    for spell in SPELLINGS.values():
        directory = write(tmp_path / "m", name, spell(FILES[name]))
        assert up(request(database, directory)).error is None, spell
        assert findings(database, directory) == []
    if name.startswith("2024"):
        return  # a file that agrees with its atlas.sum is none that was edited, as with Atlas
    directory = write(tmp_path / "m", name, FILES[name].replace("'x'", "'y'"))
    error = up(request(database, directory)).error
    assert error is not None
    assert error.reason is Reason.CHECKSUM_MISMATCH


@pytest.mark.parametrize("now", SPELLINGS)
@pytest.mark.parametrize("old", [each for each in SPELLINGS if each != "mixed"])
def test_what_older_versions_have_recorded_still_counts(
    database: Database, tmp_path: Path, old: str, now: str
) -> None:
    """They hashed the bytes of the file as it was."""
    name = "1_a.up.sql"
    directory = write(tmp_path / "m", name, TEXT)
    up(request(database, directory)).unwrap()
    checksum = hashlib.sha256(SPELLINGS[old](TEXT).encode()).hexdigest()
    database.execute(f"UPDATE schema_migrations_log SET checksum = '{checksum}'")
    write(directory, name, SPELLINGS[now](TEXT))
    assert up(request(database, directory)).error is None
