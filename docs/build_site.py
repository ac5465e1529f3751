"""Builds the site into build/site: `python docs/build_site.py`, or `make site`.

The pages are those of docs/, which are written to be read in the repository. Links from
them to anything else of the repository become links to the repository's own pages; the
README becomes the first page. mkdocs then checks every link and anchor that is left.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "docs"
REPOSITORY = "https://github.com/dbmigrate/dbmigrate/blob/main"
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages from beside docs/, by the name that they have in the site."""

LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(\))")


def main() -> int:
    """Stage the pages and run mkdocs; its exit code."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for page in sorted((ROOT / "docs").glob("*.md")):
        (STAGE / page.name).write_text(rewrite(page.read_text(), page))
    for picture in (ROOT / "docs").glob("*.svg"):
        shutil.copy(picture, STAGE)
    for name, new in OUTSIDE.items():
        (STAGE / new).write_text(rewrite((ROOT / name).read_text(), ROOT / name))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def rewrite(text: str, page: Path) -> str:
    """The page with its links as they have to be in the site."""

    def replace(found: re.Match[str]) -> str:
        before, target, anchor, after = found[1], found[2], found[3] or "", found[4]
        return before + place(page, target) + anchor + after

    return LINK.sub(replace, text)


def place(page: Path, target: str) -> str:
    """Where a link of a page leads. Raises FileNotFoundError for one that leads nowhere."""
    path = (page.parent / target).resolve()
    if not path.exists():
        raise FileNotFoundError(f"{page.name} links to {target}, which does not exist")
    inside = path.relative_to(ROOT)
    if inside.parent.as_posix() == "docs" and inside.suffix in {".md", ".svg"}:
        return inside.name
    if inside.as_posix() in OUTSIDE:
        return OUTSIDE[inside.as_posix()]
    return f"{REPOSITORY}/{inside}"


if __name__ == "__main__":
    sys.exit(main())
