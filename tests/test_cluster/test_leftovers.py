"""Nothing is left of a cluster whose tests were killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.cluster.scratch import remove_abandoned
from tests.cluster.waiting import eventually

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
PROGRAM = """
from tests.cluster import Cluster
from tests.test_cluster.pods import IMAGE, container, pod

cluster = Cluster.start()
cluster.node.images.register(IMAGE)
namespace = cluster.namespace()
namespace.apply(pod(container("exec sleep 987654")))
namespace.wait("pod", "pod", lambda document: document["status"]["phase"] == "Running")
print(cluster.directory, flush=True)
input()
"""


def test_killed_tests_leave_nothing_behind(cluster: Cluster) -> None:
    assert cluster.is_own
    tests = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with tests:
        directory = tests.stdout.readline().strip() if tests.stdout else ""
        assert directory
        assert len(_processes_with(directory)) >= 4
        tests.kill()
    eventually(
        lambda: _processes_with(directory) + _processes_with("987654"),
        lambda found: not found,
        what="the end of all processes",
    )
    assert Path(directory).exists()
    remove_abandoned()
    assert not Path(directory).exists()
    assert cluster.directory.exists()


def _processes_with(text: str) -> list[str]:
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            line = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
