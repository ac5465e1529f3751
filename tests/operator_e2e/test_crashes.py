"""The operator killed, doubled, cut off; Jobs deleted and evicted: the same end, applied once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.proxy import Call, Fault, Proxy
from tests.operator_e2e.shop import FILES, GATED, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def assert_migrated_once(shop: Shop) -> None:
    resource = shop.wait_ready()
    status = resource["status"]
    assert (status["version"], status["dirty"], status["pending"]) == ("2", False, 0)
    assert shop.applied() == [1, 2]
    assert shop.reasons().count("Applied") <= 1


def test_killed_before_the_job_is_created(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    first = make_operator(proxied)
    proxy.judge = lambda call: Fault(before=first.kill) if is_job_creation(call) else None
    shop.prepare()
    shop.order()
    first.start()
    eventually(lambda: not first.is_running)
    assert shop.jobs() == []
    make_operator().start()
    assert_migrated_once(shop)
    assert len(shop.jobs()) == 1


def test_killed_after_the_job_is_created_and_before_it_heard_of_it(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    first = make_operator(proxied)
    proxy.judge = lambda call: Fault(after=first.kill) if is_job_creation(call) else None
    shop.prepare()
    shop.order()
    first.start()
    eventually(lambda: not first.is_running)
    make_operator().start()
    assert_migrated_once(shop)
    assert len(shop.jobs()) == 1


def test_killed_while_the_job_is_at_work(shop: Shop, make_operator: StartOperator) -> None:
    first = make_operator().start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    first.kill()
    shop.open_gate()
    make_operator().start()
    assert_migrated_once(shop)
    assert len(shop.jobs()) == 1


def test_killed_after_the_job_has_ended_and_before_the_status_is_written(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    first = make_operator(proxied)
    patches: list[Call] = []

    def kill_at_second_status(call: Call) -> Fault | None:
        if call.method == "PATCH":
            patches.append(call)
        return Fault(before=first.kill) if len(patches) == 2 else None

    proxy.judge = kill_at_second_status
    shop.prepare()
    shop.order()
    first.start()
    eventually(lambda: not first.is_running)
    assert condition(shop.namespace.get("dbm", "shop"), "Ready")["reason"] == "Running"
    make_operator().start()
    assert_migrated_once(shop)
    assert len(shop.jobs()) == 1


def test_the_report_lost_with_its_pod_is_replaced_by_asking_the_database(
    shop: Shop, make_operator: StartOperator
) -> None:
    first = make_operator().start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    first.kill()
    shop.open_gate()
    job = shop.jobs()[0]["metadata"]["name"]
    shop.namespace.wait("job", job, lambda j: j.get("status", {}).get("succeeded"))
    (pod,) = shop.namespace.list("pod")
    shop.namespace.delete("pod", pod["metadata"]["name"])
    shop.namespace.wait_until_gone("pod", pod["metadata"]["name"])
    make_operator().start()
    assert_migrated_once(shop)
    commands = [j["metadata"]["labels"]["dbmigrate.dev/command"] for j in shop.jobs()]
    assert sorted(commands) == ["goto", "status"]


def test_a_job_deleted_by_hand_is_followed_by_another_when_its_pod_has_ended(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    job = shop.jobs()[0]["metadata"]["name"]
    shop.namespace.delete("job", job)
    shop.namespace.wait_until_gone("job", job)
    # Its Pod may still be at work on what it has begun: nothing starts beside it.
    shop.open_gate()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_two_operators_by_mistake_do_what_one_does(
    shop: Shop, make_operator: StartOperator
) -> None:
    operators = [make_operator().start(), make_operator().start()]
    shop.prepare()
    shop.order()
    assert_migrated_once(shop)
    assert len(shop.jobs()) == 1
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert shop.applied() == [1, 2, 3]
    assert len(shop.jobs()) == 2
    assert all(operator.is_running for operator in operators)


def test_a_run_past_its_deadline_is_interrupted_and_tried_again(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare(GATED)
    # The pause before the next run is when the status says Interrupted: long enough to be seen.
    shop.order(timeouts={"deadline": "2h"}, retry={"initialDelay": "5s", "maxDelay": "5s"})
    shop.wait_for_work()
    (job,) = shop.jobs()
    assert job["spec"]["activeDeadlineSeconds"] == 7200
    # It is brought forward once the run is at work, however long that has taken.
    past = {"spec": {"activeDeadlineSeconds": 1}}
    shop.namespace.patch("job", job["metadata"]["name"], past)
    resource = shop.wait_for_reason("Interrupted")
    assert condition(resource, "Stalled")["status"] == "False"
    assert shop.applied() == [1]
    shop.open_gate()
    assert_migrated_once(shop)
    assert operator.is_running


def is_job_creation(call: Call) -> bool:
    return call.method == "POST" and call.path.endswith("/jobs")


def test_sigterm_ends_the_operator_without_a_traceback(
    shop: Shop, make_operator: StartOperator
) -> None:
    operator = make_operator().start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    assert operator.stop() == 0
    assert "raceback" not in operator.read_log()
    make_operator().start()
    shop.open_gate()
    assert_migrated_once(shop)
