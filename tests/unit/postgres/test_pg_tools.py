"""Which of several pg_dumps is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.pg_tools import ClientProgram, find_program
from dbmigrate.postgres.scratch import server


def lay(directory: Path, major: int | None) -> str:
    """A directory with a pg_dump of that version; with none for None."""
    directory.mkdir()
    if major is not None:
        program = directory / "pg_dump"
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.3'\n")
        program.chmod(0o755)
    return str(directory)


@pytest.mark.parametrize(
    ("on_path", "beside", "server_major", "taken"),
    [
        (15, 18, None, 18),
        (18, 15, None, 18),
        (15, None, None, 15),
        (None, 18, None, 18),
        (15, 18, 15, 15),
        (15, 18, 17, 18),
        (16, 15, 17, 16),
        (None, 18, 14, 18),
    ],
)
def test_the_program_on_the_path_is_taken_unless_it_is_too_old(
    on_path: int | None,
    beside: int | None,
    server_major: int | None,
    taken: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", lay(tmp_path / "a", on_path))
    lay(tmp_path / "b", beside)
    monkeypatch.setattr(server, "find_programs", lambda: tmp_path / "b")
    assert find_program("pg_dump", server_major=server_major).major == taken


def test_one_that_is_too_old_says_what_to_install() -> None:
    remedy = ClientProgram("/usr/bin/pg_dump", 9).remedy_for(18)
    assert remedy is not None
    assert remedy.startswith("install pg_dump 18 or newer")
    assert ClientProgram("/usr/bin/pg_dump", 18).remedy_for(18) is None


def test_none_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server, "find_programs", lambda: tmp_path)
    with pytest.raises(MigrationError, match="pg_dump is not on the PATH"):
        find_program("pg_dump")
