"""Two network namespaces joined by a cable that loses packets on demand.

    with Network.laid() as network:
        with network.at(Node.SERVER): ...   # what is started here lives there
        network.lose(Side.CLIENT)           # nothing of the client's arrives any more
        network.restore()

Linux, root, `ip` and `iptables` are needed: elsewhere NetworkUnavailable says what is missing.
The addresses exist in these namespaces only.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

_CLONE_NEWNET = 0x40000000


class NetworkUnavailable(Exception):
    """Namespaces cannot be made here; the message says why."""


class Node(StrEnum):
    """One end of the cable."""

    CLIENT = "client"
    SERVER = "server"


class Network:
    """The two namespaces."""

    def __init__(self) -> None:
        token = secrets.token_hex(3)
        self._names = {node: f"dbm-{token}-{node.value[0]}" for node in Node}
        self._links = {node: f"dbm{token}{node.value[0]}" for node in Node}
        self.addresses = {Node.CLIENT: "10.231.7.1", Node.SERVER: "10.231.7.2"}

    @classmethod
    @contextmanager
    def laid(cls) -> Iterator[Network]:
        """Make both, and the cable, for the time of the block. Raises NetworkUnavailable."""
        network = cls()
        with closing(network):
            try:
                network._lay()
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", "") or str(error)
                raise NetworkUnavailable(f"no network namespaces: {said.strip()}") from None
            yield network

    @contextmanager
    def at(self, node: Node) -> Iterator[None]:
        """What this thread opens or starts meanwhile is on that side."""
        with open("/proc/thread-self/ns/net") as here, open(self._path(node)) as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def lose(self, sender: Node) -> None:
        """From now on, what that side sends does not arrive."""
        self._run(sender, "iptables", "-A", "OUTPUT", "-o", self._links[sender], "-j", "DROP")

    def restore(self) -> None:
        """Both sides are heard again."""
        for node in Node:
            self._run(node, "iptables", "-F", "OUTPUT")

    def close(self) -> None:
        """Remove the namespaces, and the cable with them."""
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _lay(self) -> None:
        for name in self._names.values():
            _call("ip", "netns", "add", name)
        ends = [(self._links[node], self._names[node]) for node in Node]
        (first, first_name), (second, second_name) = ends
        _call(
            *("ip", "link", "add", first, "netns", first_name),
            *("type", "veth", "peer", "name", second, "netns", second_name),
        )
        for node in Node:
            inside = ("ip", "-n", self._names[node])
            _call(*inside, "addr", "add", f"{self.addresses[node]}/24", "dev", self._links[node])
            _call(*inside, "link", "set", self._links[node], "up")
            _call(*inside, "link", "set", "lo", "up")
        self.restore()

    def _path(self, node: Node) -> Path:
        return Path("/run/netns") / self._names[node]

    def _run(self, node: Node, *command: str) -> None:
        _call("ip", "netns", "exec", self._names[node], *command)


def _call(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
