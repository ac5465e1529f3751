"""A server that lets anyone in and then never comes to the point: it sends a little for ever.

    with closing(DrippingServer(Drip.NOTICES)) as server:
        url = server.url

A real server does this only under load that a test can't arrange: what is sent is what the
protocol allows at that place.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum

from tests.database.listening import accepted
from tests.database.proxy import REQUESTS_WITHOUT_TLS

_CANCEL_REQUEST = 80877102


class Drip(StrEnum):
    """What is sent, a piece at a time."""

    NOTICES = "notices"
    PARAMETERS = "parameters"
    NOTIFICATIONS = "notifications"
    ONE_MESSAGE = "one message without end"
    ROWS = "rows"
    COPY = "data of a COPY TO STDOUT"
    COPY_FROM = "notices in the place of reading rows"


class DrippingServer:
    """Listens on a port of the loopback until it is closed.

    `in_login`: the drip begins before the login is over. `every` is in seconds; 0 sends as fast
    as the client reads.
    """

    def __init__(self, drip: Drip, *, in_login: bool = False, every: float = 0.05) -> None:
        self._drip = drip
        self._in_login = in_login
        self._every = every
        self._is_over = threading.Event()
        self._open: set[socket.socket] = set()
        self.on_drip: Callable[[], object] | None = None
        """Called back before each piece."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgres://tester@127.0.0.1:{port}/postgres?sslmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break all connections and listen no more."""
        self._is_over.set()
        self._listener.close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        for client in accepted(self._listener):
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._starts(client):
                    self._log_in(client)
                    self._send_for_ever(client)
        finally:
            self._open.discard(client)

    def _starts(self, client: socket.socket) -> bool:
        """Read the first message; False for a request to cancel, which is not heeded."""
        while True:
            head = client.recv(8, socket.MSG_WAITALL)
            if len(head) < 8:
                return False
            size, code = struct.unpack("!ii", head)
            client.recv(size - 8, socket.MSG_WAITALL)
            if code not in REQUESTS_WITHOUT_TLS:
                return bool(code != _CANCEL_REQUEST)
            client.sendall(b"N")

    def _log_in(self, client: socket.socket) -> None:
        client.sendall(_message(b"R", struct.pack("!i", 0)))
        if self._in_login:
            return
        for name, value in (("server_version", "18.0"), ("client_encoding", "UTF8")):
            client.sendall(_parameter(name, value))
        client.sendall(_message(b"K", struct.pack("!ii", 4711, 1)) + _message(b"Z", b"I"))
        client.recv(1 << 16)  # the first query

    def _send_for_ever(self, client: socket.socket) -> None:
        for piece in _pieces(self._drip):
            if self.on_drip is not None:
                self.on_drip()
            client.sendall(piece)
            if self._every and self._is_over.wait(self._every):
                return


def _pieces(drip: Drip) -> Iterator[bytes]:
    if drip is Drip.ONE_MESSAGE:
        yield b"N" + struct.pack("!i", 1 << 30)
        yield from itertools.repeat(b"x" * 64)
    elif drip is Drip.ROWS:
        column = b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
        yield _message(b"T", struct.pack("!h", 1) + column)
        yield from itertools.repeat(_message(b"D", struct.pack("!hi", 1, 1024) + b"x" * 1024))
    elif drip is Drip.COPY:
        yield _message(b"H", struct.pack("!bhh", 0, 1, 0))
        yield from itertools.repeat(_message(b"d", b"x\n"))
    elif drip is Drip.NOTIFICATIONS:
        payload = struct.pack("!i", 1) + b"c\0" + b"x" * 1024 + b"\0"
        yield from itertools.repeat(_message(b"A", payload))
    elif drip is Drip.PARAMETERS:
        yield from (_parameter("application_name", str(n)) for n in itertools.count())
    else:
        if drip is Drip.COPY_FROM:
            yield _message(b"G", struct.pack("!bhh", 0, 1, 0))
        fields = b"SNOTICE\0VNOTICE\0C00000\0Mstill at it\0\0"
        yield from itertools.repeat(_message(b"N", fields))


def _parameter(name: str, value: str) -> bytes:
    return _message(b"S", f"{name}\0{value}\0".encode())


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
