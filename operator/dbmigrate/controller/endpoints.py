"""The HTTP endpoints of the operator: /metrics, /healthz and /readyz.

They are served from a thread, so that they answer while the event loop is busy;
/healthz reports whether the event loop runs. Each requested address answers all
three paths. An address without a host stands for all addresses of the machine, of
IPv6 and of IPv4.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PLAIN = "text/plain; charset=utf-8"

Question = Callable[[], bool]


class ListenError(Exception):
    """Listening at an address failed; the message says at which, and why."""


class Endpoints(ThreadingHTTPServer):
    """The server, with what it needs to answer. Raises ListenError."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        registry: CollectorRegistry,
        *,
        is_alive: Question,
        is_ready: Question,
    ) -> None:
        super().__init__(address, _Handler, bind_and_activate=False)
        # The socket that the base class has made is of IPv4, and not bound.
        self.socket.close()
        self.socket = listen(address, backlog=self.request_queue_size)
        self.server_address = self.socket.getsockname()
        self.registry = registry
        self.questions = {"/healthz": is_alive, "/readyz": is_ready}


def listen(address: tuple[str, int], *, backlog: int) -> socket.socket:
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
                backlog=backlog,
                dualstack_ipv6=both,
            )
        except OSError as problem:
            problems.append(os.strerror(problem.errno) if problem.errno else str(problem))
    raise ListenError(f"cannot listen at {_write_address(address)}: {', '.join(problems)}")


def _write_address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoints
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.registry))
            return
        question = self.server.questions.get(path)
        if question is None:
            self._answer(HTTPStatus.NOT_FOUND, PLAIN, b"not found\n")
        elif question():
            self._answer(HTTPStatus.OK, PLAIN, b"ok\n")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, b"no\n")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a probe every ten seconds is not worth a line."""

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def served(endpoints: Endpoints) -> Iterator[int]:
    """Serve in a thread until the block ends; yields the port."""
    thread = threading.Thread(target=endpoints.serve_forever, name="endpoints", daemon=True)
    thread.start()
    try:
        yield endpoints.server_address[1]
    finally:
        endpoints.shutdown()
        endpoints.server_close()
        thread.join()
