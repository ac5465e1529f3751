"""The entry point of `dbmigrate-operator`: SIGTERM is handled before the heavy imports."""

from __future__ import annotations

from dbmigrate import early_exit


def main() -> int:
    """Run the operator; the exit code is 1 when it could not start or had to give up."""
    early_exit.install()
    from dbmigrate.controller.program import main as run

    return run()
