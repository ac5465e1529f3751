"""`dbmigrate-operator`: its two commands, `run` and `install-crds`, and their exit codes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from dbmigrate.controller.cluster import ClusterError
from dbmigrate.controller.config import read_config
from dbmigrate.controller.definitions.install import BadDefinition
from dbmigrate.controller.definitions.install import main as install_definitions
from dbmigrate.controller.endpoints import ListenError
from dbmigrate.controller.logs import configure_logs
from dbmigrate.controller.service import run_operator
from dbmigrate.printable import block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; the exit code is 1 when it could not start or had to give up."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["install-crds"]:
        return _install(words[1:])
    config = read_config(words)
    configure_logs(config.log_level, config.log_format)
    try:
        asyncio.run(run_operator(config))
    except (ClusterError, ListenError) as problem:
        print(f"error: {block(str(problem))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _install(operands: Sequence[str]) -> int:
    try:
        return install_definitions(operands)
    except (BadDefinition, ClusterError) as problem:
        print(f"error: {block(str(problem))}", file=sys.stderr)
        return 1
