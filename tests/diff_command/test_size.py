"""A schema of many tables in one migration: each takes locks until the transaction ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import run

pytestmark = pytest.mark.database


def test_a_server_of_our_own_has_locks_for_many_tables(tmp_path: Path) -> None:
    tables = [
        f"CREATE TABLE t{number} (id int PRIMARY KEY, a text UNIQUE);" for number in range(600)
    ]
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "000001_all.up.sql").write_text("\n".join(tables))
    (tmp_path / "schema.sql").write_text("\n".join(tables))
    ran = run("-path", str(tmp_path / "m"), "diff", "-check")
    assert (ran.code, ran.stderr) == (0, "no difference\n")
