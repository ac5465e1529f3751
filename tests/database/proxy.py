"""A proxy before PostgreSQL that knows the protocol's messages, to break connections at them.

    with closing(Proxy(server.host, server.port)) as proxy:
        url = proxy.divert(database.url)

Without a hook it forwards what it gets and counts round trips. A hook is asked
before each message goes on; it may take its time, and it may raise Cut.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

from tests.database.listening import accepted

REQUESTS_WITHOUT_TLS = {80877103, 80877104}
"""Codes of SSLRequest and GSSENCRequest: the server answers with one bare byte."""


class Side(StrEnum):
    """Where a message comes from."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way; `number` counts from 1 over all connections and both sides."""

    number: int
    side: Side
    kind: str
    """The protocol's letter; `startup` for a first message, `bare` for an answer to SSLRequest."""
    data: bytes
    link: int
    """The connection that it is of, counted from 1."""


class Cut(Exception):
    """Raised by a hook: break the connection here, before this message."""


Hook = Callable[[Message], None]


class Proxy:
    """Listens on a port of the loopback until it is closed."""

    def __init__(
        self, host: str, port: int, *, hook: Hook | None = None, latency: float = 0.0
    ) -> None:
        self._target = (host, port)
        self._hook = hook
        self._latency = latency
        """Seconds that are added to each round trip."""
        self._lock = threading.Lock()
        self._number = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._links = 0
        self.round_trips = 0
        """How often the server has answered, over all connections: the client's last message,
        Terminate, has no answer, and may come here after the client has ended."""
        threading.Thread(target=self._accept, daemon=True).start()

    def divert(self, url: str) -> str:
        """The URL with the proxy's address in it."""
        parts = urlsplit(url)
        who, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{who}{at}127.0.0.1:{self.port}"))

    @property
    def messages(self) -> int:
        """How many messages came, if there is a hook."""
        return self._number

    def close(self) -> None:
        """Break all connections and listen no more."""
        self._listener.close()
        for side in list(self._open):
            _break(side)

    def _accept(self) -> None:
        for client in accepted(self._listener):
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(end)
            self._links += 1
            link = _Link(self, self._links, client, server)
            threading.Thread(target=link.carry, args=(Side.CLIENT,), daemon=True).start()
            threading.Thread(target=link.carry, args=(Side.SERVER,), daemon=True).start()

    def _count_round_trip(self) -> None:
        with self._lock:
            self.round_trips += 1

    def _number_of_next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number


class _Link:
    """One connection: its two ends and who has spoken last."""

    def __init__(
        self, proxy: Proxy, number: int, client: socket.socket, server: socket.socket
    ) -> None:
        self._proxy = proxy
        self._number = number
        self._ends = {Side.CLIENT: client, Side.SERVER: server}
        self._last = Side.SERVER
        self._is_started = False
        self._bare_answers = 0

    def carry(self, side: Side) -> None:
        source = self._ends[side]
        target = self._ends[Side.SERVER if side is Side.CLIENT else Side.CLIENT]
        rest = b""
        try:
            while chunk := source.recv(1 << 18):
                self._note(side)
                if self._proxy._hook is None:
                    target.sendall(chunk)
                    continue
                rest = self._forward(side, target, rest + chunk)
        except (OSError, Cut):
            pass
        finally:
            for end in self._ends.values():
                _break(end)
                self._proxy._open.discard(end)

    def _note(self, side: Side) -> None:
        is_answer = side is Side.SERVER and self._last is Side.CLIENT
        self._last = side
        if is_answer:
            self._proxy._count_round_trip()
            if self._proxy._latency:
                time.sleep(self._proxy._latency)

    def _forward(self, side: Side, target: socket.socket, data: bytes) -> bytes:
        """Send on all whole messages; give back what is left."""
        while (found := self._split(side, data)) is not None:
            kind, size = found
            message = Message(self._proxy._number_of_next(), side, kind, data[:size], self._number)
            if self._proxy._hook is not None:
                self._proxy._hook(message)
            target.sendall(data[:size])
            data = data[size:]
        return data

    def _split(self, side: Side, data: bytes) -> tuple[str, int] | None:
        """The kind and size of the first message, if it is all there."""
        if side is Side.SERVER and self._bare_answers and data:
            self._bare_answers -= 1
            return "bare", 1
        is_startup = side is Side.CLIENT and not self._is_started
        head = 0 if is_startup else 1
        if len(data) < head + 4:
            return None
        size = head + int(struct.unpack_from("!i", data, head)[0])
        if len(data) < size:
            return None
        if not is_startup:
            return chr(data[0]), size
        if struct.unpack_from("!i", data, 4)[0] in REQUESTS_WITHOUT_TLS:
            self._bare_answers += 1
        else:
            self._is_started = True
        return "startup", size


def _break(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
