"""What every error message has to be, whichever command prints it."""

from __future__ import annotations

import re

from tests.cli.program import Ran

SECRET = "s3cr3t"
BORROWED = ("Dirty database", "You have a checksum error", "Are you sure", "Not applying")
"""golang-migrate's and Atlas's own texts begin with a capital."""
_HEAD = re.compile(r"(?:error|warning|info): ")
_REPEATED = re.compile(r"\b((?:[\w']+ ){4}[\w']+)\b.*\b\1\b")


def check_error(done: Ran, *, codes: tuple[int, ...] = (1, 2), named: str = "") -> None:
    """Assert that a command line was refused in words that help; `named` is what is wrong."""
    said = done.stderr
    assert done.code in codes, said
    assert "Traceback" not in said
    assert "internal error" not in said
    assert SECRET not in said + done.stdout
    assert named in said
    lines = said.splitlines()
    assert lines
    for line in lines:
        text = _HEAD.sub("", line)
        if line.startswith(("  ", "\t", "Usage")) or text.startswith(BORROWED):
            continue
        assert not text[:1].isupper(), line
        assert not _REPEATED.search(text), line
    assert len(set(lines)) == len(lines), said
