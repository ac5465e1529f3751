"""The cluster, as tests use it: namespaces, kubectl, kubeconfigs, the node, the audit log.

    with Cluster.start() as cluster:
        cluster.node.images.register("app:1", commands={"app": ["/usr/bin/env"]})
        namespace = cluster.namespace()
        namespace.apply(manifest)
        namespace.wait("job", "hello", lambda job: job.get("status", {}).get("succeeded"))

DBMIGRATE_TEST_KUBECONFIG names an existing cluster to use instead: its own nodes
run the Pods then, and what needs the control plane in hand is not to be had.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.cluster.api import ApiError, Document
from tests.cluster.audit import AuditLog
from tests.cluster.build import find_programs
from tests.cluster.clients import find_kubectl
from tests.cluster.control_plane import ControlPlane
from tests.cluster.credentials import write_kubeconfig
from tests.cluster.daemon import DaemonFailed
from tests.cluster.existing import Existing, read_kubeconfig
from tests.cluster.kinds import Kinds
from tests.cluster.namespace import Namespace
from tests.cluster.node import Node
from tests.cluster.scratch import Scratch
from tests.cluster.unavailable import ClusterUnavailable
from tests.cluster.waiting import eventually

KUBECONFIG_VARIABLE = "DBMIGRATE_TEST_KUBECONFIG"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
ATTEMPTS = 3
"""A port that was free may be taken by the time a part listens on it."""


class Cluster:
    """A running cluster. Stop it, or use it in a `with` statement."""

    def __init__(
        self,
        access: Existing,
        *,
        scratch: Scratch,
        control_plane: ControlPlane | None = None,
        node: Node | None = None,
    ) -> None:
        self.api = access.api
        self.kubeconfig = access.kubeconfig
        """The administrator's kubeconfig file."""
        self.server = access.api.server
        self.directory = scratch.directory
        """For files of this cluster's time; removed at its end."""
        self.kinds = Kinds(self.api)
        self._authority = access.authority
        self._scratch = scratch
        self._control_plane = control_plane
        self._node = node

    @classmethod
    def start(cls) -> Cluster:
        """Start a control plane and its node, or take the existing cluster.

        Raises ClusterUnavailable, with the reason, where neither can be had.
        """
        scratch = Scratch()
        try:
            existing = os.environ.get(KUBECONFIG_VARIABLE)
            if existing:
                return cls(read_kubeconfig(Path(existing), scratch.directory), scratch=scratch)
            return cls._start_own(scratch)
        except BaseException:
            scratch.remove()
            raise

    @classmethod
    def _start_own(cls, scratch: Scratch) -> Cluster:
        Node.check()
        directory = scratch.directory
        control_plane = _start_control_plane(directory)
        try:
            kubeconfig = write_kubeconfig(
                directory / "admin.kubeconfig",
                server=control_plane.server,
                authority=control_plane.authority,
                token=control_plane.tokens.admin,
            )
            api = control_plane.api(control_plane.tokens.admin)
            node = Node(
                control_plane.api(control_plane.tokens.node),
                directory / "node",
                server_port=control_plane.server_port,
                certificate=control_plane.certificate,
            )
            node.start()
        except BaseException:
            control_plane.stop()
            raise
        access = Existing(api, kubeconfig, control_plane.authority)
        return cls(access, scratch=scratch, control_plane=control_plane, node=node)

    def stop(self) -> None:
        """End the Pods' processes and the control plane, and remove all files."""
        if self._node is not None:
            self._node.stop()
        if self._control_plane is not None:
            self._control_plane.stop()
        self._scratch.remove()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def is_own(self) -> bool:
        """Whether it was started for the tests: then it has a node, an audit log and parts."""
        return self._control_plane is not None

    @property
    def control_plane(self) -> ControlPlane:
        """The parts, to stop and start them. ClusterUnavailable for an existing cluster."""
        if self._control_plane is None:
            raise ClusterUnavailable(f"{KUBECONFIG_VARIABLE} is set: its parts are not ours")
        return self._control_plane

    @property
    def node(self) -> Node:
        """Where Pods run: images, logs, evictions. ClusterUnavailable for an existing cluster."""
        if self._node is None:
            problem = f"{KUBECONFIG_VARIABLE} is set: its own nodes run the Pods"
            raise ClusterUnavailable(f"{problem}, and images of the tests cannot be registered")
        return self._node

    @property
    def audit(self) -> AuditLog:
        """What the server was asked. ClusterUnavailable for an existing cluster."""
        return self.control_plane.audit

    def namespace(
        self, name: str | None = None, *, labels: Mapping[str, str] = RESTRICTED
    ) -> Namespace:
        """A new namespace, under Pod Security `restricted` unless labels say otherwise.

        Returns when its default ServiceAccount is there, without which no Pod is let in.
        """
        name = name or f"test-{secrets.token_hex(4)}"
        metadata = {"name": name, "labels": dict(labels)}
        body: Document = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.api.post("/api/v1/namespaces", body)
        namespace = Namespace(self, name)
        namespace.wait("serviceaccount", "default")
        namespace.wait("configmap", "kube-root-ca.crt")
        return namespace

    def install_crds(self, directory: Path) -> None:
        """Apply every CRD of a directory, and wait until the server serves them."""
        names = []
        for path in sorted(directory.glob("*.yaml")):
            for crd in Namespace(self, "default").apply(path):
                names.append(crd["metadata"]["name"])
        for name in names:
            self.wait_for_crd(name)

    def wait_for_crd(self, name: str) -> None:
        """Wait until the server serves it.

        `kubectl wait` fails on a CRD that has no conditions yet.
        """
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        eventually(partial(self.api.get, path), _is_served, what=f"CRD {name}")
        eventually(partial(self._can_list, name), what=f"serving of CRD {name}")

    def service_account_kubeconfig(self, namespace: str, name: str, seconds: int = 7200) -> Path:
        """A kubeconfig file with a fresh token of that ServiceAccount."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        wanted = {"expirationSeconds": seconds}
        answer = self.api.post(
            path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        )
        return write_kubeconfig(
            self.directory / f"{namespace}-{name}-{secrets.token_hex(4)}.kubeconfig",
            server=self.server,
            authority=self._authority,
            token=answer["status"]["token"],
            namespace=namespace,
        )

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> str:
        """Run kubectl as the administrator; its standard output.

        If it fails and `check` holds, AssertionError has what it said; otherwise
        what it said on both outputs is returned.
        """
        command = [find_kubectl(), "--kubeconfig", str(kubeconfig or self.kubeconfig), *arguments]
        run = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if run.returncode != 0 and check:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {run.stderr}")
        return run.stdout if check else run.stdout + run.stderr

    def _can_list(self, crd: str) -> bool:
        plural, _, group = crd.partition(".")
        try:
            kind = self.kinds.find(f"{plural}.{group}")
            self.api.get(f"/apis/{kind.api_version}/{plural}", limit="1")
        except (LookupError, ApiError):
            return False
        return True


def _start_control_plane(directory: Path) -> ControlPlane:
    programs = find_programs()
    for attempt in range(ATTEMPTS):
        home = directory / f"control-plane-{attempt}"
        home.mkdir()
        control_plane = ControlPlane(programs, home)
        try:
            control_plane.start()
        except BaseException as error:
            control_plane.stop()
            if isinstance(error, DaemonFailed) and "address already in use" in str(error):
                continue
            raise
        return control_plane
    raise ClusterUnavailable(f"no free ports for the control plane in {ATTEMPTS} attempts")


def _is_served(crd: Document) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
