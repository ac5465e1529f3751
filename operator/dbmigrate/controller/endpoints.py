"""The HTTP endpoints of the operator: /metrics, /healthz, /readyz and /startz.

They are served from threads, so that they answer while the event loop is busy;
/healthz reports whether the event loop runs. Each requested address answers all
paths.

A kubelet posts a Warning event for each probe that fails, so a start must not fail one,
however slow the node is. The startup probe asks /startz, which waits for the operator to
be ready; the readiness probe comes after it.
"""

from __future__ import annotations

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


class Endpoints(ThreadingHTTPServer):
    """The server, with what it needs to answer."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        registry: CollectorRegistry,
        *,
        is_alive: Question,
        is_ready: Question,
        has_started: Question,
    ) -> None:
        """`listener` listens already. An answer of `has_started` may take long."""
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        # The socket that the base class has made is of IPv4, and not bound.
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.registry = registry
        self.questions = {"/healthz": is_alive, "/readyz": is_ready, "/startz": has_started}


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
