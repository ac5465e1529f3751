"""spec.backup: the database is saved before it is changed, and can be had back."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.database import Database, Server
from tests.database.programs import find_programs
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

PROGRAM = Path(sys.executable).with_name("dbmigrate")
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "backups"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
    },
}
BACKUP = {"persistentVolumeClaim": {"claimName": "backups", "path": "/shop/nightly"}, "keep": 2}


@pytest.fixture
def image(installed: Cluster) -> str:
    """The runner's image as it is shipped, with pg_dump."""
    programs = find_programs()
    commands = {"dbmigrate": [str(PROGRAM)], "pg_dump": [str(programs / "pg_dump")]}
    installed.node.images.register("dbmigrate:backup", commands=commands)
    return "dbmigrate:backup"


@pytest.fixture
def directory(shop: Shop, installed: Cluster) -> Path:
    """Where the claim's backups lie."""
    shop.namespace.apply(CLAIM)
    return installed.node.claim_directory(shop.namespace.name, "backups") / "shop" / "nightly"


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    """A second database, to restore into."""
    created = server.create_database()
    yield created
    created.drop()


def describe(database: Database) -> str:
    """All that pg_dump says of a database, but for the key that differs with each run."""
    command = [str(find_programs() / "pg_dump"), "--inserts", database.url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


def test_a_run_that_changes_something_makes_a_backup_that_can_be_restored(
    shop: Shop, operator: Operator, image: str, directory: Path, empty: Database
) -> None:
    shop.prepare()
    shop.order(backup=BACKUP, job={"image": image})
    shop.wait_ready()
    shop.database.execute("INSERT INTO items VALUES (1, 9.5)")
    before = describe(shop.database)
    shop.write_files({**FILES, "000003_start_afresh.up.sql": "DELETE FROM items;\n"})
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    backup = ready["status"]["backup"]
    file = directory / backup["name"]
    content = file.read_bytes()
    assert backup["version"] == "2"
    assert backup["size"] == len(content)
    assert backup["sha256"] == hashlib.sha256(content).hexdigest()
    assert shop.database.query("SELECT count(*) FROM items") == [(0,)]
    restore = [str(PROGRAM), "-database", empty.url, "restore"]
    restore += ["-sha256", backup["sha256"], str(file)]
    environment = {"PATH": str(find_programs())}
    subprocess.run(restore, env=environment, check=True)
    # The restore leaves a note in the log.
    assert empty.query("SELECT direction FROM schema_migrations_log ORDER BY id DESC LIMIT 1") == [
        ("restore",)
    ]
    assert without_log(describe(empty)) == without_log(before)
    assert operator.is_running


def without_log(dump: str) -> list[str]:
    return [line for line in dump.splitlines() if "schema_migrations_log" not in line]


def test_older_backups_go_and_a_run_without_steps_makes_none(
    shop: Shop, operator: Operator, image: str, directory: Path
) -> None:
    shop.prepare({name: text for name, text in FILES.items() if name.startswith("000001")})
    shop.order(backup=BACKUP, job={"image": image})
    shop.wait_ready()
    shop.write_files(FILES)
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "2")
    shop.write_files({**FILES, **THIRD})
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    names = sorted(file.name for file in directory.iterdir())
    assert len(names) == 2
    assert names[-1] == ready["status"]["backup"]["name"]
    shop.order(backup=BACKUP, job={"image": image}, outOfOrder="Ignore")
    job = ready["status"]["lastRun"]["job"]
    again = shop.wait(lambda r: is_ready(r) and r["status"]["lastRun"]["job"] != job)
    assert again["status"]["lastRun"]["outcome"] == "UpToDate"
    assert sorted(file.name for file in directory.iterdir()) == names
    assert operator.is_running


def test_a_backup_that_fails_stops_the_run_before_it_has_changed_anything(
    shop: Shop, operator: Operator, directory: Path
) -> None:
    shop.prepare()
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.write_text("a file in the place of the directory")
    shop.order(backup=BACKUP)
    failed = shop.wait_for_reason("BackupFailed")
    assert "nightly" in condition(failed, "Ready")["message"]
    assert condition(failed, "Stalled")["status"] == "True"
    assert "backup" not in failed["status"]
    assert shop.applied() == []
    assert shop.database.query("SELECT to_regclass('items')") == [(None,)]
    assert operator.is_running


def test_a_backup_that_is_asked_for_later_starts_no_run(
    shop: Shop, operator: Operator, image: str, directory: Path
) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.order(backup=BACKUP, job={"image": image})
    shop.wait_ready()
    assert len(shop.jobs()) == 1
    assert not directory.exists()
    assert operator.is_running
