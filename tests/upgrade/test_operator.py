"""The operator of one release after the other's, over resources in every state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.database import Database
from tests.operator_e2e.conftest import grant_rights
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.shop import Shop, attempts, condition
from tests.upgrade.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.database, pytest.mark.timeout(600)]

GATE = (
    "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05);"
    " END LOOP; END $$;\n"
)
ROWS = """
CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO items (id) SELECT g FROM generate_series(1, 45) g;
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;
  RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE UPDATE ON items FOR EACH ROW WHEN (OLD.id = 25)
  EXECUTE FUNCTION wait_at_gate();
"""
COUNT = """-- dbmigrate:batched size=10 duration=1h start=0
UPDATE items SET n = n + 1 WHERE id IN (
  SELECT id FROM items WHERE id > :cursor ORDER BY id LIMIT :batch_size)
RETURNING id;
"""
DIRT = "CREATE INDEX CONCURRENTLY dirty_i ON dirty_1 (id);\nSELECT 1/0;\n"
SECOND: Mapping[str, str] = {
    "applied": "",
    "failed": "SELECT 1/0;\n",
    "dirty": DIRT,
    "pending": "",
    "returned": "",
    "flying": GATE,
    "batched": COUNT,
}
"""The resources by name, and what is special about their second file."""
SETTLED = {
    "applied": "Applied",
    "failed": "StatementFailed",
    "dirty": "StatementFailed",
    "pending": "AwaitingApproval",
    "returned": "RolledBack",
}
"""Ready's reason when the first release has done its part."""


class World:
    """All of them on one database, each with a history and tables of its own."""

    def __init__(self, shop: Shop, pinned: str) -> None:
        self.shop = shop
        self.pinned = pinned
        """The image of the first release, which one resource names and keeps."""
        self.namespace = shop.namespace
        shop.namespace.secret("shop-db", url=shop.database.url)

    def files(self, name: str, last: int = 2) -> dict[str, str]:
        """A table for each version, unless the resource has a script of its own."""
        texts = {}
        for version in range(1, last + 1):
            make = f"CREATE TABLE {name}_{version} (id int);\n"
            texts[f"{version}_t.up.sql"] = (SECOND[name] if version == 2 else "") + make
            texts[f"{version}_t.down.sql"] = f"DROP TABLE {name}_{version};\n"
        if name == "batched":
            texts = {"1_t.up.sql": ROWS, "2_t.up.sql": COUNT}
        if name == "dirty":
            texts["2_t.up.sql"] = DIRT
        return texts

    def order(self, name: str, last: int = 2, second: str | None = None) -> None:
        """Apply the resource with so many files, or with this one as the second."""
        files = self.files(name, last)
        if second is not None:
            files["2_t.up.sql"] = second
        spec: dict[str, Any] = {
            "database": {
                "urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}},
                "historyTable": f"h_{name}",
            },
            "source": {"inline": files},
            "approval": "Manual" if name == "pending" else "Automatic",
            "job": {"image": self.pinned} if name == "applied" else {},
        }
        self.shop.order(name, **spec)

    def act(self, name: str, action: str, **spec: str) -> None:
        """Give an order for it."""
        self.namespace.apply(
            {
                "apiVersion": "dbmigrate.dev/v1alpha1",
                "kind": "MigrationAction",
                "metadata": {"name": f"{name}-{action.lower()}"},
                "spec": {"migration": name, "action": action, **spec},
            }
        )

    def version(self, name: str) -> list[tuple[Any, ...]]:
        """What the database says of its version."""
        return self.shop.database.query(f"SELECT version, dirty FROM h_{name}")

    def job_counts(self) -> dict[str, int]:
        """How many Jobs each resource has."""
        jobs = [job["metadata"]["labels"]["dbmigrate.dev/migration"] for job in self.shop.jobs()]
        return {name: jobs.count(name) for name in SECOND}


@pytest.fixture
def world(
    cluster: Cluster, namespace: Any, database: Database, turns: tuple[Release, Release]
) -> World:
    """The newest CRDs, which stay whichever release works, and both runners' images."""
    cluster.install_crds(ROOT / "crds")
    for release in turns:
        commands = {"dbmigrate": release.command("dbmigrate")}
        cluster.node.images.register(release.image, commands=commands)
    return World(Shop(namespace, database), turns[0].image)


@pytest.fixture
def operators(
    world: World, turns: tuple[Release, Release], tmp_path: Path
) -> Iterator[tuple[Operator, Operator]]:
    """One of each release, not started."""
    rights = grant_rights(world.namespace)
    made = [
        Operator(
            rights,
            world.namespace.name,
            tmp_path / f"{release.name}.log",
            image=release.image,
            program=[*release.command("dbmigrate-operator")],
        )
        for release in turns
    ]
    yield made[0], made[1]
    for operator in made:
        operator.kill()
        print(f"--- {operator.log.name}\n{operator.read_log()}")


def test_the_other_release_takes_up_what_the_first_has_left(
    world: World, operators: tuple[Operator, Operator]
) -> None:
    shop = world.shop
    first, second = operators
    first.start()
    for name in SETTLED:
        world.order(name)
    shop.wait_ready(name="returned")
    world.act("returned", "Rollback", version="1")
    for name, reason in SETTLED.items():
        shop.wait_for_reason(reason, name=name)
    # Now only: CREATE INDEX CONCURRENTLY waits for every transaction that is open.
    for name in ("flying", "batched"):
        world.order(name)
    for name in ("flying", "batched"):
        shop.wait(lambda r: attempts(r) == 1, name=name)
    eventually(lambda: _count_at_gate(shop) == 2, what="two runs at the gate")
    before = world.job_counts()
    assert first.stop() == 0

    second.start()
    shop.open_gate()
    for name in ("flying", "batched"):
        assert shop.wait_ready(name=name)["status"]["version"] == "2"
    assert shop.database.query("SELECT n, count(*) FROM items GROUP BY 1") == [(1, 45)]
    for name, reason in SETTLED.items():
        found = shop.namespace.get("dbm", name)
        assert condition(found, "Ready")["reason"] == reason, name
    assert world.job_counts() == before
    assert world.version("dirty") == [(2, True)]
    assert world.version("returned") == [(1, False)]

    plan = shop.namespace.get("dbm", "pending")["status"]["plan"]["hash"]
    world.act("pending", "Approve", planHash=plan)
    world.order("failed", second="CREATE TABLE failed_2 (id int);\n")
    world.order("applied", 3)
    world.order("returned", 3)
    for name, version in (("pending", "2"), ("failed", "2"), ("applied", "3"), ("returned", "3")):
        ready = shop.wait(_is_at(version), name=name)
        assert condition(ready, "Ready")["status"] == "True", name
    world.order("dirty", second="DROP INDEX dirty_i;\nCREATE TABLE dirty_2 (id int);\n")
    shop.wait_for_reason("Dirty", name="dirty")
    world.act("dirty", "Force", version="1")
    assert shop.wait(_is_at("2"), name="dirty")["status"]["dirty"] is False


def _is_at(version: str) -> Any:
    def judge(resource: dict[str, Any]) -> bool:
        ready = condition(resource, "Ready").get("status") == "True"
        return ready and resource["status"].get("version") == version

    return judge


def _count_at_gate(shop: Shop) -> int:
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'dbmigrate' AND wait_event = 'PgSleep'"
    )
    return int(shop.database.query(statement)[0][0])
