"""A TLS front of PostgreSQL that asks for a password in clear text and checks it as a token.

So do RDS (PAM), Cloud SQL and Azure Database. What logs in well is led to the real server, as its
superuser; what does not is refused with the server's SQLSTATE.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import trustme

from tests.cloud.sigv4 import Refused
from tests.database.listening import accepted
from tests.database.server import Server

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


@dataclass(frozen=True, slots=True)
class Shown:
    """One login: the parameters of the session, and the token."""

    parameters: dict[str, str]
    token: str
    refusal: str | None = None


Check = Callable[[dict[str, str], str], None]
"""Gets the parameters of the session and the token; raises Refused."""


@dataclass
class Gate:
    """Listens on a port of the loopback until it is closed."""

    server: Server
    authority: trustme.CA
    names: tuple[str, ...]
    """What its certificate is for."""
    check: Check
    refusal: str = 'PAM authentication failed for user "{user}"'
    """What it says to who is refused; {token} is what was shown."""
    shown: list[Shown] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*self.names).configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def tokens(self) -> list[str]:
        """All that were shown."""
        return [each.token for each in self.shown]

    def cut(self) -> None:
        """Break all connections."""
        for end in list(self._open):
            _break(end)

    def close(self) -> None:
        """Break all connections and listen no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        for client in accepted(self._listener):
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        ends: list[socket.socket] = [client]
        try:
            while (code := _read_startup(client)[0]) == GSS_REQUEST:
                client.sendall(b"N")
            if code != SSL_REQUEST:
                return  # a provider's server forces TLS
            client.sendall(b"S")
            tls = self._tls.wrap_socket(client, server_side=True)
            ends = [tls]
            code, first = _read_startup(tls)
            server = socket.create_connection((self.server.host, self.server.port))
            ends.append(server)
            if code == CANCEL_REQUEST:
                server.sendall(first)
                return
            parameters = _parameters(first)
            tls.sendall(b"R" + struct.pack("!ii", 8, 3))
            if not self._admit(tls, parameters):
                return
            server.sendall(_startup({**parameters, "user": self.server.user}))
            self._open.update(ends)
            _relay(tls, server)
        except (OSError, EOFError, ValueError):
            pass  # ValueError: `cut` has closed it
        finally:
            for end in ends:
                _break(end)
                self._open.discard(end)

    def _admit(self, tls: ssl.SSLSocket, parameters: dict[str, str]) -> bool:
        kind, size = struct.unpack("!ci", _read(tls, 5))
        if kind != b"p":
            raise EOFError
        token = _read(tls, size - 4).rstrip(b"\0").decode()
        try:
            self.check(parameters, token)
        except Refused as refusal:
            self.shown.append(Shown(parameters, token, str(refusal)))
            said = self.refusal.format(user=parameters["user"], token=token)
            fields = f"SFATAL\0VFATAL\0C28000\0M{said}\0\0".encode()
            tls.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
            return False
        self.shown.append(Shown(parameters, token))
        return True


def _relay(tls: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        ready = [tls] if tls.pending() else select.select([tls, server], [], [])[0]
        for end in ready:
            data = end.recv(1 << 16)
            if not data:
                return
            (server if end is tls else tls).sendall(data)


def _read(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = end.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _read_startup(end: socket.socket) -> tuple[int, bytes]:
    head = _read(end, 4)
    rest = _read(end, struct.unpack("!i", head)[0] - 4)
    return struct.unpack("!i", rest[:4])[0], head + rest


def _parameters(startup: bytes) -> dict[str, str]:
    words = startup[8:].decode().rstrip("\0").split("\0")
    return dict(zip(words[::2], words[1::2], strict=True))


def _startup(parameters: dict[str, str]) -> bytes:
    words = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    body = struct.pack("!i", 3 << 16) + words + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def _break(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
