"""Where the resource's own volumes may be mounted: outside of the paths that dbmigrate uses.

A path may be written in several ways, and the API server compares the texts: `/tmp/` in addition to
`/tmp` would hide dbmigrate's directory, or replace its volume.
"""

from __future__ import annotations

import posixpath

OWN = (
    "/migrations",
    "/backups",
    "/rehearsal",
    "/targets",
    "/tmp",
    "/etc/dbmigrate",
    "/dev/termination-log",
)
"""The places in the runner's container that dbmigrate mounts something at."""


def find_fault(path: str) -> str | None:
    """What is wrong with such a path; None: nothing."""
    if not path.startswith("/"):
        return "must be absolute"
    parts = [part for part in posixpath.normpath("/" + path.lstrip("/")).split("/") if part]
    if ".." in path.split("/"):
        return "must not contain .."
    for own in OWN:
        ours = own.split("/")[1:]
        both = min(len(ours), len(parts))
        if ours[:both] == parts[:both]:
            return f"must not be, hold or lie in {own}, which dbmigrate mounts itself"
    return None
