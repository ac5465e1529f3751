"""One container of a Pod: what its next run needs, and what the last one left behind."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.api import Document
from tests.cluster.node.environment import build_environment, expand
from tests.cluster.node.images import COMMANDS_AT, Image, Images
from tests.cluster.node.lookup import Lookup
from tests.cluster.node.pod import key_of, uid_of
from tests.cluster.node.problems import MissingConfig, MissingImage, NotYet
from tests.cluster.node.process import Process
from tests.cluster.node.root import Root
from tests.cluster.node.volumes import Volume, pull_problem

MESSAGE_LIMIT = 4096
"""Bytes of a termination message, from the end of its file."""
LOG_LIMIT, LOG_LINES = 2048, 80
"""How much of the log stands in for a message, under FallbackToLogsOnError."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container gets from its node and its Pod."""

    pod: Document
    images: Images
    lookup: Lookup
    volumes: dict[str, Volume]
    directory: Path
    """The Pod's own directory on this machine."""
    hosts: Path
    """The Pod's /etc/hosts."""
    server_port: int


class Container:
    """A container; `start` runs it, as often as its Pod wants."""

    def __init__(self, spec: Document, around: Surroundings, log: Path) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.log = log
        self._around = around
        self._directory: Path = around.directory / "containers" / self.name
        self._runs = 0
        self._log_start = 0

    def start(self) -> Process:
        """Start a run. NotYet says what is missing, and nothing has been started."""
        image = self._find_image()
        user = self._choose_user(image)
        environment = self._build_environment(image)
        command = self._build_command(image, environment)
        self._runs += 1
        directory = self._run_directory
        (directory / "root").mkdir(parents=True)
        self._message.write_bytes(b"")
        self._message.chmod(0o666)
        self._failure.write_bytes(b"")
        order = {
            "parent": os.getpid(),
            "root": str(directory / "root"),
            "operations": self._build_root(image, user).operations(),
            "read_only": user != 0 or self._security("readOnlyRootFilesystem") is True,
            "user": user,
            "group": self._choose_group(image),
            "hostname": self._hostname,
            "command": command,
            "environment": environment,
            "directory": self.spec.get("workingDir") or "/",
            "drop_capabilities": "ALL" in self._dropped,
            "no_new_privileges": self._security("allowPrivilegeEscalation") is False,
            "failure": str(self._failure),
        }
        path = directory / "order.json"
        path.write_text(json.dumps(order))
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        return Process(path, self.log)

    def read_failure(self) -> str:
        """Why the last run did not even start, or nothing."""
        text = self._failure.read_text(errors="replace")
        if not text:
            return ""
        inner = "unable to start container process: error during container init"
        outer = "failed to create containerd task: failed to create shim task: OCI runtime create"
        return f"{outer} failed: runc create failed: {inner}: {text}: unknown"

    def read_message(self, exit_code: int) -> str:
        """The termination message of the last run."""
        content = self._message.read_bytes()[-MESSAGE_LIMIT:]
        policy = self.spec.get("terminationMessagePolicy", "File")
        if not content and exit_code != 0 and policy == "FallbackToLogsOnError":
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                tail = log.read()[-LOG_LIMIT:]
            content = b"".join(tail.splitlines(keepends=True)[-LOG_LINES:])
        return content.decode(errors="replace")

    @property
    def _message(self) -> Path:
        return self._run_directory / "termination-log"

    @property
    def _failure(self) -> Path:
        return self._run_directory / "failure"

    @property
    def _run_directory(self) -> Path:
        return self._directory / str(self._runs)

    @property
    def _hostname(self) -> str:
        pod = self._around.pod
        hostname: str = pod["spec"].get("hostname") or pod["metadata"]["name"]
        return hostname[:63].rstrip("-.")

    @property
    def _dropped(self) -> list[str]:
        context = self.spec.get("securityContext") or {}
        dropped: list[str] = context.get("capabilities", {}).get("drop", [])
        return dropped

    def _security(self, field: str) -> bool | int | None:
        """The container's own word, else the Pod's."""
        of_pod = self._around.pod["spec"].get("securityContext") or {}
        of_container = self.spec.get("securityContext") or {}
        value: bool | int | None = of_container.get(field, of_pod.get(field))
        return value

    def _find_image(self) -> Image:
        image = self._around.images.find(self.spec["image"])
        if image is None:
            raise MissingImage(pull_problem(self.spec["image"]))
        return image

    def _choose_user(self, image: Image) -> int:
        asked = self._security("runAsUser")
        user = image.user if asked is None else int(asked)
        if user == 0 and self._security("runAsNonRoot") is True:
            namespace, name = key_of(self._around.pod)
            pod = f"{name}_{namespace}({uid_of(self._around.pod)})"
            who = f'(pod: "{pod}", container: {self.name})'
            if asked is None:
                problem = "container has runAsNonRoot and image will run as root"
            else:
                problem = "container's runAsUser breaks non-root policy"
            raise MissingConfig(f"{problem} {who}")
        return user

    def _choose_group(self, image: Image) -> int:
        asked = self._security("runAsGroup")
        if asked is not None:
            return int(asked)
        return 0 if self._security("runAsUser") is not None else image.user

    def _build_environment(self, image: Image) -> dict[str, str]:
        defaults = {
            "PATH": image.path,
            "HOSTNAME": self._hostname,
            "HOME": "/",
            **image.environment,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self._around.server_port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self._around.server_port),
        }
        pod, lookup = self._around.pod, self._around.lookup
        return defaults | build_environment(pod, self.spec, lookup)

    def _build_command(self, image: Image, environment: dict[str, str]) -> list[str]:
        """The Pod's command, or the image's entrypoint, and the Pod's arguments."""
        command = [expand(word, environment) for word in self.spec.get("command") or []]
        arguments = [expand(word, environment) for word in self.spec.get("args") or []]
        if not command:
            command = list(image.entrypoint)
        if not command and not arguments:
            raise NotYet("failed to generate container spec: no command specified")
        return command + arguments

    def _build_root(self, image: Image, user: int) -> Root:
        read_only = self._security("readOnlyRootFilesystem") is True
        root = Root(writable_tmp=not read_only)
        if image.tree is not None:
            root.merge(image.tree)
        root.mount(image.commands, COMMANDS_AT, read_only=True)
        root.mount(self._around.hosts, "/etc/hosts", read_only=read_only or user != 0)
        for mount in sorted(self.spec.get("volumeMounts", []), key=lambda m: m["mountPath"]):
            self._mount(root, mount)
        message = self.spec.get("terminationMessagePath") or "/dev/termination-log"
        root.mount(self._message, message, read_only=False)
        for path in image.needs:
            root.keep(path)
        return root

    def _mount(self, root: Root, mount: Document) -> None:
        volume = self._around.volumes[mount["name"]]
        source = volume.directory
        if part := mount.get("subPath"):
            source = source / part
            if not source.exists():
                if volume.read_only:
                    raise MissingConfig(
                        f"failed to prepare subPath for volumeMount {mount['name']}"
                    )
                source.mkdir(parents=True)
            source = source.resolve()
        read_only = volume.read_only or bool(mount.get("readOnly"))
        root.mount(source, mount["mountPath"], read_only=read_only)
