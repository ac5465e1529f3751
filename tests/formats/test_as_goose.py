"""`dbmigrate goose ...` leaves what goose itself would have left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Ran, run
from tests.database import Database, Server
from tests.formats.arrange import fill, goose_rows, goose_tables

pytestmark = pytest.mark.database

LINES = [
    "up-by-one",
    "up-to 3",
    "down",
    "redo",
    "up-to 1",
    "up",
    "down-to 9",
    "down-to 1",
    "up-to 5",
    "redo",
    "up",
    "reset",
    "up",
    "up-to 999",
    "down-to 0",
]


def test_the_same_commands_lead_to_the_same_rows_and_schema(
    server: Server, database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = str(fill(tmp_path / "m", goose_tables(1, 2, 4, 6)))
    other = server.create_database()
    try:
        for line in LINES:
            ours = run("goose", "-dir", directory, "postgres", database.url, *line.split())
            command = [str(goose_oracle), "-dir", directory, "postgres", other.url, *line.split()]
            theirs = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (ours.code, theirs.returncode) == (0, 0), (line, ours.stderr, theirs.stderr)
            assert goose_rows(database) == goose_rows(other), line
            assert tables(database) == tables(other), line
    finally:
        other.drop()


@pytest.mark.parametrize("existing", [[], [7], [20240101120000], [7, 20240101120000], [99999]])
def test_a_new_file_is_gooses(tmp_path: Path, goose_oracle: Path, existing: list[int]) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory, program in ((ours, None), (theirs, goose_oracle)):
        fill(directory, goose_tables(*existing))
        words = ["-dir", str(directory), "-s", "create", "Add phone", "sql"]
        if program is None:
            assert run("goose", *words).code == 0
        else:
            subprocess.run([program, *words], check=True, capture_output=True)
    assert names(ours) == names(theirs)
    (mine,) = ours.glob("*add_phone.sql")
    assert "-- +goose Up" in mine.read_text()


def test_files_are_numbered_anew_and_looked_at_as_goose_does(
    tmp_path: Path, goose_oracle: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory in (ours, theirs):
        fill(directory, goose_tables(2, 20240101120000, 20231231235959))
    subprocess.run([goose_oracle, "-dir", theirs, "fix"], check=True, capture_output=True)
    ran = run("goose", "-dir", str(ours), "fix")
    assert ran.code == 0
    assert ran.stderr.splitlines()[0] == (
        "RENAMED 20231231235959_t20231231235959.sql => 00003_t20231231235959.sql"
    )
    assert names(ours) == names(theirs)
    assert run("goose", "-dir", str(ours), "validate") == (0, "", "")
    fill(ours, {"00009_bad.sql": "-- +goose Up\nSELECT 1\n"})
    bad = run("goose", "-dir", str(ours), "validate")
    command = [str(goose_oracle), "-dir", str(ours), "validate"]
    theirs_too = subprocess.run(command, check=False, capture_output=True)
    assert (bad.code, theirs_too.returncode) == (1, 1)
    assert "00009_bad.sql: line 2" in bad.stderr


def test_a_late_version_can_be_done_again(database: Database, tmp_path: Path) -> None:
    directory = str(fill(tmp_path / "m", goose_tables(1, 3)))
    where = ["goose", "-dir", directory, "postgres", database.url]
    assert run(*where, "up").code == 0
    fill(tmp_path / "m", goose_tables(2))
    assert run(*where, "-allow-missing", "up").code == 0
    assert run(*where, "redo").code == 0
    assert sorted(goose_rows(database)) == [(0, True), (1, True), (2, True), (3, True)]


@pytest.mark.parametrize("removed", [None, 1, 2, 3])
@pytest.mark.parametrize("applied", [(1, 3), (3, 1)])
def test_what_is_undone_again_is_what_is_applied_again(
    server: Server,
    database: Database,
    tmp_path: Path,
    goose_oracle: Path,
    applied: tuple[int, int],
    removed: int | None,
) -> None:
    """Whichever version is late, and whichever file is gone: the one that was applied last is
    redone, or nothing is."""
    other = server.create_database()
    directory = tmp_path / "m"
    try:
        for version in applied:
            fill(directory, goose_tables(version))
            assert run_ours(database, directory, "-allow-missing", "up").code == 0
            assert run_theirs(goose_oracle, other, directory, "-allow-missing", "up").code == 0
        rows = goose_rows(database)
        fill(directory, goose_tables(2))
        if removed is not None:
            (directory / f"{removed:05}_t{removed}.sql").unlink()
        ours = run_ours(database, directory, "redo")
        theirs = run_theirs(goose_oracle, other, directory, "redo")
        assert (ours.code, theirs.code) == (int(removed == applied[1]),) * 2, ours.stderr
        assert goose_rows(database) == goose_rows(other) == rows
        assert tables(database) == tables(other)
        if removed == applied[1]:
            assert f"no migration found for version {removed}" in ours.stderr
    finally:
        other.drop()


@pytest.mark.parametrize(("line", "code"), [("", 1), ("-h", 0), ("up -h", 0), ("--help", 0)])
def test_the_usage_is_gooses(line: str, code: int, goose_oracle: Path) -> None:
    ours = run("goose", *line.split())
    theirs = subprocess.run(
        [goose_oracle, *line.split()], capture_output=True, text=True, check=False
    )
    assert (ours.code, theirs.returncode) == (code, code)
    assert ours.stdout.startswith("Usage: dbmigrate goose DRIVER DBSTRING [OPTIONS] COMMAND\n")
    for text in (ours.stdout, theirs.stdout + theirs.stderr):
        for word in ("-allow-missing", "-dir string", "up-by-one", "validate"):
            assert word in text


def test_a_mistake_ends_with_2_and_says_what_to_do() -> None:
    ran = run("goose", "mysql", "x", "up")
    assert ran.code == 2
    assert ran.stderr == (
        "mysql is not a command, and dbmigrate supports only the driver postgres\n"
        "run `dbmigrate goose -h` for the commands and options\n"
    )


def run_ours(database: Database, directory: Path, *words: str) -> Ran:
    return run("goose", "-dir", str(directory), "postgres", database.url, *words)


def run_theirs(goose: Path, database: Database, directory: Path, *words: str) -> Ran:
    return run("-dir", str(directory), "postgres", database.url, *words, program=goose)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def tables(database: Database) -> list[object]:
    rows = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename NOT LIKE 'goose%' ORDER BY 1"
    )
    return [name for (name,) in rows]
