"""The providers' metadata and token services, as far as a login needs them."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    host: str
    """Of the Host header."""
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By their names in lower case."""
    form: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    body: str | dict[str, Any] = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Respond = Callable[[Asked], Answer]


class Endpoint:
    """An HTTP server on the loopback, and a proxy for HTTPS to `names`, which it answers itself."""

    def __init__(self, respond: Respond, authority: trustme.CA | None = None, *names: str) -> None:
        self.asked: list[Asked] = []
        self.ahead = 0.0
        """Seconds by which its clock is ahead."""
        tls = None
        if authority is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*names).configure_cert(tls)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, respond, tls))
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(
    endpoint: Endpoint, respond: Respond, tls: ssl.SSLContext | None
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            if tls is None:
                self.send_error(405)
                return
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.connection = tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)
            self.close_connection = False

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def answer(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode()
            asked = Asked(
                self.command,
                self.headers.get("Host", ""),
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                {name: values[0] for name, values in parse_qs(body).items()},
            )
            endpoint.asked.append(asked)
            given = respond(asked) if self.command != "HEAD" else Answer(status=405)
            text = given.body if isinstance(given.body, str) else json.dumps(given.body)
            is_json = not isinstance(given.body, str)
            self.send_response_only(given.status)
            self.send_header("Date", formatdate(time.time() + endpoint.ahead, usegmt=True))
            kind = {"Content-Type": "application/json" if is_json else "text/plain"}
            self.send_header("Content-Length", str(len(text.encode())))
            for name, value in {**kind, **given.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    return Handler
