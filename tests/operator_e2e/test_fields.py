"""Fields of the resource that need the real parts: connections, TLS, claims, limits, the Job."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cluster.waiting import eventually
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_a_connection_by_its_parts_with_user_and_password_from_a_secret(
    shop: Shop, operator: Operator
) -> None:
    role = shop.database.create_role(password="p'ss w\\rd/@")
    shop.database.execute(f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON applied TO {role}")
    shop.write_files(FILES)
    shop.namespace.secret("shop-login", user=role, password="p'ss w\\rd/@")
    connection = {
        "host": shop.database.server.host,
        "port": shop.database.server.port,
        "dbname": shop.database.name,
        "userFrom": {"secretKeyRef": {"name": "shop-login", "key": "user"}},
        "passwordFrom": {"secretKeyRef": {"name": "shop-login", "key": "password"}},
    }
    shop.order(database={"connection": connection, "historyTable": "public.shop_history"})
    shop.wait_ready()
    assert shop.database.query("SELECT version, dirty FROM shop_history") == [(2, False)]
    assert shop.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
    assert operator.is_running


def test_gooses_files_go_on_in_gooses_table(shop: Shop, operator: Operator) -> None:
    def file(number: int) -> str:
        return (
            "-- +goose Up\n-- +goose ENVSUB ON\n"
            f"INSERT INTO applied VALUES (${{BASE}} + {number});\n"
            f"-- +goose Down\nDELETE FROM applied WHERE version = 10 + {number};\n"
        )

    shop.prepare({"00001_a.sql": file(1), "00003_c.sql": file(3)})
    shop.order(job={"env": [{"name": "BASE", "value": "10"}]})
    assert shop.wait_ready()["status"]["version"] == "3"
    assert shop.applied() == [11, 13]
    shop.write_files({f"0000{n}_x.sql": file(n) for n in (1, 2, 3)})
    late = shop.wait_for_reason("OutOfOrder")
    assert "2 (x)" in condition(late, "Ready")["message"]
    shop.order(job={"env": [{"name": "BASE", "value": "10"}]}, outOfOrder="Apply")
    shop.wait_ready()
    assert shop.applied() == [11, 13, 12]
    rows = shop.database.query("SELECT version_id FROM goose_db_version ORDER BY id")
    assert rows == [(0,), (1,), (3,), (2,)]
    assert operator.is_running


def test_atlas_files_go_on_in_atlas_table(shop: Shop, operator: Operator, tmp_path: Path) -> None:
    def files(*numbers: int) -> dict[str, str]:
        """With the atlas.sum that stands beside them."""
        texts = {f"2024010{n}_x.sql": f"INSERT INTO applied VALUES ({n});\n" for n in numbers}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        total = renew_sum(tmp_path, Format.ATLAS)
        return {**texts, total.name: total.read_text()}

    shop.prepare(files(1, 2))
    shop.order()
    assert shop.wait_ready()["status"]["version"] == "20240102"
    broken = {**files(1, 2, 3), "20240102_x.sql": "DROP TABLE applied;\n"}
    shop.write_files(broken)
    refused = shop.wait_for_reason("ChecksumMismatch")
    assert "L3: 20240102_x.sql was edited" in condition(refused, "Ready")["message"]
    shop.write_files(files(1, 2, 3))
    shop.wait(lambda resource: resource["status"].get("version") == "20240103")
    assert shop.applied() == [1, 2, 3]
    rows = shop.database.query(
        "SELECT version, applied, total FROM atlas_schema_revisions.atlas_schema_revisions"
        " ORDER BY 1"
    )
    assert rows == [("20240101", 1, 1), ("20240102", 1, 1), ("20240103", 1, 1)]
    assert operator.is_running


def test_flyways_files_have_dotted_versions_and_repeatable_scripts(
    shop: Shop, operator: Operator
) -> None:
    files = {f"V1.{n}__v.sql": f"INSERT INTO applied VALUES ({n});" for n in (1, 9, 10)}
    undo = {"U1.10__v.sql": "DELETE FROM applied WHERE version = 10;"}
    again = {
        "R__r.sql": "DELETE FROM applied WHERE version > 99; INSERT INTO applied VALUES (100);"
    }
    # The database holds tables already: Flyway begins there by its settings alone.
    conf = {"flyway.conf": "flyway.baselineOnMigrate=true\nflyway.baselineVersion=0\n"}
    shop.prepare({**files, **undo, **again, **conf})
    source = {"configMaps": [{"name": "shop-migrations"}], "format": "flyway"}
    shop.order(source=source, target="1.9.0")
    assert shop.wait_ready()["status"]["version"] == "1.9"
    assert shop.applied() == [1, 9, 100]
    shop.order(source=source)
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "1.10")
    shop.order(source=source, target="1.9", rollback="Allow")
    resource = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "1.9")
    newest = resource["status"]["history"][0]
    assert (newest["version"], newest["direction"]) == ("1.10", "down")
    assert shop.applied() == [1, 9, 100]
    rows = shop.database.query("SELECT version, type FROM flyway_schema_history ORDER BY 1, 2")
    assert rows == [
        ("0", "BASELINE"),
        ("1.1", "SQL"),
        ("1.10", "DELETE"),
        ("1.10", "SQL"),
        ("1.9", "SQL"),
        (None, "SQL"),
    ]
    assert operator.is_running


def test_a_named_format_is_the_one_that_is_read(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    text = "-- migrate:up\nINSERT INTO applied VALUES (1);\n-- migrate:down\n"
    shop.order(source={"inline": {"001_a.sql": text}, "format": "dbmate"})
    assert shop.wait_ready()["status"]["version"] == "1"
    assert shop.database.query("SELECT version FROM schema_migrations") == [("001",)]
    (job,) = shop.jobs()
    (runner,) = job["spec"]["template"]["spec"]["containers"]
    line = " ".join([*runner.get("command", []), *runner["args"]])
    assert "-format dbmate" in line
    assert operator.is_running


def test_finished_jobs_beyond_the_limit_are_deleted(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(history={"successful": 1, "failed": 1})
    shop.wait_ready()
    first = shop.jobs()[0]["metadata"]["name"]
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    shop.namespace.wait_until_gone("job", first)
    eventually(lambda: len(shop.jobs()) == 1, what="one Job")
    history = shop.namespace.get("dbm", "shop")["status"]["history"]
    assert [step["version"] for step in history] == ["3", "2", "1"]
    assert operator.is_running


def test_options_of_the_job_reach_its_pod_and_the_database(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.namespace.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "migrator"}}
    )
    shop.order(
        job={
            "serviceAccountName": "migrator",
            "labels": {"team": "shop"},
            "annotations": {"sidecar.istio.io/inject": "false"},
            "env": [{"name": "PGAPPNAME", "value": "shop-migration"}],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "128Mi"}},
        }
    )
    shop.wait_ready()
    (pod,) = shop.namespace.list("pod")
    assert pod["spec"]["serviceAccountName"] == "migrator"
    assert pod["metadata"]["labels"]["team"] == "shop"
    assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"
    assert not [v for v in pod["spec"]["volumes"] if "serviceAccountToken" in str(v)]
    assert operator.is_running


def test_out_of_order_and_changed_files_are_decided_by_the_resource(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare({**FILES, **THIRD})
    shop.order()
    shop.wait_ready()
    late = {"000002_add_price.up.sql": FILES["000002_add_price.up.sql"] + "-- edited\n"}
    shop.write_files({**FILES, **THIRD, **late})
    refused = shop.wait_for_reason("ChecksumMismatch")
    assert condition(refused, "Stalled")["status"] == "True"
    assert "000002_add_price.up.sql" in condition(refused, "Ready")["message"]
    shop.order(changedFiles="Warn")
    shop.wait_ready()
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running
