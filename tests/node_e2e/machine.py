"""A machine of its own for a node: namespaces, a network, cgroups, and the end of all of them.

One process holds the namespaces; killing it ends every process inside. The thread
that started the machine moves into its network, so that what it starts and what it
connects to is on the node's network, and moves back at the end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.daemon import TIED
from tests.cluster.waiting import eventually

ADDRESS = "10.250.0.1"
"""The node's address, on a bridge of its own. The API server listens there."""
POD_RANGE = "10.244.0.0/24"
CLONE_NEWNET = 0x40000000
HIERARCHIES = Path("/sys/fs/cgroup")
PREFIX = "dbmigrate-"
"""Of the cgroups, before the id of the tests' process."""

INSIDE = f"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p /var/lib/kubelet
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib/kubelet
mount -t tmpfs tmpfs /var/log
mkdir "$2"
mount -t tmpfs tmpfs "$2"
mount --make-rshared /
hostname node
ip link set lo up
ip link add node0 type bridge
ip address add {ADDRESS}/24 dev node0
ip link set node0 up
ip route add default dev node0
sysctl -q -w net.ipv4.ip_forward=1
sysctl -q -w net.bridge.bridge-nf-call-iptables=1 || true
touch "$1"
exec sleep infinity
"""


class Machine:
    """Namespaces and cgroups. Use `start` and `stop` from one and the same thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.images = directory / "containerd"
        """Where containerd keeps images and containers: in memory, gone with the namespaces."""
        self.cgroup = f"{PREFIX}{os.getpid()}"
        self._outer: subprocess.Popen[bytes] | None = None
        self._home: int | None = None
        self._pid = 0

    def start(self) -> None:
        """Make the namespaces and cgroups, and move into the network."""
        ready = self.directory / "ready"
        tied = [sys.executable, "-I", "-S", TIED, str(os.getpid())]
        words = ["/usr/bin/unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork"]
        log = (self.directory / "machine.log").open("wb")
        self._outer = subprocess.Popen(
            [*tied, *words, "--kill-child", "sh", "-c", INSIDE, "sh", str(ready), str(self.images)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        eventually(ready.exists, what="the machine's namespaces")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        self._pid = int(children.read_text().split()[0])
        self._make_cgroups()
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        with _opened(f"/proc/{self._pid}/ns/net") as network:
            _enter_network(network)

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command in all namespaces of the machine."""
        which = ["--mount", "--pid", "--net", "--uts", "--ipc"]
        return ["/usr/bin/nsenter", "--target", str(self._pid), *which, "--", *command]

    def stop(self) -> None:
        """End every process of it, and leave nothing behind."""
        if self._home is not None:
            _enter_network(self._home)
            os.close(self._home)
            self._home = None
        if self._outer is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._outer.kill()
            self._outer.wait()
            self._outer = None
        for hierarchy in self._hierarchies():
            _remove_cgroup(hierarchy / self.cgroup)

    def _make_cgroups(self) -> None:
        for hierarchy in self._hierarchies():
            for left in hierarchy.glob(f"{PREFIX}*"):
                if not Path("/proc", left.name.removeprefix(PREFIX)).exists():
                    _remove_cgroup(left)
            group = hierarchy / self.cgroup
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (group / name).exists() and not (group / name).read_text().strip():
                    (group / name).write_text((hierarchy / name).read_text())

    @staticmethod
    def _hierarchies() -> list[Path]:
        if (HIERARCHIES / "cgroup.controllers").exists():
            return [HIERARCHIES]
        return [path for path in HIERARCHIES.iterdir() if path.is_dir() and not path.is_symlink()]


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter_network(descriptor: int) -> None:
    """Move this thread into a network namespace."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _remove_cgroup(group: Path) -> None:
    """Remove it with all below it, deepest first, as soon as its processes are gone."""
    if not group.is_dir():
        return
    below = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)

    def try_it() -> bool:
        for path in (*below, group):
            with suppress(OSError):
                path.rmdir()
        return not group.exists()

    with suppress(TimeoutError):
        eventually(try_it, what=f"the removal of {group}", deadline=10)
