"""compose.yaml: its service does on a real PostgreSQL what it promises.

Docker is not needed here: the programs are run as the containers would run them, with
the host and the mounted directory in their places.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.database import Database

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
PROGRAMS = Path(sys.executable).parent


def run_migrate(database: Database, *command: str) -> subprocess.CompletedProcess[str]:
    """The service, with another command where one is given: `docker compose run migrate ...`."""
    service = SERVICES["migrate"]
    (mount,) = service["volumes"]
    host, inside, mode = mount.split(":")
    assert (host, mode) == ("./migrations", "ro")
    places = {
        inside: str(ROOT / host),
        "postgres://app:secret@postgres:5432/app?sslmode=disable": database.url,
    }
    environment = {name: places[value] for name, value in service["environment"].items()}
    return subprocess.run(
        [str(PROGRAMS / "dbmigrate"), *(command or service["command"])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_service_migrates_and_takes_any_other_command(database: Database) -> None:
    assert "2/u add_user_phone" in run_migrate(database).stderr
    assert run_migrate(database, "down", "1").returncode == 0
    assert run_migrate(database, "version").stderr == "1\n"


def test_the_service_starts_when_the_database_is_healthy() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "healthcheck" in SERVICES["postgres"]


def test_the_health_check_asks_for_the_database_that_the_service_migrates() -> None:
    kind, program, *arguments = SERVICES["postgres"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "pg_isready")
    settings = dict(word.removeprefix("--").split("=") for word in arguments)
    environment = SERVICES["postgres"]["environment"]
    assert settings["username"] == environment["POSTGRES_USER"]
    assert settings["dbname"] == environment["POSTGRES_DB"]
    user, password = environment["POSTGRES_USER"], environment["POSTGRES_PASSWORD"]
    url = f"postgres://{user}:{password}@postgres:5432/{environment['POSTGRES_DB']}?sslmode=disable"
    assert SERVICES["migrate"]["environment"]["DBMIGRATE_DATABASE"] == url
