"""A cluster of one real node: control plane, scheduler, kubelet, kube-proxy and containerd."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.cluster.api import ApiError
from tests.cluster.build import Programs as ControlPlanePrograms
from tests.cluster.build import find_programs as find_control_plane
from tests.cluster.clients import find_helm, find_kubectl
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, Setup
from tests.cluster.credentials import NODE_NAME, write_kubeconfig
from tests.cluster.daemon import Daemon
from tests.cluster.existing import Existing
from tests.cluster.scratch import Scratch
from tests.cluster.waiting import eventually
from tests.node_e2e.dns import Resolver
from tests.node_e2e.images import PAUSE, make_own_image, make_pause_image, make_postgres_image
from tests.node_e2e.machine import ADDRESS, POD_RANGE, Machine
from tests.node_e2e.programs import Programs, find_programs, require_machine

SOCKET = "/run/containerd/containerd.sock"
SETUP = Setup(
    address=ADDRESS,
    server_flags={
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "kubelet-preferred-address-types": "InternalIP",
        "allow-privileged": "true",
    },
    # A lost node is noticed sooner than after a minute, and a busy one is not taken for it.
    manager_flags={"node-monitor-grace-period": "20s", "node-monitor-period": "1s"},
    controllers=("*",),
    node_group="system:nodes",
)


@dataclass(slots=True)
class RealNode:
    """The node's programs, each of which a test can stop and start."""

    machine: Machine
    programs: Programs
    directory: Path
    control_plane: ControlPlane
    daemons: dict[str, Daemon] = field(default_factory=dict)

    def start(self) -> None:
        """Start containerd and the node's programs; returns when the node is Ready."""
        self._write_settings()
        self._start(
            "containerd", str(self.programs.containerd / "containerd"), "--config", "CONFIG"
        )
        eventually(self._ctr_answers, what="containerd")
        self.import_image(make_pause_image(self.programs.pause, self._directory("pause")))
        node = str(self.programs.node)
        kubeconfigs = {name: str(self._kubeconfig(name)) for name in ("node", "admin")}
        self._start(
            "kube-scheduler",
            node,
            "kube-scheduler",
            "--leader-elect=false",
            f"--kubeconfig={kubeconfigs['admin']}",
            "--secure-port=0",
        )
        self._start("kube-proxy", node, "kube-proxy", f"--config={self.directory / 'proxy.yaml'}")
        self._start(
            "kubelet",
            node,
            "kubelet",
            f"--config={self.directory / 'kubelet.yaml'}",
            f"--kubeconfig={kubeconfigs['node']}",
            f"--root-dir={self._directory('kubelet')}",
            f"--node-ip={ADDRESS}",
            f"--hostname-override={NODE_NAME}",
        )
        eventually(self._is_ready, what="the node to be Ready", show=lambda _: self.explain())

    def stop_kubelet(self) -> None:
        """Let the kubelet die, as on a node that is cut off; its containers go on."""
        killed = self.machine.inside(["pkill", "-KILL", "-f", "kubelet --config="])
        subprocess.run(killed, check=True)
        self.daemons["kubelet"].stop()

    def start_kubelet(self) -> None:
        """Start it again; returns when the node is Ready."""
        self.daemons["kubelet"].start()
        eventually(self._is_ready, what="the node to be Ready", show=lambda _: self.explain())

    def import_image(self, archive: Path) -> None:
        """Make an archive's images known to the node."""
        self._ctr("--namespace", "k8s.io", "images", "import", "--local", str(archive))

    def explain(self) -> str:
        """The ends of the programs' logs."""
        return "\n".join(f"--- {name}\n{d.last_words()}" for name, d in self.daemons.items())

    def stop(self) -> None:
        """End the programs; the machine ends what they have started."""
        for daemon in reversed(self.daemons.values()):
            daemon.kill()

    def _start(self, name: str, *command: str) -> None:
        words = [str(self.directory / "containerd.toml") if w == "CONFIG" else w for w in command]
        daemon = Daemon(
            name,
            self.machine.inside(words),
            log=self.directory / f"{name}.log",
            is_ready=lambda: True,
            environment={"PATH": self.programs.path, "HOME": str(self.directory)},
        )
        self.daemons[name] = daemon
        daemon.start()

    def _ctr(self, *arguments: str) -> str:
        command = [str(self.programs.containerd / "ctr"), "--address", SOCKET, *arguments]
        run = subprocess.run(
            self.machine.inside(command), capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise RuntimeError(f"ctr {' '.join(arguments)}: {run.stderr}\n{self.explain()}")
        return run.stdout

    def _ctr_answers(self) -> bool:
        try:
            self._ctr("version")
        except RuntimeError:
            return False
        return True

    def _is_ready(self) -> bool:
        admin = self.control_plane.api(self.control_plane.tokens.admin)
        try:
            node = admin.get(f"/api/v1/nodes/{NODE_NAME}")
        except ApiError:
            return False
        conditions = node["status"].get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _kubeconfig(self, user: str) -> Path:
        return write_kubeconfig(
            self.directory / f"{user}.kubeconfig",
            server=self.control_plane.server,
            authority=self.control_plane.authority,
            token=getattr(self.control_plane.tokens, user),
        )

    def _directory(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return directory

    def _write_settings(self) -> None:
        network = {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods0",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(self._directory("addresses")),
                        "ranges": [[{"subnet": POD_RANGE}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
        (self._directory("cni") / "10-pods.conflist").write_text(json.dumps(network))
        (self.directory / "containerd.toml").write_text(
            f"""version = 3
root = "{self.machine.images}"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{self.programs.plugins}"]
conf_dir = "{self.directory / "cni"}"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
"""
        )
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.machine.cgroup}",
            "cgroupsPerQOS": True,
            "clusterDNS": [ADDRESS],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "enforceNodeAllocatable": ["pods"],
            "failCgroupV1": False,
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%"},
            "featureGates": {"ImageVolume": True},
            "nodeStatusUpdateFrequency": "2s",
            "nodeLeaseDurationSeconds": 8,
            "podLogsDir": str(self._directory("pod-logs")),
            "resolvConf": "",
            "syncFrequency": "5s",
        }
        (self.directory / "kubelet.yaml").write_text(yaml.safe_dump(kubelet))
        proxy = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": NODE_NAME,
            "conntrack": {"maxPerCore": 0},
            "clientConnection": {"kubeconfig": str(self.directory / "admin.kubeconfig")},
        }
        (self.directory / "proxy.yaml").write_text(yaml.safe_dump(proxy))


def prepare() -> tuple[Programs, ControlPlanePrograms, list[Path]]:
    """Everything that is built or downloaded: from the node's network nothing can be any more.

    Raises NodeUnavailable, ImageUnavailable, ClusterUnavailable.
    """
    programs = find_programs()
    find_kubectl()
    find_helm()
    return programs, find_control_plane(), make_images()


def make_images() -> list[Path]:
    """The archives of the images that every node has. Raises as `prepare`."""
    require_machine()
    return [make_own_image(), make_postgres_image()]


@dataclass(frozen=True, slots=True)
class RealCluster:
    """A running cluster, and what of it a test can take away and bring back."""

    machine: Machine
    node: RealNode
    cluster: Cluster


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """A cluster with a real node, which ends with the block whatever happens.

    Raises as `prepare` where there can be none.
    """
    programs, control_plane_programs, images = prepare()
    with ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        directory = scratch.directory
        machine = Machine(directory)
        stack.callback(machine.stop)
        machine.start()
        control_plane = ControlPlane(control_plane_programs, directory, SETUP)
        stack.callback(control_plane.stop)
        control_plane.start()
        node = RealNode(machine, programs, directory, control_plane)
        stack.callback(node.stop)
        node.start()
        for image in images:
            node.import_image(image)
        admin = control_plane.api(control_plane.tokens.admin)
        stack.callback(Resolver(admin, ADDRESS).stop)
        access = Existing(admin, directory / "admin.kubeconfig", control_plane.authority)
        cluster = Cluster(access, scratch=scratch, control_plane=control_plane)
        yield RealCluster(machine, node, cluster)
