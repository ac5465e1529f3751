"""A team's small world: a database, its Secret, the migration files and the resource.

The files write a row each time they are applied, so that a test can count how
often that was. A gate in the database lets a test hold a run at its work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster import Namespace
from tests.cluster.waiting import DEADLINE, eventually
from tests.database import Database

NAME = "shop"
FILES: Mapping[str, str] = {
    "000001_create_items.up.sql": (
        "CREATE TABLE items (id int PRIMARY KEY);\nINSERT INTO applied VALUES (1);\n"
    ),
    "000001_create_items.down.sql": "DROP TABLE items;\n",
    "000002_add_price.up.sql": (
        "ALTER TABLE items ADD price numeric;\nINSERT INTO applied VALUES (2);\n"
    ),
    "000002_add_price.down.sql": "ALTER TABLE items DROP price;\n",
}
THIRD = {
    "000003_add_name.up.sql": "ALTER TABLE items ADD name text;\nINSERT INTO applied VALUES (3);\n",
    "000003_add_name.down.sql": "ALTER TABLE items DROP name;\n",
}
GATE = (
    "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP "
    "PERFORM pg_sleep(0.05); END LOOP; END $$;\n"
)
GATED = {**FILES, "000002_add_price.up.sql": GATE + FILES["000002_add_price.up.sql"]}

Document = dict[str, Any]


class Shop:
    """The world of one test."""

    def __init__(self, namespace: Namespace, database: Database) -> None:
        self.namespace = namespace
        self.database = database
        database.execute("CREATE TABLE applied (version int); CREATE TABLE gate (open bool)")

    def prepare(self, files: Mapping[str, str] = FILES) -> None:
        """The Secret and the ConfigMap."""
        self.namespace.secret("shop-db", url=self.database.url)
        self.write_files(files)

    def write_files(self, files: Mapping[str, str], name: str = "shop-migrations") -> None:
        """The ConfigMap, with these files and no others."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        self.namespace.apply({**body, "data": dict(files)})

    def order(self, name: str = NAME, **spec: Any) -> Document:
        """Apply the resource."""
        (applied,) = self.namespace.apply(self.manifest(name, **spec))
        return applied

    def manifest(self, name: str = NAME, **spec: Any) -> Document:
        """The resource as a team would write it, with quick retries."""
        return {
            "apiVersion": "dbmigrate.dev/v1alpha1",
            "kind": "DatabaseMigration",
            "metadata": {"name": name},
            "spec": {
                "database": {"urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}},
                "source": {"configMaps": [{"name": "shop-migrations"}]},
                "retry": {"initialDelay": "500ms", "maxDelay": "1s"},
                **spec,
            },
        }

    def act(self, action: str, name: str = "act", **spec: Any) -> None:
        """Apply a MigrationAction."""
        self.namespace.apply(
            {
                "apiVersion": "dbmigrate.dev/v1alpha1",
                "kind": "MigrationAction",
                "metadata": {"name": name},
                "spec": {"migration": NAME, "action": action, **spec},
            }
        )

    def resource(self, name: str = NAME) -> Document:
        """The resource as it is."""
        return self.namespace.get("dbm", name)

    def wait(
        self,
        predicate: Callable[[Document], object],
        *,
        name: str = NAME,
        deadline: float = DEADLINE,
    ) -> Document:
        """The resource once the predicate holds."""
        return self.namespace.wait("dbm", name, predicate, deadline=deadline)

    def wait_ready(self, *, name: str = NAME, deadline: float = DEADLINE) -> Document:
        """The resource once its present generation is Ready."""
        return self.wait(is_ready, name=name, deadline=deadline)

    def wait_for_reason(self, reason: str, *, name: str = NAME) -> Document:
        """The resource once Ready says this reason about the present generation."""

        def has_reason(resource: Document) -> bool:
            ready = condition(resource, "Ready")
            return is_observed(resource) and ready.get("reason") == reason

        return self.wait(has_reason, name=name)

    def open_gate(self) -> None:
        """Let the held run go on."""
        self.database.execute("INSERT INTO gate VALUES (true)")

    def wait_for_work(self) -> None:
        """Return when a run stands at the gate."""
        eventually(self._count_waiting, what="a run at the gate")

    def applied(self) -> list[int]:
        """The versions that were applied, in order, as often as they were."""
        return [row[0] for row in self.database.query("SELECT version FROM applied")]

    def jobs(self) -> list[Document]:
        """All Jobs of the namespace, oldest first."""
        jobs = self.namespace.list("job")
        return sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]))

    def wait_for_event(self, reason: str, name: str = NAME) -> Document:
        """The event of that reason about the resource: it comes after the status that it tells."""
        events = eventually(
            lambda: [e for e in self.namespace.events("dbm", name) if e["reason"] == reason],
            what=f"an event {reason}",
        )
        return events[0]

    def reasons(self, name: str = NAME) -> list[str]:
        """The reasons of the events about the resource, oldest first."""
        return [event["reason"] for event in self.namespace.events("dbm", name)]

    def _count_waiting(self) -> int:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%WHILE NOT EXISTS (SELECT FROM gate)%' "
            "AND state = 'active'"
        )
        count: int = self.database.query(statement)[0][0]
        return count


def condition(resource: Document, kind: str) -> Document:
    """The condition of that type; empty when there is none."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


def attempts(resource: Document) -> int:
    """The number of its last run; 0 before the first one."""
    number: int = resource.get("status", {}).get("lastRun", {}).get("attempts", 0)
    return number


def is_observed(resource: Document) -> bool:
    """Whether the status is about the present generation."""
    observed = resource.get("status", {}).get("observedGeneration")
    return bool(observed == resource["metadata"]["generation"])


def is_ready(resource: Document) -> bool:
    """Whether the present generation is Ready."""
    return is_observed(resource) and condition(resource, "Ready").get("status") == "True"
