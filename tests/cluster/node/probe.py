"""Whether this machine lets the node make containers: by making one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.node.process import SANDBOX
from tests.cluster.node.root import Root

REMEDY = (
    "it needs Linux 5.12 with unprivileged user namespaces"
    " (sysctl user.max_user_namespaces; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0;"
    " in a container --privileged)"
)


def find_obstacle() -> str | None:
    """None if a container runs; else what stands in the way, and what to do."""
    if sys.platform != "linux":
        return f"this is {sys.platform}, and {REMEDY}"
    with tempfile.TemporaryDirectory(prefix="dbmigrate-probe-") as scratch:
        directory = Path(scratch)
        (directory / "root").mkdir()
        failure = directory / "failure"
        order = {
            "parent": os.getpid(),
            "root": str(directory / "root"),
            "operations": Root().operations(),
            "read_only": True,
            "user": 65532,
            "group": 65532,
            "hostname": "probe",
            "command": ["true"],
            "environment": {"PATH": "/usr/bin:/bin"},
            "directory": "/",
            "drop_capabilities": True,
            "no_new_privileges": True,
            "failure": str(failure),
        }
        path = directory / "order.json"
        path.write_text(json.dumps(order))
        command = [sys.executable, "-I", "-S", SANDBOX, str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return None
        said = failure.read_text() if failure.exists() else ""
        return f"{said or run.stderr.strip()[-300:]}; {REMEDY}"
