"""The reports of Pods are kept until they are counted, in whatever order a Job and its Pods go."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any, cast

import pytest

from dbmigrate.api.names import JOB_NAME_LABEL, SET_UID_LABEL
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.fleet.watch import EVENT_DELAY, SetWatch
from dbmigrate.controller.watches.work_queue import WorkQueue
from tests.unit.controller.fleet.test_starting import build_with
from tests.unit.controller.fleet.world import make_set
from tests.unit.controller.resources import NOW, UID

pytestmark = pytest.mark.quick

SHARDS = ("a", "b")
GONE = "the Job is gone"
# Of one stream the order holds: a Pod ends before it goes.
EVENTS = (GONE, *(f"{pod} {what}" for pod in SHARDS for what in ("has ended", "is gone")))
ORDERS = [
    order
    for order in permutations(EVENTS)
    if all(order.index(f"{pod} has ended") < order.index(f"{pod} is gone") for pod in SHARDS)
]


class Wakes:
    """A queue that takes no notice."""

    def wake(self, key: tuple[str, str], *, fresh: bool = False) -> None:
        del key, fresh


def job_body() -> dict[str, Any]:
    resource = make_set()
    body = build_with()(resource, FleetOrder("intent", 1, 1, wave=resource.spec.waves[0]))
    body["metadata"] |= {"uid": "job", "creationTimestamp": "2026-11-24T12:00:00Z"}
    return body


JOB = job_body()
NAME = JOB["metadata"]["name"]


def pod_body(name: str, *, has_ended: bool) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 1, "message": f"the report of {name}"}}
    state = ended if has_ended else {"running": {"startedAt": "2026-11-24T12:00:01Z"}}
    return {
        "metadata": {
            "namespace": "team",
            "name": name,
            "uid": name,
            "labels": {SET_UID_LABEL: UID, JOB_NAME_LABEL: NAME},
        },
        "status": {
            "phase": "Failed" if has_ended else "Running",
            "containerStatuses": [{"name": "dbmigrate", "state": state}],
        },
    }


def make_watch() -> SetWatch:
    watch = SetWatch(cast(WorkQueue, Wakes()))
    watch.on_job(JOB, is_gone=False)
    for name in SHARDS:
        watch.on_pod(pod_body(name, has_ended=False), is_gone=False)
    return watch


def tell(watch: SetWatch, event: str) -> None:
    pod, _, what = event.partition(" ")
    if event == GONE:
        watch.on_job(JOB, is_gone=True)
    else:
        watch.on_pod(pod_body(pod, has_ended=True), is_gone=what == "is gone")


def reports(watch: SetWatch) -> set[str]:
    _, pods = watch.find(UID)
    return {each.pod.ended.message for each in pods if each.pod.ended is not None}


@pytest.mark.parametrize("listed", range(len(EVENTS) + 1))
@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_a_job_stays_until_its_pods_have_told_and_their_reports_until_they_are_counted(
    order: tuple[str, ...], listed: int
) -> None:
    """`listed`: before that event a list of the API server has neither the Job nor a Pod."""
    watch = make_watch()
    for number, event in enumerate(order):
        if number == listed:
            watch.replace(UID, [], [], NOW)
        tell(watch, event)
        ended = sum(f"{pod} has ended" in order[: number + 1] for pod in SHARDS)
        jobs, _ = watch.find(UID)
        assert len(reports(watch)) == ended
        assert jobs or ended == len(SHARDS)
    watch.replace(UID, [], [], NOW)
    assert watch.find(UID)[0] == ()
    watch.release(UID, [NAME])
    assert reports(watch) == {"the report of a", "the report of b"}
    watch.release(UID, [])
    assert watch.find(UID) == ((), ())
    # An event that comes late brings nothing back.
    tell(watch, "a is gone")
    assert watch.find(UID) == ((), ())


def test_an_event_that_never_comes_is_not_waited_for_without_end() -> None:
    watch = make_watch()
    watch.replace(UID, [], [], NOW)
    watch.replace(UID, [], [], NOW + EVENT_DELAY)
    jobs, _ = watch.find(UID)
    assert [job.is_deleting for job in jobs] == [True]
    watch.replace(UID, [], [], NOW + EVENT_DELAY + timedelta(seconds=1))
    jobs, pods = watch.find(UID)
    assert jobs == ()
    assert all(each.pod.is_gone for each in pods)


def test_a_pod_that_a_later_list_has_again_is_not_missing() -> None:
    watch = make_watch()
    watch.replace(UID, [JOB], [], NOW)
    bodies = [pod_body(name, has_ended=False) for name in SHARDS]
    watch.replace(UID, [JOB], bodies, NOW + EVENT_DELAY)
    watch.replace(UID, [JOB], [], NOW + 2 * EVENT_DELAY)
    _, pods = watch.find(UID)
    assert [each.pod.is_gone for each in pods] == [False, False]
