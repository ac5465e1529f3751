"""What a fleet with nothing to do costs, and that one locked schema costs the others nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import run_here, write_scripts
from tests.database.proxy import Proxy
from tests.database.server import Database, Server
from tests.fleet.arrange import FIRST, SECOND, documents, fleet, make_schemas, write_list

pytestmark = pytest.mark.database

VERBS = ("up", "status", "plan", "verify", "wait")
CONNECTING = 1
"""Round trips of a login without TLS and without a password."""


def test_many_schemas_with_nothing_to_do_are_read_together(
    database: Database, tmp_path: Path
) -> None:
    names = [f"t{n}" for n in range(40)]
    make_schemas(database, names)
    files = write_scripts(tmp_path / "files", FIRST | SECOND)
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
    args = ("-targets", str(targets), "-concurrency", "2")
    assert fleet(database, files, "up", *args).code == 0
    with closing(Proxy(database.server.host, database.server.port)) as proxy:
        for verb in VERBS:
            before = proxy.round_trips
            assert fleet(proxy.divert(database.url), files, verb, *args).code == 0
            # Two connections, each with a question for the server's size, two for its schemas,
            # and the log that stands for all.
            assert proxy.round_trips - before <= 2 * (CONNECTING + 4), verb


def test_a_database_with_nothing_to_do_costs_two_round_trips(
    server: Server, tmp_path: Path
) -> None:
    databases = [server.create_database() for _ in range(3)]
    files = write_scripts(tmp_path / "files", FIRST)
    rows = [{"name": each.name, "dbname": each.name} for each in databases]
    targets = write_list(tmp_path / "t.json", rows)
    with closing(Proxy(server.host, server.port)) as proxy:
        url = proxy.divert(databases[0].url)
        assert fleet(url, files, "up", "-targets", str(targets)).code == 0
        before = proxy.round_trips
        assert fleet(url, files, "up", "-targets", str(targets)).code == 0
        assert proxy.round_trips - before <= len(databases) * (CONNECTING + 2)
    for each in databases:
        each.drop()


@pytest.mark.parametrize("table", ["schema_migrations", "schema_migrations_log"])
def test_a_history_that_somebody_has_locked_holds_up_its_own_target_alone(
    database: Database, tmp_path: Path, table: str
) -> None:
    names = [f"t{n}" for n in range(20)]
    make_schemas(database, names)
    files = write_scripts(tmp_path / "files", FIRST)
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
    assert fleet(database, files, "up", "-targets", str(targets)).code == 0
    with database.connect() as holder:
        holder.execute("BEGIN")
        holder.execute(f"LOCK TABLE t7.{table} IN ACCESS EXCLUSIVE MODE".encode())
        ran = run_here(
            "-path", str(files), "-database", database.url, "-lock-timeout", "1",
            "fleet", "status", "-targets", str(targets), "-json",
        )  # fmt: skip
    outcomes = {line["target"]: line["error"] for line in documents(ran)[:-1]}
    assert ran.code == 1
    assert outcomes.pop("t7")["reason"] == "BlockedByQuery"
    assert outcomes == dict.fromkeys(set(names) - {"t7"})
