"""`dbmigrate`, and a drift check behind each command that has made or moved a schema.

A guide runs this file in the place of the program. What the checks find is in a file beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MAKING = frozenset(("up", "down", "goto", "redo", "repair", "baseline", "adopt", "squash"))
LOG = "drift.log"
_NOT_FOR_DRIFT = frozenset(("rehearse-on", "backup-to", "backup-keep", "lint", "plan-checksum"))


def write_program(directory: Path, program: Path, scratch_url: str) -> None:
    """`dbmigrate` in that directory."""
    made = directory / "dbmigrate"
    words = (sys.executable, __file__, str(program), scratch_url, str(directory / LOG))
    made.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    made.chmod(0o755)


def read_checks(directory: Path) -> list[str]:
    """Of each check its exit code, the command before it, and what it printed."""
    log = directory / LOG
    return [text for text in log.read_text().split("\f") if text] if log.exists() else []


def drift_arguments(arguments: list[str]) -> list[str] | None:
    """The same files and the same database; None where nothing was made."""
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in MAKING:
            return kept
        if not word.startswith("-"):
            return None
        name, is_joined, _ = word.lstrip("-").partition("=")
        value = [] if is_joined or name in {"json", "verbose"} else [next(rest, "")]
        if name not in _NOT_FOR_DRIFT:
            kept += [word, *value]
    return None


def main() -> int:
    """Run both."""
    program, scratch_url, log, *arguments = sys.argv[1:]
    code = subprocess.run([program, *arguments], check=False).returncode
    options = drift_arguments(arguments)
    if code == 0 and options is not None:
        command = [program, *options, "drift", "-partitions", "-dev-url", scratch_url]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        with Path(log).open("a") as file:
            file.write(f"{ran.returncode} {arguments}\n{ran.stdout}{ran.stderr}\f")
    return code


if __name__ == "__main__":
    sys.exit(main())
