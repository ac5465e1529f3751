"""Writes the report to the file of -report, however the run ended.

A Job's termination message is a file that Kubernetes mounts into the container: it
can be written but not replaced. Any other file is replaced atomically, so that no
reader sees half a report.
"""

from __future__ import annotations

import os
import stat

from dbmigrate.report import TERMINATION_MESSAGE_LIMIT, Report


def check_report_file(path: str) -> None:
    """Raise OSError now if the report could not be written later."""
    directory = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise OSError(f"report file {path}: it is a directory")
    if not os.path.isdir(directory):
        raise OSError(f"report file {path}: there is no directory {directory}")
    if not os.access(path if os.path.lexists(path) else directory, os.W_OK):
        raise OSError(f"report file {path}: user {os.getuid()} may not write it")


def write_report(path: str, report: Report) -> None:
    """Write the report, cut to what a termination message holds. Raises OSError."""
    content = report.to_json(TERMINATION_MESSAGE_LIMIT).encode()
    if not _replace(path, content):
        with open(path, "wb") as file:
            file.write(content)


def _replace(path: str, content: bytes) -> bool:
    """Whether the file could be replaced as a whole."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError:
        return False
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        return False
    return True
