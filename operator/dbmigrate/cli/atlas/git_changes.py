"""`migrate lint --git-base`: which files of the directory a branch does not have."""

from __future__ import annotations

from pathlib import Path

from dbmigrate.child_process import Child, run
from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason


def count_new_files(directory: str, base: str, repository: str) -> int:
    """How many of the newest files there are from the first one that `base` does not have.

    As Atlas asks git: what was added between the branch and HEAD. A file that was added below
    others brings these with it: they are looked at once more. Raises MigrationError.
    """
    place = Path(repository or ".")
    if base.startswith("-"):
        raise _failed(base, "it is no name of a branch")
    command = ["git", "--no-pager", "diff", "--name-only", "--diff-filter=A", "-z", "--relative"]
    command += ["--no-ext-diff", "--no-textconv", base, "HEAD", "--"]
    try:
        ended = run(Child.GIT, [*command, str(Path(directory).absolute())], cwd=place)
    except OSError as error:
        raise _failed(base, str(error)) from None
    if ended.code != 0:
        raise _failed(base, ended.complaint.decode(errors="replace").strip())
    new = {Path(name.decode(errors="replace")).name for name in ended.output.split(b"\0") if name}
    names = sorted(path.name for path in Path(directory).glob("*.sql"))
    firsts = [index for index, name in enumerate(names) if name in new]
    return len(names) - firsts[0] if firsts else 0


def _failed(base: str, why: str) -> MigrationError:
    return MigrationError(
        Reason.SOURCE_INVALID, f"git can't compare with {base}: {why}", hint="--latest N"
    )
