"""The images that the tests register with the node: names for programs of this machine, and files.

An image here is a name, commands, a directory that stands for its file tree, and
the configuration that a real image has. Nothing is pulled: a name that nobody
registered is an image that does not exist.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_USER = 65532
COMMANDS_AT = "/.image/bin"
"""Where a container finds the image's own commands; the first entry of its PATH."""
HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """A registered image."""

    name: str
    commands: Path
    """The directory of its commands."""
    tree: Path | None
    """A directory that stands for the image's root; None is an image without files."""
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    user: int
    has_machine_programs: bool
    """Whether `sh`, `cp` and the like of this machine are on its PATH; a distroless image
    has none."""
    needs: tuple[Path, ...]
    """Directories of this machine that its commands read, whatever is mounted over them."""

    @property
    def path(self) -> str:
        """Its PATH."""
        return f"{COMMANDS_AT}:{HOST_PATH}" if self.has_machine_programs else COMMANDS_AT


@dataclass(slots=True)
class Images:
    """The images by their names, exactly as Pods write them."""

    directory: Path
    _known: dict[str, Image] = field(default_factory=dict)
    _made: int = 0

    def register(
        self,
        name: str,
        *,
        commands: Mapping[str, Sequence[str]] | None = None,
        tree: Path | None = None,
        environment: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] = (),
        user: int = DEFAULT_USER,
        has_machine_programs: bool = True,
        needs: Sequence[Path] = (),
    ) -> Image:
        """Make an image known, in place of an older one of that name.

        `commands` gives each name on the image's PATH the command line behind it, such
        as `{"dbmigrate": [sys.executable, "-m", "dbmigrate.cli"]}`.
        """
        self._made += 1
        scripts = self.directory / f"image-{self._made}"
        scripts.mkdir(parents=True)
        for command, words in (commands or {}).items():
            script = scripts / command
            script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            script.chmod(0o755)
        checkout = Path(__file__).resolve().parents[3]
        image = Image(
            name=name,
            commands=scripts,
            tree=tree,
            environment=dict(environment or {}),
            entrypoint=tuple(entrypoint),
            user=user,
            has_machine_programs=has_machine_programs,
            needs=(checkout, Path(sys.prefix), Path(sys.base_prefix), *needs),
        )
        self._known[name] = image
        return image

    def forget(self, name: str) -> None:
        """Let there be no such image any more."""
        self._known.pop(name, None)

    def find(self, name: str) -> Image | None:
        """The image of that name."""
        return self._known.get(name)
