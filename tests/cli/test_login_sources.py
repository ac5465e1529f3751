"""Which of two passwords the server gets, and what is refused before it gets any."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from tests.cli.program import Ran, run
from tests.database import Database

pytestmark = pytest.mark.database

SOURCES = ("authority", "query", "service", "PGPASSWORD", "PGPASSFILE")
"""Of libpq's order the first one counts; in a URL a parameter counts before the authority."""
ORDER = ("query", *(each for each in SOURCES if each != "query"))
RIGHT, WRONG = "right", "wr0ng"


def log_in(database: Database, directory: Path, passwords: dict[str, str]) -> Ran:
    """`version` as a role with a password, which sources give."""
    role = database.create_role(password=RIGHT)
    at = f":{passwords['authority']}" if "authority" in passwords else ""
    server = database.server
    url = f"postgres://{role}{at}@{server.host}:{server.port}/{database.name}?sslmode=disable"
    environ = {}
    if "service" in passwords:
        (directory / "services").write_text(f"[s]\npassword={passwords['service']}\n")
        environ["PGSERVICEFILE"] = str(directory / "services")
        url += "&service=s"
    if "query" in passwords:
        url += f"&password={passwords['query']}"
    if "PGPASSFILE" in passwords:
        (directory / "pgpass").write_text(f"*:*:*:*:{passwords['PGPASSFILE']}\n")
        (directory / "pgpass").chmod(0o600)
        environ["PGPASSFILE"] = str(directory / "pgpass")
    if "PGPASSWORD" in passwords:
        environ["PGPASSWORD"] = passwords["PGPASSWORD"]
    return run("-database", url, "version", environ=environ)


@pytest.mark.parametrize(("first", "second"), list(combinations(ORDER, 2)))
def test_of_two_passwords_the_first_one_of_libpqs_order_counts(
    database: Database, tmp_path: Path, first: str, second: str
) -> None:
    assert "no migration" in log_in(database, tmp_path, {first: RIGHT, second: WRONG}).stderr
    refused = log_in(database, tmp_path, {first: WRONG, second: RIGHT}).stderr
    assert "password authentication failed" in refused
    assert WRONG not in refused


@pytest.mark.parametrize("verb", [("up",), ("fleet", "up", "-targets", "targets.yaml")])
def test_a_token_beside_a_password_is_refused_for_one_target_and_for_many(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    (tmp_path / "targets.yaml").write_text("targets:\n- {name: a, dbname: a}\n")
    url = "postgres://app@127.0.0.1:1/x?sslmode=require"
    words = ("-path", ".", "-database", url, "-identity", "gcp", *verb)
    for environ, told in (
        ({"PGPASSWORD": WRONG}, "PGPASSWORD gives a password"),
        ({"PGPASSFILE": f"/{WRONG}"}, "PGPASSFILE gives a password"),
        ({"DBMIGRATE_PASSWORD_FILE": f"/{WRONG}"}, "DBMIGRATE_PASSWORD_FILE gives a password"),
    ):
        done = run(*words, environ=environ, cwd=tmp_path)
        assert done.code == 1
        assert f"{told}, and -identity gcp logs in with a token" in done.stderr
        assert WRONG not in done.stderr
