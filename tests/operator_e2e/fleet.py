"""A small fleet: schemas of one database, the catalog that lists them, and the set.

The files write a row each time they are applied, so that a test can count how often that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dbmigrate.runner.fleet.shards import hash_name
from tests.cluster import Namespace
from tests.cluster.waiting import DEADLINE, eventually
from tests.database import Database
from tests.operator_e2e.shop import condition, is_observed, is_ready

NAME = "tenants"
QUERY = "SELECT name, name AS schema, labels FROM public.tenants WHERE active"
FILES: Mapping[str, str] = {
    "000001_orders.up.sql": (
        "CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL);\n"
        "INSERT INTO public.fleet_applied SELECT current_schema(), 1;\n"
    ),
    "000001_orders.down.sql": "DROP TABLE orders;\n",
    "000002_positive.up.sql": (
        "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total >= 0);\n"
        "INSERT INTO public.fleet_applied SELECT current_schema(), 2;\n"
    ),
    "000002_positive.down.sql": "ALTER TABLE orders DROP CONSTRAINT positive;\n",
}
GATE = (
    "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM public.gate) LOOP "
    "PERFORM pg_sleep(0.05); END LOOP; END $$;\n"
)
GATED = {**FILES, "000002_positive.up.sql": GATE + FILES["000002_positive.up.sql"]}

Document = dict[str, Any]


class Fleet:
    """The world of one test."""

    def __init__(self, namespace: Namespace, database: Database) -> None:
        self.namespace = namespace
        self.database = database
        database.execute(
            "CREATE TABLE fleet_applied (schema_name text, version int);"
            "CREATE TABLE tenants (name text PRIMARY KEY, labels text, active bool DEFAULT true)"
        )

    def prepare(self, tenants: int, files: Mapping[str, str] = FILES) -> None:
        """The tenants `t0`, `t1`, ... with a schema each, the Secret and the ConfigMap."""
        self.namespace.secret("fleet-db", url=self.database.url)
        self.write_files(files)
        if tenants:
            self.add(*(f"t{number}" for number in range(tenants)))

    def add(self, *names: str, labels: str = "") -> None:
        """More tenants, each with a schema."""
        self.database.execute(
            "".join(
                f"CREATE SCHEMA {name}; INSERT INTO tenants VALUES ('{name}', '{labels}');"
                for name in names
            )
        )

    def prepare_many(self, names: list[str]) -> None:
        """The same for thousands of tenants: a transaction for each few of them."""
        self.prepare(0)
        for start in range(0, len(names), 500):
            self.add(*names[start : start + 500])

    def write_files(self, files: Mapping[str, str]) -> None:
        """The ConfigMap, with these files and no others."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fleet-files"}}
        self.namespace.apply({**body, "data": dict(files)})

    def order_too_many_failures(self, shards: int) -> None:
        """A wave of gated Pods that fails early: a tenant for each, of which two are dirty and one
        may fail."""
        names = one_of_each_shard(shards)
        self.prepare(0, GATED)
        self.add(*names)
        for name in names[:2]:
            self.database.execute(
                f"CREATE TABLE {name}.schema_migrations (version bigint PRIMARY KEY, dirty bool);"
                f"INSERT INTO {name}.schema_migrations VALUES (1, true)"
            )
        self.order(
            waves=[{"name": "all", "parallelism": shards, "maxFailures": 1}],
            shardSize=1,
            template={"retry": {"limit": 0}},
        )

    def break_tenants(self, *names: str) -> None:
        """Rows that the second file does not allow."""
        for name in names:
            self.database.execute(
                f"SET search_path TO {name}; CREATE TABLE orders (id int PRIMARY KEY, total int);"
                "INSERT INTO orders VALUES (1, -5);"
                "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty bool NOT NULL);"
                "INSERT INTO schema_migrations VALUES (1, false)"
            )

    def order(self, **spec: Any) -> Document:
        """Apply the set."""
        (applied,) = self.namespace.apply(self.manifest(**spec))
        return applied

    def manifest(self, name: str = NAME, **spec: Any) -> Document:
        """The set as a team would write it, with quick retries."""
        retry = {"initialDelay": "500ms", "maxDelay": "1s"}
        template = {"source": {"configMaps": [{"name": "fleet-files"}]}, "retry": retry}
        return {
            "apiVersion": "dbmigrate.dev/v1alpha1",
            "kind": "DatabaseMigrationSet",
            "metadata": {"name": name},
            "spec": {
                "template": {**template, **spec.pop("template", {})},
                "database": {"urlFrom": {"secretKeyRef": {"name": "fleet-db", "key": "url"}}},
                "targets": {"query": {"sql": QUERY}},
                "results": {"table": "public.fleet_results"},
                **spec,
            },
        }

    def act(self, action: str, name: str = "act", **more: str) -> None:
        """Apply a MigrationAction."""
        self.namespace.apply(
            {
                "apiVersion": "dbmigrate.dev/v1alpha1",
                "kind": "MigrationAction",
                "metadata": {"name": name},
                "spec": {"set": NAME, "action": action, **more},
            }
        )

    def wait(
        self, predicate: Callable[[Document], object], *, deadline: float = DEADLINE
    ) -> Document:
        """The set once the predicate holds."""
        return self.namespace.wait("dbmset", NAME, predicate, deadline=deadline)

    def wait_ready(self, *, deadline: float = DEADLINE) -> Document:
        """The set once its present generation is Ready."""
        return self.wait(is_ready, deadline=deadline)

    def wait_for_reason(self, reason: str) -> Document:
        """The set once Ready says this reason about the present generation."""

        def has_reason(resource: Document) -> bool:
            ready = condition(resource, "Ready")
            return is_observed(resource) and ready.get("reason") == reason

        return self.wait(has_reason)

    def open_gate(self) -> None:
        """Let the held runs go on."""
        self.database.execute("INSERT INTO gate VALUES (true)")

    def wait_for_work(self) -> None:
        """Return when a run stands at the gate."""
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%FROM public.gate)%' "
            "AND state = 'active'"
        )
        eventually(lambda: self.database.query(statement)[0][0], what="a run at the gate")

    def applied(self) -> list[tuple[str, int]]:
        """The schemas and versions that were applied, sorted, as often as they were."""
        return sorted(self.database.query("SELECT schema_name, version FROM fleet_applied"))

    def outcomes(self) -> dict[str, int]:
        """The counts of the table of results."""
        return dict(
            self.database.query("SELECT outcome, count(*) FROM fleet_results GROUP BY outcome")
        )

    def failed_names(self) -> list[str]:
        """The targets that have failed, by the table of results."""
        rows = self.database.query("SELECT name FROM fleet_results WHERE outcome = 'failed'")
        return sorted(name for (name,) in rows)

    def count_versions(self, names: list[str]) -> tuple[int, int]:
        """How many histories are at 2, and how many at 1, as the histories themselves say."""
        found: list[int] = []
        for start in range(0, len(names), 500):
            part = " UNION ALL ".join(
                f"SELECT version FROM {name}.schema_migrations WHERE NOT dirty"
                for name in names[start : start + 500]
            )
            found += [version for (version,) in self.database.query(part)]
        return found.count(2), found.count(1)

    def jobs(self) -> list[Document]:
        """All Jobs of the namespace."""
        return self.namespace.list("job")


def every(names: list[str], *versions: int) -> list[tuple[str, int]]:
    """Each of these versions applied once in each of the schemas."""
    return sorted((name, version) for name in names for version in versions)


def totals(resource: Document) -> Document:
    """The counts of the status."""
    found: Document = resource["status"]["targets"]
    return found


def phases(resource: Document) -> list[str]:
    """The phases of the waves."""
    return [wave["phase"] for wave in resource["status"]["waves"]]


def one_of_each_shard(count: int) -> list[str]:
    """Names of targets of which no two are in one of so many shards."""
    found: dict[int, str] = {}
    for number in range(1000):
        found.setdefault(hash_name(f"t{number}") % count, f"t{number}")
    return sorted(found.values())
