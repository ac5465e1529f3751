"""Two other tools that compare schemas, as oracles: Supabase's pg-delta and pgkit's migra.

Both are npm packages, installed once into the cache outside the tree, and asked through
one Node process, because each start of theirs takes seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.toolchain import made_once, say

PACKAGES = ("@supabase/pg-delta@1.0.0-alpha.34", "@pgkit/migra@0.6.1")
SERVICE = Path(__file__).with_name("peers.mjs")
TOOLS = ("pg-delta", "migra")


class PeersUnavailable(Exception):
    """They can't be had here; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What a tool says of two databases."""

    differences: tuple[str, ...]
    statements: tuple[str, ...]


class PeerFailed(Exception):
    """A tool gave up on two databases; the message is its own."""


class Peers:
    """The Node process. Use it in a `with` statement."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [_find("node"), str(SERVICE), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, tool: str, before: str, after: str) -> Answer:
        """What leads from one database to the other. Raises PeerFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            json.dumps({"tool": tool, "before": before, "after": after}) + "\n"
        )
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed("the Node process is gone")
        found = json.loads(line)
        if "error" in found:
            raise PeerFailed(found["error"])
        return Answer(tuple(found["differences"]), tuple(found["statements"]))

    def __enter__(self) -> Peers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def find_peers() -> Path:
    """The directory that they are installed in. Raises PeersUnavailable."""
    return made_once("diff-peers-1", lambda home: install(home, PACKAGES))


def install(home: Path, packages: tuple[str, ...]) -> None:
    """Install npm packages in a directory, without running their scripts."""
    npm = _find("npm")
    say(f"installing {', '.join(packages)}, once")
    (home / "package.json").write_text('{"private": true}')
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    run = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise PeersUnavailable(f"npm can't install {packages}: {run.stderr.strip()[-500:]}")


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise PeersUnavailable(f"{program} is not on the PATH")
    return found
