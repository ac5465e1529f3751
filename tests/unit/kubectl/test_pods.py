"""Which Pod and which container has something to say."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.kubectl.pods import choose_pod, pods_of, read_pod

pytestmark = pytest.mark.quick

RUNNING = {"running": {"startedAt": "2026-11-24T12:00:00Z"}}
FAILED = {"terminated": {"exitCode": 1}}
DONE = {"terminated": {"exitCode": 0}}
PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}


def make_pod(
    name: str = "p", *, command: str = "goto", minute: int = 0, job: str = "j", **status: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "team",
            "creationTimestamp": f"2026-11-24T12:{minute:02}:00Z",
            "labels": {
                "dbmigrate.dev/command": command,
                "batch.kubernetes.io/job-name": job,
            },
        },
        "spec": {"containers": [{"name": "dbmigrate"}]},
        "status": {"phase": "Running", **status},
    }


def make_container(state: dict[str, Any], name: str = "dbmigrate") -> list[dict[str, Any]]:
    return [{"name": name, "state": state}]


def test_the_newest_pod_is_chosen_but_no_routine_question_beside_a_run() -> None:
    pods = [
        make_pod("old", minute=1),
        make_pod("new", minute=2),
        make_pod("asked", command="status", minute=3),
    ]
    chosen = choose_pod(pods, None)
    assert chosen is not None
    assert chosen.name == "new"
    alone = choose_pod(pods[2:], None)
    assert alone is not None
    assert alone.name == "asked"
    assert choose_pod([], None) is None


def test_a_job_that_was_named_is_kept_to() -> None:
    pods = [make_pod("a", job="one"), make_pod("b", job="two", minute=5)]
    chosen = choose_pod(pods, "one")
    assert chosen is not None
    assert chosen.name == "a"
    assert choose_pod(pods, "three") is None


def test_an_init_container_that_failed_has_the_word() -> None:
    failed = make_container(FAILED, "copy-migrations")
    waiting = make_container({"waiting": {"reason": "PodInitializing"}})
    pod = read_pod(make_pod(initContainerStatuses=failed, containerStatuses=waiting))
    assert (pod.container, pod.has_log) == ("copy-migrations", True)
    done = make_container(DONE, "copy-migrations")
    pod = read_pod(make_pod(initContainerStatuses=done, containerStatuses=make_container(RUNNING)))
    assert (pod.container, pod.has_log) == ("dbmigrate", True)


def test_a_scratch_server_that_was_killed_at_the_end_has_not() -> None:
    status: dict[str, Any] = {
        "initContainerStatuses": make_container({"terminated": {"exitCode": 137}}, "rehearsal"),
        "containerStatuses": make_container(FAILED),
    }
    assert read_pod(make_pod(**status)).container == "dbmigrate"


def test_why_there_is_no_log_yet_is_said() -> None:
    pod = read_pod(make_pod(containerStatuses=make_container(PULLING)))
    assert (pod.has_log, pod.waiting) == (False, "ImagePullBackOff: no such image")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod = read_pod(make_pod(conditions=[{**condition, "message": "no node"}]))
    assert (pod.has_log, pod.waiting) == (False, "Unschedulable: no node")
    assert read_pod(make_pod()).waiting == "it has not started yet"


def test_pods_are_found_by_the_resources_uid() -> None:
    collection = pods_of("team", "u1")
    assert collection.path == "/api/v1/namespaces/team/pods"
    assert collection.query == {"labelSelector": "dbmigrate.dev/migration-uid=u1"}
