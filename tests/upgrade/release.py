"""The release before this one, in an environment of its own: its files and its dependencies.

It is the last tag before the commit at hand; until there is a tag, a fixed commit. It is
taken out of the repository and installed into a directory of the tests' cache. A clone
that is shallow is asked for the commit; where it can't be had, the tests say so and are skipped.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.toolchain import made_once, progress

ROOT = Path(__file__).parents[2]
FIRST = "d43e908a943b432a3b75ea6791b917d3924835e4"
"""Until there is a tag. Its version is 0.1.0."""
PARTS = ("operator", "pyproject.toml", "README.md", "LICENSE")
EXTRAS = "operator,binary"
LAUNCH = """
import sys
sys.path.insert(0, {site!r})
sys.argv[0] = {name!r}
from importlib.metadata import distributions
found = [e for d in distributions(name="dbmigrate", path=[{site!r}]) for e in d.entry_points]
sys.exit(next(e for e in found if e.name == {name!r}).load()())
"""


class ReleaseUnavailable(Exception):
    """The release can't be had here; the message says why."""


@dataclass(frozen=True)
class Release:
    """A version of dbmigrate that can be run."""

    name: str
    site: Path | None
    """The directory that it is installed in; None: the checkout at hand."""
    commit: str = "HEAD"

    @property
    def image(self) -> str:
        """The name of its image on the tests' node."""
        return f"dbmigrate:{self.name}"

    def has(self, file: str) -> bool:
        """Whether its source has that file."""
        return _git("cat-file", "-e", f"{self.commit}:{file}").returncode == 0

    def read(self, file: str) -> str:
        """A file of its source."""
        shown = _git("show", f"{self.commit}:{file}")
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    def command(self, program: str) -> list[str]:
        """What starts one of its programs."""
        if self.site is None:
            return [str(Path(sys.executable).with_name(program))]
        return [sys.executable, "-c", LAUNCH.format(site=str(self.site), name=program)]


HEAD = Release("head", None)


def find_previous() -> Release:
    """The release before this one. Raises ReleaseUnavailable."""
    commit = _find_commit()
    _fetch(commit)
    home = made_once(f"release-{commit[:12]}", lambda directory: _install(commit, directory))
    return Release("previous", home / "site", commit)


def _find_commit() -> str:
    tag = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD~1")
    name = tag.stdout.strip() if tag.returncode == 0 else FIRST
    found = _git("rev-parse", f"{name}^{{commit}}")
    return found.stdout.strip() if found.returncode == 0 else name


def _fetch(commit: str) -> None:
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0:
        return
    fetched = _git("fetch", "--quiet", "--depth=1", "origin", commit)
    if fetched.returncode != 0:
        raise ReleaseUnavailable(
            f"the commit {commit[:12]} is not in this clone, and can't be fetched:"
            f" {fetched.stderr.strip()[-300:]}"
        )


def _install(commit: str, directory: Path) -> None:
    source = directory / "source"
    source.mkdir()
    archive = directory / "source.tar"
    taken = _git("archive", f"--output={archive}", commit, *PARTS)
    if taken.returncode != 0:
        raise ReleaseUnavailable(f"git archive {commit[:12]}: {taken.stderr.strip()[-300:]}")
    subprocess.run(["tar", "-xf", str(archive), "-C", str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with progress(f"installing {commit[:12]}"):
        run = subprocess.run(
            [*pip, "--target", str(directory / "site"), f"{source}[{EXTRAS}]"],
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode != 0:
        raise ReleaseUnavailable(f"{commit[:12]} can't be installed: {run.stderr.strip()[-500:]}")


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
    )
