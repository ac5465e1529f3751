"""What a script's file may hold, and where a fault in it is said to be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.golang_migrate import read_directory
from dbmigrate.sources.migration import hash_script
from dbmigrate.sources.script_file import check_script, read_script

pytestmark = pytest.mark.quick


def refusal(content: bytes) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        check_script(content, "1_a.up.sql")
    return caught.value


def test_a_byte_order_mark_is_dropped_and_line_ends_are_kept() -> None:
    assert check_script(b"\xef\xbb\xbfselect 1;\r\n", "f") == b"select 1;\r\n"


def test_a_byte_order_mark_does_not_change_the_checksum(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_bytes(b"\xef\xbb\xbfselect 1;\r\n")
    up = read_directory(tmp_path).migrations[0].up
    assert up is not None
    assert up.checksum() == hash_script(b"select 1;\r\n") == hash_script(b"select 1;\n")


def test_an_empty_script_is_a_script() -> None:
    assert check_script(b"", "f") == b""


def test_a_nul_byte_is_refused_with_its_place() -> None:
    error = refusal("select 1;\nselect 'é\0".encode())
    assert error.location is not None
    assert (error.location.file, error.location.line, error.location.column) == (
        "1_a.up.sql",
        2,
        10,
    )
    assert "line 2: a NUL byte" in error.message


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"select 'caf\xe9';\n", 1, 12),
        ("ä\n".encode() * 3 + b"ab\xff", 4, 3),
        (b"ok\n\xc3", 2, 1),
        (b"\xed\xa0\x80", 1, 1),
    ],
)
def test_bytes_that_are_not_utf8_are_refused_with_their_place(
    content: bytes, line: int, column: int
) -> None:
    error = refusal(content)
    assert error.location is not None
    assert (error.location.line, error.location.column) == (line, column)
    assert "not UTF-8" in error.message


@pytest.mark.parametrize("shift", range(4))
def test_a_character_across_two_chunks_is_whole(shift: int) -> None:
    head = b"-" * ((1 << 20) - shift)
    content = head + "\U0001f418".encode() + b"\n" * 10
    assert check_script(content, "f") == content
    error = refusal(head + "\U0001f418".encode()[:3] + b"x")
    assert error.location is not None
    assert error.location.column == len(head) + 1


def test_a_link_to_nowhere_and_a_directory_are_refused_by_path(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").symlink_to("gone")
    with pytest.raises(MigrationError, match=r"1_a\.up\.sql can't be read: no such file"):
        read_script(tmp_path / "1_a.up.sql", "1_a.up.sql")
    with pytest.raises(MigrationError, match="not a regular file"):
        read_script(tmp_path, "1_a.up.sql")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "1_a.up.sql"
    path.write_text("select 1")
    path.chmod(0)
    with pytest.raises(MigrationError, match="let user"):
        read_script(path, path.name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1_a.sql")
    with pytest.raises(MigrationError, match="is not a regular file"):
        read_script(tmp_path / "1_a.sql", "1_a.sql")
