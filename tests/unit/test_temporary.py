"""Temporary directories are removed, and a machine without a place for them is told what to do."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.temporary import temporary_directory

pytestmark = pytest.mark.quick


def test_it_is_gone_afterwards() -> None:
    with temporary_directory("dbmigrate-test-") as directory:
        (directory / "file").touch()
    assert not directory.exists()


@pytest.mark.parametrize("where", [None, "/nowhere"])
def test_a_machine_without_a_place_for_it(
    monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    """Nothing writable at all is what a read-only root file system looks like to `tempfile`."""
    monkeypatch.setattr(tempfile, "tempdir", where)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(MigrationError) as caught, temporary_directory("dbmigrate-test-"):
        pass
    assert caught.value.reason is Reason.INTERNAL
    assert "TMPDIR" in str(caught.value.hint)
    assert not Path("/nowhere").exists()
