"""What a container's environment and command line are made of."""

from __future__ import annotations

import pytest

from tests.cluster import Namespace
from tests.cluster.node.environment import expand
from tests.test_cluster.pods import container, has_ended, is_waiting, output, pod, state

pytestmark = pytest.mark.cluster


def test_the_environment_has_values_keys_whole_objects_and_fields(namespace: Namespace) -> None:
    namespace.secret("login", user="anna", password="p$(x)")
    namespace.config_map("options", {"mode": "fast", "colour": "red"})
    env = [
        {"name": "PLAIN", "value": "one"},
        {"name": "USER", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
        {"name": "URL", "value": "db://$(USER):$(SECRET)@$(NOBODY)/$$(USER)"},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "options", "key": "mode"}}},
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {
            "name": "ABSENT",
            "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": True}},
        },
    ]
    sources = [{"prefix": "ALL_", "configMapRef": {"name": "options"}}]
    lines = output(namespace, pod(container("env", env=env, envFrom=sources))).splitlines()
    assert {"PLAIN=one", "USER=anna", "MODE=fast", "ME=pod", "HOSTNAME=pod"} <= set(lines)
    assert "URL=db://anna:p$(x)@$(NOBODY)/$(USER)" in lines
    assert {"ALL_mode=fast", "ALL_colour=red"} <= set(lines)
    assert not any(line.startswith("ABSENT=") for line in lines)


def test_command_and_arguments_take_variables(namespace: Namespace) -> None:
    said = container("", env=[{"name": "WORD", "value": "hello"}])
    said |= {"command": ["echo", "$(WORD)"], "args": ["$(WORD) world", "$$(WORD)"]}
    assert output(namespace, pod(said)) == "hello hello world $(WORD)\n"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("$A", "$A"), ("$$$(A)", "$1")],
)
def test_references_expand_as_the_kubelet_has_it(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_a_missing_secret_is_named_and_heals_when_it_appears(namespace: Namespace) -> None:
    source = {"secretKeyRef": {"name": "late", "key": "url"}}
    namespace.apply(pod(container("echo $URL", env=[{"name": "URL", "valueFrom": source}])))
    waiting = namespace.wait("pod", "pod", lambda p: is_waiting(p, "CreateContainerConfigError"))
    assert state(waiting)["waiting"]["message"] == 'secret "late" not found'

    namespace.secret("late", other="x")
    message = f"couldn't find key url in Secret {namespace.name}/late"
    namespace.wait("pod", "pod", lambda p: state(p)["waiting"].get("message") == message)

    namespace.secret("late", url="here")
    ended = namespace.wait("pod", "pod", has_ended)
    assert ended["status"]["phase"] == "Succeeded"
    assert namespace.cluster.node.logs(namespace.name, "pod", "main") == "here\n"
