"""A scratch server of our own does not outlive the run that it was made for."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmigrate.postgres.scratch.server import end_abandoned, scratch_server

pytestmark = pytest.mark.database

RUN = """
from dbmigrate.postgres.scratch.server import scratch_server
with scratch_server() as words:
    print(words, flush=True)
    input()
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files that nobody else uses, with a name as short as a socket's."""
    with tempfile.TemporaryDirectory(prefix="own-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", directory)
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory)


def test_the_server_of_a_run_that_was_killed_is_ended_by_the_next_one(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        directory = Path(killed.stdout.readline().split()[0].removeprefix("host="))
        server = int((directory / "data" / "postmaster.pid").read_text().split()[0])
        killed.kill()
    assert Path(f"/proc/{server}").exists()
    with scratch_server() as words:
        assert not directory.exists()
        command = Path(f"/proc/{server}/cmdline")  # empty for what has ended and nobody has asked
        assert not command.exists() or command.read_bytes() == b""
        end_abandoned()  # the one that is at work is left alone
        assert (Path(words.split()[0].removeprefix("host=")) / "data").exists()
    assert [*place.iterdir()] == []
