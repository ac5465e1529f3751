"""The entry point of `dbmigrate`: SIGTERM is handled before the heavy imports."""

from __future__ import annotations

from typing import NoReturn

from dbmigrate import early_exit


def main() -> NoReturn:
    """Run the program on the process's own arguments and streams, and end the process."""
    early_exit.install()
    from dbmigrate.cli.main import main as run

    run()
