"""What a container sees as its root file system: the machine's own, read-only, and what is mounted.

Containers run programs of this machine, so its directories are there, read-only.
Over them come the image's files, the volumes at their paths, and a small /dev. A
mount point that the machine does not have needs no change to the machine: its
nearest existing parent is taken apart into its entries, and put together again
with the new one. The result is a list of operations, which sandbox.py carries out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

Operation: TypeAlias = tuple[str, str, str]
"""Kind, path in the container, and what the kind needs: a source, a link's target, options."""

OWN = frozenset({"proc", "sys", "dev", "tmp"})
"""Top-level directories that a container has for itself."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
STREAMS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0"}
STREAMS |= {"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
LINKS = 40
"""Symbolic links that one path may lead through, as the kernel has it."""


@dataclass(slots=True)
class Mounted:
    """Something that is mounted at a path, with what is mounted inside it."""

    kind: str
    detail: str
    is_host: bool = False
    """A directory of the machine, which may be taken apart."""
    inside: dict[str, Mounted] = field(default_factory=dict)


@dataclass(slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(slots=True)
class Directory:
    """A directory that exists in the container's root only."""

    entries: dict[str, Entry] = field(default_factory=dict)
    mode: str = "0755"


Entry: TypeAlias = Mounted | Link | Directory


class Root:
    """The tree, as it grows. Later mounts cover earlier ones."""

    def __init__(self, host: Path = Path("/"), *, writable_tmp: bool = True) -> None:
        self._host = host
        self._top = Directory(_take_apart(host, without=OWN))
        self._top.entries["proc"] = Mounted("proc", "")
        self._top.entries["sys"] = Mounted("bind-read-only", "/sys")
        self._top.entries["dev"] = _devices()
        tmp = Mounted("tmpfs", "mode=1777") if writable_tmp else Directory(mode="1777")
        self._top.entries["tmp"] = tmp

    def mount(self, source: Path, target: str, *, read_only: bool) -> None:
        """Let a file or directory of the machine be seen at that path."""
        kind = "bind-read-only" if read_only else "bind"
        self._place(target, Mounted(kind, str(source)))

    def merge(self, tree: Path) -> None:
        """Lay an image's tree over the root, read-only, directory by directory."""
        self._merge(tree, PurePosixPath("/"))

    def keep(self, path: Path) -> None:
        """Let a directory of the machine be seen at its own path, if something covers it."""
        if not self._shows(path):
            self.mount(path, str(path), read_only=True)

    def operations(self) -> list[Operation]:
        """How to build it, parents first."""
        return list(_build("", self._top))

    def _merge(self, tree: Path, at: PurePosixPath) -> None:
        for entry in sorted(tree.iterdir()):
            target = at / entry.name
            is_directory = entry.is_dir() and not entry.is_symlink()
            if is_directory and (self._host / str(target)[1:]).is_dir():
                self._merge(entry, target)
            elif entry.is_symlink():
                self._place(str(target), Link(os.readlink(entry)))
            else:
                self._place(str(target), Mounted("bind-read-only", str(entry)))

    def _place(self, target: str, new: Entry, links: int = LINKS) -> None:
        parts = PurePosixPath(os.path.normpath(target)).parts[1:]
        if not parts or links == 0:
            raise ValueError(f"nothing can be mounted at {target}")
        here = self._top
        for number, part in enumerate(parts):
            rest = parts[number + 1 :]
            found = here.entries.get(part)
            if isinstance(found, Link):
                start = "/".join(["", *parts[:number]])
                followed = os.path.join(start or "/", found.target, *rest)
                return self._place(followed, new, links - 1)
            if not rest:
                here.entries[part] = new
                return None
            if isinstance(found, Mounted):
                if not found.is_host or _has(Path(found.detail), rest):
                    found.inside["/".join(rest)] = _as_mounted(new)
                    return None
                found = _apart(found)
            here.entries[part] = here = found or Directory()
        return None

    def _shows(self, path: Path) -> bool:
        here: Entry | None = self._top
        for number, part in enumerate(path.parts[1:], 1):
            if isinstance(here, Directory):
                here = here.entries.get(part)
            if isinstance(here, Link):
                return True
            if isinstance(here, Mounted):
                rest = "/".join(path.parts[number + 1 :])
                covered = any(_covers(inner, rest) for inner in here.inside)
                return here.is_host and not covered
        return here is not None


def _take_apart(directory: Path, without: frozenset[str] = frozenset()) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    with os.scandir(directory) as found:
        for entry in found:
            if entry.name in without:
                continue
            if entry.is_symlink():
                entries[entry.name] = Link(os.readlink(entry.path))
            else:
                entries[entry.name] = Mounted("bind-read-only", entry.path, is_host=True)
    return entries


def _apart(mounted: Mounted) -> Directory:
    """The same directory as its entries, with what was mounted inside it."""
    directory = Directory(_take_apart(Path(mounted.detail)))
    for path, inner in mounted.inside.items():
        first, _, rest = path.partition("/")
        entry = directory.entries.get(first)
        if rest and isinstance(entry, Mounted):
            entry.inside[rest] = inner
        else:
            directory.entries[first] = inner
    return directory


def _has(directory: Path, parts: Iterable[str]) -> bool:
    """Whether the path exists there without symbolic links on the way."""
    path = directory
    for part in parts:
        path = path / part
        try:
            if stat.S_ISLNK(path.lstat().st_mode):
                return False
        except OSError:
            return False
    return True


def _covers(mounted: str, path: str) -> bool:
    return path == mounted or path.startswith(f"{mounted}/")


def _as_mounted(entry: Entry) -> Mounted:
    if not isinstance(entry, Mounted):
        raise ValueError("an image's symbolic link cannot be laid inside a volume")
    return entry


def _devices() -> Directory:
    entries: dict[str, Entry] = {}
    for name in DEVICES:
        if Path("/dev", name).exists():
            entries[name] = Mounted("bind", f"/dev/{name}")
    for name, target in STREAMS.items():
        entries[name] = Link(target)
    entries["shm"] = Mounted("tmpfs", "mode=1777")
    return Directory(entries)


def _build(path: str, entry: Entry) -> Iterator[Operation]:
    if isinstance(entry, Link):
        yield ("link", path, entry.target)
    elif isinstance(entry, Mounted):
        yield (entry.kind, path, entry.detail)
        for name in sorted(entry.inside):
            yield from _build(f"{path}/{name}", entry.inside[name])
    else:
        if path:
            yield ("directory", path, entry.mode)
        for name, child in entry.entries.items():
            yield from _build(f"{path}/{name}", child)
