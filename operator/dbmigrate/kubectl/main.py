"""The program `kubectl-dbmigrate`, which kubectl runs as `kubectl dbmigrate`.

0    done
1    not done: an error, an order that was refused or failed, a wait without success
2    an invalid command line
130  interrupted (143: by SIGTERM)

An order stays in force, however waiting for it ends.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from dbmigrate.kubectl.arguments import parse_arguments
from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.order import NotDone
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.requests import (
    DriftRequest,
    FleetViewRequest,
    LogsRequest,
    OrderRequest,
    PlanRequest,
    Request,
    StatusRequest,
    WaitRequest,
)
from dbmigrate.kubectl.screen import Screen
from dbmigrate.kubectl.session import CommandContext

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line on the process's own streams. Returns the exit code."""
    access, request = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # output must not fail in a C locale
    # Handled like Ctrl-C: otherwise the kubectl that watches would remain.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    screen = Screen(sys.stdout, sys.stderr, sys.stdin or io.StringIO(), os.environ)
    session = CommandContext(Kubectl(access, os.environ), screen, lambda: datetime.now(UTC))
    try:
        run(session, request)
    except (RequestFailed, NotDone) as problem:
        screen.error(str(problem))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`): the interpreter must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def run(session: CommandContext, request: Request) -> None:
    """Run the command; only its own module is imported."""
    match request:
        case StatusRequest():
            from dbmigrate.kubectl.commands.status import show_status

            show_status(session, request)
        case PlanRequest():
            from dbmigrate.kubectl.commands.plan import show_plan

            show_plan(session, request)
        case DriftRequest():
            from dbmigrate.kubectl.commands.drift import show_drift

            show_drift(session, request)
        case OrderRequest(is_for_set=True):
            from dbmigrate.kubectl.commands.fleet import order_fleet

            order_fleet(session, request)
        case OrderRequest():
            from dbmigrate.kubectl.commands.order import give_order

            give_order(session, request)
        case LogsRequest():
            from dbmigrate.kubectl.commands.logs import show_logs

            show_logs(session, request)
        case FleetViewRequest():
            from dbmigrate.kubectl.commands.fleet import show_fleet

            show_fleet(session, request)
        case WaitRequest():
            from dbmigrate.kubectl.commands.wait import wait_until_ready

            wait_until_ready(session, request)


if __name__ == "__main__":
    sys.exit(main())
