"""What fails at the end of a run, or while it cleans up, does not hide what went before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbmigrate.diff.reader import read_schema
from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.scratch.database import ScratchSpace, open_session
from tests.cli.program import run_here
from tests.database import Database

pytestmark = pytest.mark.database


@pytest.mark.parametrize("command", [["up", "0"], ["version"], ["status"], ["verify"], ["up"]])
def test_a_report_says_the_version_although_the_source_cannot_be_read_to_its_end(
    tmp_path: Path, database: Database, command: list[str]
) -> None:
    (tmp_path / "V1__a.sql").write_text("CREATE TABLE t (id int);")
    (tmp_path / "R__r.sql").write_text("SELECT 1;")
    words = ["-path", str(tmp_path), "-database", database.url, "-json"]
    assert run_here(*words, "up").code == 0
    (tmp_path / "R__r.sql").write_text("SELECT '${not_set}';")
    ran = run_here(*words, *command)
    report = json.loads(ran.stdout)
    assert (report["version"], report["dirty"]) == ("1", False), ran.stderr


def terminate(database: Database, application: str) -> None:
    database.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
        f"dbmigrate {application}",
    )


def test_an_error_survives_that_its_scratch_database_cannot_be_dropped(database: Database) -> None:
    target = parse_target(database.url, {})
    space = ScratchSpace(target, is_ours=False)

    def work() -> None:
        with space.database(target, "matter"):
            terminate(database, "matter")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    with space.database(target, "matter"):
        """The next one drops what is left."""
    assert database.query("SELECT FROM pg_database WHERE datname LIKE 'dbmigrate_matter_%'") == []


def test_a_broken_connection_survives_its_own_rollback(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_session(parse_target(database.url, {}), "reader") as session:
        real = session.query

        def query(sql: str, **others: str) -> list[list[tuple[str | None, ...]]]:
            if sql != "BEGIN":
                terminate(database, "reader")
            return real(sql, **others)

        monkeypatch.setattr(session, "query", query)
        with pytest.raises(ConnectionBroken) as caught:
            read_schema(session)
    assert "terminat" in str(caught.value)
