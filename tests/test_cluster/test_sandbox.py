"""What a container may and may not do to the machine."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cluster import Cluster, Namespace
from tests.test_cluster.pods import HARDENED, container, output, pod

pytestmark = pytest.mark.cluster


def test_the_root_is_read_only_and_tmp_is_not_there_to_write(namespace: Namespace) -> None:
    script = "for d in / /etc /tmp /usr; do touch $d/x 2>/dev/null && echo wrote $d; done; true"
    assert output(namespace, pod(container(script))) == ""


def test_without_a_read_only_root_tmp_can_be_written(namespace: Namespace) -> None:
    script = "touch /tmp/x && ls /tmp; touch /etc/x 2>/dev/null && echo wrote /etc; true"
    soft = HARDENED | {"readOnlyRootFilesystem": False}
    # Beside x there may be the way to the checkout, if that lies below /tmp.
    said = output(namespace, pod(container(script, securityContext=soft)))
    assert "x" in said.splitlines()
    assert "wrote" not in said


def test_the_process_is_the_user_that_the_pod_asks_for_without_capabilities(
    namespace: Namespace,
) -> None:
    # The doubled dollar signs are for Kubernetes, which reads $$ as one.
    script = "id -u; id -g; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; echo $$$$"
    security = HARDENED | {"runAsUser": 1234, "runAsGroup": 5678}
    said = output(namespace, pod(container(script, securityContext=security))).split()
    assert said == ["1234", "5678", "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "1"]


def test_a_process_left_behind_ends_with_its_container(namespace: Namespace) -> None:
    said = output(namespace, pod(container("sleep 600 & echo started")))
    assert said == "started\n"


def test_commands_of_an_image_run_programs_of_this_machine(
    cluster: Cluster, namespace: Namespace
) -> None:
    command = [sys.executable, "-c", "import os, sys; print(os.getpid(), sys.argv[1:])"]
    cluster.node.images.register("with:command", commands={"tell": command})
    tells = container("", image="with:command") | {"command": ["tell"], "args": ["a b", "$x"]}
    assert output(namespace, pod(tells)) == "1 ['a b', '$x']\n"


def test_a_volume_over_the_checkout_does_not_hide_an_images_programs(
    cluster: Cluster, namespace: Namespace
) -> None:
    cluster.node.images.register("under:volume", commands={"tell": [sys.executable, "-V"]})
    top = "/" + sys.prefix.split(os.sep)[1]
    covered = container("", image="under:volume") | {"command": ["tell"]}
    covered["volumeMounts"] = [{"name": "over", "mountPath": top}]
    volumes = [{"name": "over", "emptyDir": {}}]
    assert output(namespace, pod(covered, volumes=volumes)).startswith("Python 3")
