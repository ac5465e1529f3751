"""Builds the Dockerfile without a registry: on root file systems made of Debian's packages.

What stands in for the two base images is the same Debian release with the same Python.
Only the bases' own merits (no shell, few files) can't be proven this way.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.toolchain import cache_root, made_once, only_one, say, untimed

ROOT = Path(__file__).parents[2]
RELEASE = "trixie"
FALLBACK_MIRROR = "http://deb.debian.org/debian"
HOST_FILES = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""What the steps need of this machine to reach its package registries."""


class ImageUnavailable(Exception):
    """No image can be built here; the message says why."""


def require_tools() -> None:
    """Raises ImageUnavailable unless this is root with buildah and debootstrap."""
    missing = [name for name in ("buildah", "debootstrap", "unshare") if not shutil.which(name)]
    if missing:
        raise ImageUnavailable(f"{', '.join(missing)} not found on PATH")
    if os.geteuid() != 0:
        raise ImageUnavailable("only root can make a root file system")


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with a store of its own."""

    store: Path
    driver: str = "vfs"

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Its standard output. Raises RuntimeError with all that it said."""
        command = ["buildah", "--root", str(self.store / "root")]
        command += [
            "--runroot",
            str(self.store / "run"),
            "--storage-driver",
            self.driver,
            *arguments,
        ]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        run = subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            said = (run.stdout + run.stderr)[-4000:]
            raise RuntimeError(f"buildah {' '.join(arguments)}: {said}")
        return run.stdout.strip()

    def take(self, name: str, *packages: str) -> str:
        """An image of Debian with these packages."""
        image = f"localhost/{name}"
        if image in self.run("images", "--format", "{{.Name}}").split():
            return image
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, str(make_root(name, *packages)), "/")
        self.run("commit", "--quiet", container, image)
        self.run("rm", container)
        return image

    def build(self, tag: str, *, layers: bool = False, **arguments: str) -> None:
        """Build the project's Dockerfile; with `layers`, steps that were done stay done."""
        words = ["--layers"] if layers else []
        words += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        words += [f"--volume={path}:{path}:ro" for path in HOST_FILES if Path(path).exists()]
        self.run("build", "--network=host", *words, "--tag", tag, str(ROOT))

    def inspect(self, tag: str) -> Any:
        """The image's configuration, as the OCI has it."""
        import json

        return json.loads(self.run("inspect", "--type", "image", tag))["OCIv1"]["config"]

    @contextmanager
    def mounted(self, tag: str) -> Iterator[Path]:
        """The root directory of a container of the image."""
        container = self.run("from", tag)
        try:
            yield Path(self.run("mount", container))
        finally:
            self.run("umount", container)
            self.run("rm", container)


@contextmanager
def kept_builder() -> Iterator[Builder]:
    """buildah with the store of all runs, where steps that were done stay done; one at a time."""
    with untimed(), only_one("image-store"):
        builder = Builder(cache_root() / "image-store", driver="overlay")
        try:
            builder.run("images")
        except RuntimeError:  # overlay file systems can't be stacked everywhere
            builder = Builder(cache_root() / "image-store-vfs")
        yield builder


def make_root(name: str, *packages: str) -> Path:
    """The root file system of Debian with these packages, made once."""
    cached = f"debian-{RELEASE}-{name}"
    return made_once(cached, lambda scratch: _bootstrap(scratch / "root", packages)) / "root"


def _bootstrap(root: Path, packages: tuple[str, ...]) -> None:
    say(f"making a root file system of Debian {RELEASE} with {', '.join(packages)}, once")
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [RELEASE, str(root), _find_mirror()]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise ImageUnavailable(f"debootstrap: {(run.stdout + run.stderr)[-1000:]}")


def _find_mirror() -> str:
    """Where this machine gets its own packages."""
    for path in sorted(Path("/etc/apt").glob("**/*.sources")):
        found = re.search(r"^URIs: (\S+/debian)/?$", path.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return FALLBACK_MIRROR
