"""The addresses at which the operator is asked for its health and its metrics.

They are listened at before the large imports, which take seconds on a busy node: a probe
that connects meanwhile waits for its answer, and is not refused. An address without a host
stands for all addresses of the machine, of IPv6 and of IPv4.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

Address = tuple[str, int]
BACKLOG = 64


class ListenError(Exception):
    """Listening at an address failed; the message says at which, and why."""


def listen_at(addresses: Iterable[Address | None]) -> tuple[socket.socket, ...]:
    """A socket for each different address. Raises ListenError."""
    return tuple(listen(each) for each in dict.fromkeys(addresses) if each is not None)


def listen(address: Address) -> socket.socket:
    """A socket that listens at a host and port. Raises ListenError.

    Without a host, and at `::`, it takes connections of both families where the machine has IPv6;
    of a name with several addresses the first that can be bound is taken.
    """
    host, port = address
    if not host:
        host = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        raise ListenError(f"{_write_address(address)} is no address: {problem}") from problem
    problems = []
    for family, _type, _protocol, _name, place in found:
        both = host == "::" and socket.has_dualstack_ipv6()
        try:
            return socket.create_server(
                place,
                family=family,
                backlog=BACKLOG,
                dualstack_ipv6=both,
            )
        except OSError as problem:
            problems.append(os.strerror(problem.errno) if problem.errno else str(problem))
    raise ListenError(f"cannot listen at {_write_address(address)}: {', '.join(problems)}")


def _write_address(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
