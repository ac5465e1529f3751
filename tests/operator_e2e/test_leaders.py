"""Several operators of one release: one works, and another takes its place when it dies."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections import Counter
from functools import partial
from typing import Any

import pytest

from dbmigrate.api.names import MIGRATION_LABEL
from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, is_ready
from tests.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.database, pytest.mark.timeout(600)]

RUNS, DEATHS = 50, 20


def lease_flags(shop: Shop) -> list[str]:
    return ["--lease", f"{shop.namespace.name}/dbmigrate-operator", "--lease-duration", "2s"]


def read_series(port: int) -> str:
    """What it tells Prometheus."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def leads(operator: Operator) -> bool:
    """Whether it works, by what it has logged last of it."""
    log = operator.read_log()
    return operator.is_running and log.rfind('"leading"') > log.rfind('"the lease was lost')


def find_leader(operators: list[Operator]) -> Operator:
    return eventually(lambda: [each for each in operators if leads(each)], what="a leader")[-1]


def test_the_leader_dies_twenty_times_during_fifty_runs_and_no_job_is_made_twice(
    shop: Shop, make_operator: StartOperator, installed: Cluster
) -> None:
    mark = installed.audit.mark()
    flags = lease_flags(shop)
    operators = [make_operator().start(*flags) for _ in range(3)]
    shop.write_files({"000001_once.up.sql": "INSERT INTO applied VALUES (1);\n"})
    urls = {f"u{n}": f"{shop.database.url}&x-migrations-table=m{n}" for n in range(RUNS)}
    shop.namespace.secret("shop-db", **urls)
    waiting = [f"r{n}" for n in range(RUNS)]
    for death in range(DEATHS):
        leader = find_leader(operators)
        share = waiting[: -(-len(waiting) // (DEATHS - death))]
        del waiting[: len(share)]
        before = len(shop.jobs())
        shop.namespace.apply([manifest(shop, name) for name in share])
        # It dies among its writes: Jobs are made, statuses are on their way.
        eventually(shop.jobs, partial(has_more, count=before), what="a Job")
        leader.kill()
        operators.remove(leader)
        operators.append(make_operator().start(*flags))
    assert not waiting
    for number in range(RUNS):
        shop.wait_ready(name=f"r{number}", deadline=120)
    assert shop.applied() == [1] * RUNS
    owners = Counter(job["metadata"]["labels"][MIGRATION_LABEL] for job in shop.jobs())
    assert owners == {f"r{number}": 1 for number in range(RUNS)}
    made = Counter(
        request.name
        for request in installed.audit.requests(since=mark)
        if (request.verb, request.resource, request.code) == ("create", "jobs", 201)
    )
    # The answer to a request of an operator that dies meanwhile is not always recorded.
    assert set(made) <= {job["metadata"]["name"] for job in shop.jobs()}
    assert set(made.values()) == {1}


def has_more(jobs: list[dict[str, Any]], *, count: int) -> bool:
    """Whether there are more than that many."""
    return len(jobs) > count


def manifest(shop: Shop, name: str) -> dict[str, Any]:
    """One of the fifty: a history table of its own in the test's database."""
    reference = {"secretKeyRef": {"name": "shop-db", "key": f"u{name.removeprefix('r')}"}}
    return shop.manifest(name, database={"urlFrom": reference})


def test_a_leader_that_was_stopped_writes_nothing_when_it_goes_on(
    shop: Shop, make_operator: StartOperator
) -> None:
    ports = [free_port(), free_port()]
    operators = [make_operator() for _ in ports]
    for operator, port in zip(operators, ports, strict=True):
        operator.start(*lease_flags(shop), "--metrics", f"127.0.0.1:{port}")
    leader = find_leader(operators)
    (standby,) = [each for each in operators if each is not leader]
    shop.prepare()
    shop.order()
    shop.wait_ready()
    assert "dbmigrate_migration_info" in read_series(ports[operators.index(leader)])
    series = read_series(ports[operators.index(standby)])
    assert "dbmigrate_migration_info" not in series
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        eventually(lambda: leads(standby), what="the other one leads")
        shop.write_files({**FILES, **THIRD})
        shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
        jobs = len(shop.jobs())
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    eventually(lambda: not leads(leader), what="the first one stands by")
    eventually(
        lambda: "dbmigrate_migration_info" not in read_series(ports[operators.index(leader)]),
        what="its series are gone",
    )
    assert leads(standby)
    assert len(shop.jobs()) == jobs
    # One that is told to stop gives the Lease up: the other need not wait for its end.
    assert standby.stop() == 0
    assert "was not given up" not in standby.read_log()
    eventually(lambda: leads(leader), what="the first one leads again")
    lease = shop.namespace.get("lease", "dbmigrate-operator")
    assert lease["spec"]["leaseTransitions"] >= 2
