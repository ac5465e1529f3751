"""`dbmigrate-operator`: its two commands, `run` and `install-crds`, and their exit codes.

What either of them needs is imported when it is known which one, and after the addresses of
the probes are listened at.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Sequence

from dbmigrate.controller.config import Config, read_config
from dbmigrate.controller.listening import ListenError, listen_at
from dbmigrate.printable import block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; the exit code is 1 when it could not start or had to give up."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["install-crds"]:
        return _install(words[1:])
    config = read_config(words)
    try:
        listeners = listen_at((config.health, config.metrics))
    except ListenError as problem:
        return _fail(problem)
    return _run(config, listeners)


def _run(config: Config, listeners: Sequence[socket.socket]) -> int:
    import asyncio

    from dbmigrate.controller.cluster import ClusterError
    from dbmigrate.controller.logs import configure_logs
    from dbmigrate.controller.service import run_operator

    configure_logs(config.log_level, config.log_format)
    # What is imported stays: the garbage collector need not look at it again and again.
    gc.freeze()
    try:
        asyncio.run(run_operator(config, listeners))
    except ClusterError as problem:
        return _fail(problem)
    except KeyboardInterrupt:
        return 130
    return 0


def _install(operands: Sequence[str]) -> int:
    from dbmigrate.controller.cluster import ClusterError
    from dbmigrate.controller.definitions.install import BadDefinition
    from dbmigrate.controller.definitions.install import main as install_definitions

    try:
        return install_definitions(operands)
    except (BadDefinition, ClusterError) as problem:
        return _fail(problem)


def _fail(problem: Exception) -> int:
    print(f"error: {block(str(problem))}", file=sys.stderr)
    return 1
