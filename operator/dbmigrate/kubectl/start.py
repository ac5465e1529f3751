"""The entry point of `kubectl-dbmigrate`: SIGTERM is handled before the heavy imports."""

from __future__ import annotations

from dbmigrate import early_exit


def main() -> int:
    """Run one command line on the process's own streams. Returns the exit code."""
    early_exit.install()
    from dbmigrate.kubectl.main import main as run

    return run()
