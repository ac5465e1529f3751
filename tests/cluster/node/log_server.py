"""The part of a kubelet that `kubectl logs` talks to, by way of the API server.

Of its options it knows follow, tailLines and limitBytes; the others are refused.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

KNOWN = frozenset({"follow", "tailLines", "limitBytes"})
PREFIX = "containerLogs"
POLL = 0.05
"""Seconds between two looks at a log that is followed."""

FindLog = Callable[[str, str, str], Path | None]
"""The log of a container, by namespace, Pod and container."""
IsRunning = Callable[[str, str, str], bool]


class LogServer:
    """Listens on a free port of the loopback, with the API server's own certificate."""

    def __init__(
        self, certificate: Path, key: Path, *, find: FindLog, is_running: IsRunning
    ) -> None:
        self._server = _Server(find, is_running)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; logs that are followed end."""
        self._server.is_closing = True
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, find: FindLog, is_running: IsRunning) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.find = find
        self.is_running = is_running
        self.is_closing = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """/containerLogs/NAMESPACE/POD/CONTAINER?follow=true&tailLines=10"""
        address = urlsplit(self.path)
        options = {name: values[-1] for name, values in parse_qs(address.query).items()}
        parts = address.path.strip("/").split("/")
        unknown = sorted(name for name in set(options) - KNOWN if options[name] != "false")
        if len(parts) != 4 or parts[0] != PREFIX:
            self.send_error(404)
            return
        if unknown:
            self._refuse(400, f"the node of the tests does not know {', '.join(unknown)} of logs")
            return
        where = (parts[1], parts[2], parts[3])
        path = self.server.find(*where)
        if path is None:
            self._refuse(404, f"no log of container {parts[3]} of {parts[1]}/{parts[2]}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        for chunk in self._read(path, where, options):
            self.wfile.write(chunk)
            self.wfile.flush()

    def _read(
        self, path: Path, where: tuple[str, str, str], options: dict[str, str]
    ) -> Iterator[bytes]:
        with path.open("rb") as log:
            content = log.read()
            if tail := options.get("tailLines"):
                lines = content.splitlines(keepends=True)
                content = b"".join(lines[max(0, len(lines) - int(tail)) :])
            if limit := options.get("limitBytes"):
                content = content[: int(limit)]
            yield content
            while options.get("follow") == "true" and not self.server.is_closing:
                # Asked before reading: what it wrote last is there when it has ended.
                goes_on = self.server.is_running(*where)
                if more := log.read():
                    yield more
                elif not goes_on:
                    return
                else:
                    time.sleep(POLL)

    def _refuse(self, code: int, message: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(message.encode())

    def log_message(self, *_arguments: object) -> None:
        """The tests' output is not its place."""
