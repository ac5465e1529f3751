"""How Pods end: exit codes, messages, restarts, deletion, eviction."""

from __future__ import annotations

import pytest

from tests.cluster import Cluster, Namespace
from tests.cluster.waiting import eventually
from tests.test_cluster.pods import container, has_ended, is_running, pod, run, state

pytestmark = pytest.mark.cluster
WAIT = "echo ready; while :; do sleep 0.05; done"
TRAP = f"trap 'echo stopping > /dev/termination-log; exit 7' TERM; {WAIT}"
STUBBORN = f"trap '' TERM; {WAIT}"


def wait_until_ready(namespace: Namespace, name: str = "pod") -> None:
    """Return when the container has said that it is."""
    node = namespace.cluster.node
    eventually(lambda: node.logs(namespace.name, name, "main"), what="the container's first line")
    namespace.wait("pod", name, is_running)


@pytest.mark.quick
def test_a_pod_that_succeeds_leaves_its_message(namespace: Namespace) -> None:
    ended = run(namespace, pod(container("printf done > /dev/termination-log")))
    terminated = state(ended)["terminated"]
    assert ended["status"]["phase"] == "Succeeded"
    assert (terminated["exitCode"], terminated["reason"]) == (0, "Completed")
    assert terminated["message"] == "done"
    assert terminated["startedAt"] <= terminated["finishedAt"]


def test_a_failure_has_its_exit_code_and_the_end_of_its_log(namespace: Namespace) -> None:
    script = "i=0; while [ $i -lt 200 ]; do echo line $i of many words; i=$((i+1)); done; exit 3"
    fields = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    ended = run(namespace, pod(container(script, **fields)))
    terminated = state(ended)["terminated"]
    assert ended["status"]["phase"] == "Failed"
    assert (terminated["exitCode"], terminated["reason"]) == (3, "Error")
    assert terminated["message"].endswith("line 199 of many words\n")
    assert len(terminated["message"]) <= 2048


def test_a_message_keeps_its_last_4096_bytes_at_its_own_path(namespace: Namespace) -> None:
    script = "head -c 5000 /dev/zero | tr '\\0' x > /run/message; printf end >> /run/message"
    ended = run(namespace, pod(container(script, terminationMessagePath="/run/message")))
    message = state(ended)["terminated"]["message"]
    assert len(message) == 4096
    assert message.endswith("xend")


def test_a_program_that_is_not_in_the_image_is_a_start_error(namespace: Namespace) -> None:
    missing = container("") | {"command": ["no-such-program"]}
    terminated = state(run(namespace, pod(missing)))["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (128, "StartError")
    assert 'exec: "no-such-program": executable file not found in $PATH' in terminated["message"]


def test_a_failed_init_container_ends_the_pod(namespace: Namespace) -> None:
    first = container("exit 4", name="first")
    ended = run(namespace, pod(container("true"), initContainers=[first]))
    assert ended["status"]["phase"] == "Failed"
    assert state(ended, "initContainerStatuses")["terminated"]["exitCode"] == 4
    assert state(ended)["waiting"]["reason"] == "PodInitializing"


def test_on_failure_starts_a_container_again_until_it_succeeds(namespace: Namespace) -> None:
    script = "test -e /state/once && exit 0; touch /state/once; exit 5"
    again = container(script, volumeMounts=[{"name": "state", "mountPath": "/state"}])
    volumes = [{"name": "state", "emptyDir": {}}]
    ended = run(namespace, pod(again, restartPolicy="OnFailure", volumes=volumes))
    status = ended["status"]["containerStatuses"][0]
    assert ended["status"]["phase"] == "Succeeded"
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 5


def test_deletion_sends_sigterm_and_the_pod_goes_when_the_process_has_gone(
    cluster: Cluster, namespace: Namespace
) -> None:
    # The finalizer holds the Pod, so that its last status can be read.
    document = pod(container(TRAP))
    document["metadata"]["finalizers"] = ["example.dev/look"]
    namespace.apply(document)
    wait_until_ready(namespace)
    namespace.delete("pod", "pod")
    ended = namespace.wait("pod", "pod", has_ended)
    terminated = state(ended)["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (7, "stopping\n")
    assert ended["status"]["phase"] == "Failed"
    namespace.patch("pod", "pod", {"metadata": {"finalizers": None}})
    namespace.wait_until_gone("pod", "pod")
    assert cluster.node.logs(namespace.name, "pod", "main") == "ready\n"


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(namespace: Namespace) -> None:
    document = pod(container(STUBBORN), terminationGracePeriodSeconds=1)
    document["metadata"]["finalizers"] = ["example.dev/look"]
    namespace.apply(document)
    wait_until_ready(namespace)
    namespace.delete("pod", "pod")
    ended = namespace.wait("pod", "pod", has_ended)
    assert state(ended)["terminated"]["exitCode"] == 137
    namespace.patch("pod", "pod", {"metadata": {"finalizers": None}})
    namespace.wait_until_gone("pod", "pod")


def test_an_evicted_pod_says_so(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(pod(container(TRAP)))
    wait_until_ready(namespace)
    cluster.node.evict(namespace.name, "pod")
    ended = namespace.wait("pod", "pod", has_ended)
    assert (ended["status"]["phase"], ended["status"]["reason"]) == ("Failed", "Evicted")
    conditions = {c["type"]: c for c in ended["status"]["conditions"]}
    assert conditions["DisruptionTarget"]["status"] == "True"
    assert conditions["DisruptionTarget"]["reason"] == "TerminationByKubelet"
    assert state(ended)["terminated"]["exitCode"] == 7


def test_a_pod_past_its_deadline_is_stopped(namespace: Namespace) -> None:
    ended = run(namespace, pod(container(TRAP), activeDeadlineSeconds=1))
    assert (ended["status"]["phase"], ended["status"]["reason"]) == ("Failed", "DeadlineExceeded")


def test_reports_wait_for_a_server_that_is_away(cluster: Cluster, namespace: Namespace) -> None:
    volumes = [{"name": "go", "emptyDir": {}}]
    script = "echo ready; until [ -e /go/on ]; do sleep 0.02; done; exit 6"
    waits = container(script, volumeMounts=[{"name": "go", "mountPath": "/go"}])
    namespace.apply(pod(waits, volumes=volumes))
    wait_until_ready(namespace)
    uid = namespace.get("pod", "pod")["metadata"]["uid"]
    cluster.control_plane.stop_apiserver()
    try:
        (cluster.node.directory / "pods" / uid / "volumes" / "go" / "on").touch()
    finally:
        cluster.control_plane.start_apiserver()
    ended = namespace.wait("pod", "pod", has_ended)
    assert state(ended)["terminated"]["exitCode"] == 6
