"""`dbmigrate goose ...` leaves what goose itself would have left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.database import Database, Server
from tests.formats.arrange import fill, goose_rows, goose_tables

pytestmark = pytest.mark.database

LINES = [
    "up-by-one",
    "up-to 3",
    "down",
    "redo",
    "up",
    "down-to 1",
    "up",
    "reset",
    "up",
    "down-to 0",
]


def test_the_same_commands_lead_to_the_same_rows_and_schema(
    server: Server, database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = str(fill(tmp_path / "m", goose_tables(1, 2, 3, 4)))
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


def test_a_new_file_is_gooses(tmp_path: Path, goose_oracle: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory, program in ((ours, None), (theirs, goose_oracle)):
        directory.mkdir()
        words = ["-dir", str(directory), "-s", "create", "add_phone", "sql"]
        if program is None:
            assert run("goose", *words).code == 0
        else:
            subprocess.run([program, *words], check=True, capture_output=True)
    (mine,), (other,) = ours.iterdir(), theirs.iterdir()
    assert mine.name == other.name
    assert "-- +goose Up" in mine.read_text()


def test_a_mistake_ends_with_2_and_says_what_to_do() -> None:
    ran = run("goose", "mysql", "x", "up")
    assert (ran.code, ran.stderr) == (2, "driver mysql: dbmigrate knows postgres alone\n")


def tables(database: Database) -> list[object]:
    rows = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename NOT LIKE 'goose%' ORDER BY 1"
    )
    return [name for (name,) in rows]
