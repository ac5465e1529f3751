"""Which worker runs what: a file's tests stay together, and so do those of the real node.

A machine bears one real node, which takes half a minute to start: all files of
`tests/node_e2e` go to one worker.
"""

from __future__ import annotations

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

NODE = "tests/node_e2e"


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """By file, and by the folder of the real node."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(f"{NODE}/"):
            return NODE
        scope: str = super()._split_scope(nodeid)
        return scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """In place of `--dist loadfile` alone."""
    if config.getvalue("dist") != "loadfile":
        return None
    return Scheduling(config, log)
