"""`kubectl dbmigrate` as a person runs it: by kubectl, with a kubeconfig of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import Namespace
from tests.cluster.clients import find_kubectl
from tests.cluster.waiting import eventually
from tests.operator_e2e.process import ROOT

LOGS: dict[str, Any] = {
    "apiGroups": [""],
    "resources": ["pods", "pods/log"],
    "verbs": ["get", "list", "watch"],
}
"""What Kubernetes' own `view` has, as far as logs need it."""

HEARING = ("env", "--default-signal=INT")
"""As in a terminal: tests that run in the background inherit that SIGINT is ignored."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    output: str
    messages: str


class Plugin:
    """The plugin with one kubeconfig."""

    def __init__(self, kubeconfig: Path, **more: str) -> None:
        programs = [Path(find_kubectl()).parent, Path(sys.executable).parent]
        path = ":".join([*map(str, programs), os.environ["PATH"]])
        self._environment = {
            "PATH": path,
            "HOME": str(kubeconfig.parent),
            "KUBECONFIG": str(kubeconfig),
            "LC_ALL": "C.UTF-8",
            **more,
        }

    def run(self, *arguments: str, answer: str = "") -> Said:
        """Run a command to its end; `answer` is what is typed."""
        done = subprocess.run(
            ["kubectl", "dbmigrate", *arguments],
            env=self._environment,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def do(self, *arguments: str, answer: str = "") -> str:
        """Run a command that must succeed; its output."""
        said = self.run(*arguments, answer=answer)
        assert said.code == 0, said
        return said.output

    def fail(self, *arguments: str, answer: str = "") -> str:
        """Run a command that must end with 1; its messages."""
        said = self.run(*arguments, answer=answer)
        assert said.code == 1, said
        return said.messages

    @contextmanager
    def started(self, *arguments: str, on_terminal: bool = False) -> Iterator[Running]:
        """Run a command beside the test; ended at the end of the block."""
        receiver, sender = pty.openpty() if on_terminal else os.pipe()
        try:
            process = subprocess.Popen(
                [*HEARING, "kubectl", "dbmigrate", *arguments],
                env={**self._environment, "TERM": "xterm"},
                stdin=subprocess.DEVNULL,
                stdout=sender,
                stderr=sender,
            )
        finally:
            os.close(sender)
        running = Running(process, receiver)
        try:
            yield running
        finally:
            process.terminate()
            process.wait()
            running.close()


class Running:
    """A command at work, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], receiver: int) -> None:
        self.process = process
        self._receiver = receiver
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def output(self) -> str:
        """Both outputs, as they came."""
        return b"".join(self._parts).decode(errors="replace")

    def wait_for(self, text: str) -> None:
        """Return when it has printed that text."""
        eventually(lambda: self.output, lambda output: text in output, what=f"{text!r}")

    def end(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(timeout=120)

    def close(self) -> None:
        """Once the process is gone: all its output has been read then."""
        self._thread.join()
        os.close(self._receiver)

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._receiver, 65536)
            except OSError:  # a terminal that nobody writes to any more
                return
            if not part:
                return
            self._parts.append(part)


def make_person(namespace: Namespace, name: str, *roles: str, reads_logs: bool = False) -> Path:
    """A kubeconfig of an account with these of our ClusterRoles, in that namespace alone."""
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace.name}
    rules = [rule for role in roles for rule in _read_rules(role)]
    rules += [LOGS] if reads_logs else []
    metadata = {"name": name}
    namespace.apply(
        [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {
                "apiVersion": f"{group}/v1",
                "kind": "Role",
                "metadata": metadata,
                "rules": rules,
            },
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
                "subjects": [account],
            },
        ]
    )
    for rule in rules:
        (group, *_), (resource, *_), (verb, *_) = (
            rule[key] for key in ("apiGroups", "resources", "verbs")
        )
        namespace.wait_for_right(name, verb, resource, group)
    return namespace.service_account_kubeconfig(name)


def _read_rules(role: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
    found = (d for d in documents if d["kind"] == "ClusterRole" and d["metadata"]["name"] == role)
    rules: list[dict[str, Any]] = next(found)["rules"]
    return rules
