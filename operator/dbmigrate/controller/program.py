"""`dbmigrate-operator run`: its command line, its logs and its exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from dbmigrate.controller.cluster import ClusterError
from dbmigrate.controller.config import read_config
from dbmigrate.controller.endpoints import ListenError
from dbmigrate.controller.logs import configure_logs
from dbmigrate.controller.service import run_operator
from dbmigrate.printable import block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; the exit code is 1 when it could not start or had to give up."""
    config = read_config(sys.argv[1:] if arguments is None else arguments)
    configure_logs(config.log_level, config.log_format)
    try:
        asyncio.run(run_operator(config))
    except (ClusterError, ListenError) as problem:
        print(f"error: {block(str(problem))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
