"""A PostgreSQL server that has any number of tenants: it answers from a recorded run on a few.

    with closing(Recorder(database)) as recorder:
        ...a run over recorder.url on the tenants of `tenant_name`...
    with closing(ReplayServer(recorder.conversations)) as server:
        ...the same run over server.url on as many tenants as wanted...

The connection that reads many histories together asks for other tenants in each statement. Its
answers are put together from the rows that were recorded of the first tenant. Every other
connection has one tenant: it gets the recorded answers in their order, with its own name in them.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

from tests.database.listening import accepted
from tests.database.proxy import Message, Proxy, Side
from tests.database.server import Database

_TENANT = re.compile(rb"\btenant_[0-9]{7}\b")
_IS_READER = b"dbmigrate fleet\x00"
"""In the startup message of a connection that reads many histories, as its application_name."""
_DESCRIPTION, _ROW, _TERMINATE = b"T", b"D", b"X"
_KINDS: Mapping[str, bytes] = {
    "capacity": b"'max_locks_per_transaction'",
    "tables": b"FROM pg_catalog.pg_class c JOIN",
    "digests": b"BEGIN ISOLATION LEVEL READ COMMITTED",
    "history": b"BEGIN ISOLATION LEVEL REPEATABLE READ",
}
"""What the statements of a reader are told apart by."""


def tenant_name(number: int) -> str:
    """All names have one length, so that a message keeps its own with another name in it."""
    return f"tenant_{number:07}"


@dataclass(slots=True)
class Conversation:
    """One recorded connection."""

    startup: bytes = b""
    exchanges: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    """What the client sent, and the messages of the answer; the first one is the startup's."""

    @property
    def is_reader(self) -> bool:
        """Whether it has read many histories together."""
        return _IS_READER in self.startup


class Recorder:
    """A proxy before the real server that remembers the conversations."""

    def __init__(self, database: Database) -> None:
        self._found: dict[int, Conversation] = defaultdict(Conversation)
        self._proxy = Proxy(database.server.host, database.server.port, hook=self._take)
        self.url = self._proxy.divert(database.url)

    def close(self) -> None:
        """Record no more."""
        self._proxy.close()

    @property
    def conversations(self) -> list[Conversation]:
        """In the order in which they began."""
        return [self._found[link] for link in sorted(self._found)]

    def _take(self, message: Message) -> None:
        conversation = self._found[message.link]
        if message.side is Side.SERVER:
            conversation.exchanges[-1][1].append(message.data)
            return
        conversation.startup = conversation.startup or message.data
        if message.data[:1] != _TERMINATE:
            conversation.exchanges.append((message.data, []))


class ReplayServer:
    """Listens on a port of the loopback; a thread for each connection."""

    def __init__(self, conversations: Sequence[Conversation], url: str) -> None:
        """`url`: that of the recorded database."""
        readers = [each for each in conversations if each.is_reader]
        self._reader = _Reader(readers[0]) if readers else None
        self._single = next((each for each in conversations if not each.is_reader), None)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = self._listener.getsockname()[1]
        parts = urlsplit(url)
        who, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{who}{at}127.0.0.1:{port}"))
        self.problems: list[str] = []
        """What was asked that was not recorded."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        for client in accepted(self._listener):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as stream, suppress(OSError):
            messages = _read_messages(stream)
            startup = next(messages, b"")
            answers = self._answers(startup, messages)
            for answer in answers:
                client.sendall(answer)

    def _answers(self, startup: bytes, messages: Iterator[bytes]) -> Iterator[bytes]:
        if _IS_READER in startup and self._reader is not None:
            yield self._reader.welcome
            for message in messages:
                answer = self._reader.answer(message)
                if answer is None:
                    self.problems.append(f"a reader was asked {message[:2000]!r}")
                    return
                yield answer
            return
        name, recorded = _TENANT.search(startup), self._single
        if name is None or recorded is None:
            self.problems.append(f"connected as {startup!r}")
            return
        asked = _with_first(startup, messages)
        for (_, told), _ in zip(recorded.exchanges, asked, strict=False):
            yield _TENANT.sub(name[0], b"".join(told))
        for message in messages:
            self.problems.append(f"after the recorded end: {message[:2000]!r}")
            return


class _Reader:
    """Answers a connection that reads many histories."""

    def __init__(self, recorded: Conversation) -> None:
        self.welcome = b"".join(recorded.exchanges[0][1])
        self._templates: dict[str, list[bytes]] = {}
        for sql, answer in recorded.exchanges[1:]:
            kind = _kind_of(sql)
            if kind is not None:
                self._templates.setdefault(kind, answer)

    def answer(self, sql: bytes) -> bytes | None:
        """As the real server would answer for the tenants that are named; None: not known."""
        kind = _kind_of(sql)
        template = self._templates.get(kind or "")
        if template is None:
            return None
        names = sorted(set(_TENANT.findall(sql)))
        if kind == "tables":
            return b"".join(_fill(template, [_rename(template, name) for name in names]))
        if kind == "digests":
            return b"".join(_fill(template, _numbered(template, len(names))))
        return _TENANT.sub(names[0], b"".join(template)) if names else b"".join(template)


def _kind_of(sql: bytes) -> str | None:
    return next((kind for kind, mark in _KINDS.items() if mark in sql), None)


def _fill(template: Sequence[bytes], rows: Sequence[bytes]) -> Iterator[bytes]:
    """The messages of an answer with these rows in the place of those of its last result."""
    first = _last_result(template)
    yield from template[:first]
    yield from rows
    yield from (each for each in template[first:] if each[:1] != _ROW)


def _last_result(template: Sequence[bytes]) -> int:
    """Where the rows of the last result begin."""
    return 1 + max(index for index, each in enumerate(template) if each[:1] == _DESCRIPTION)


def _rename(template: Sequence[bytes], name: bytes) -> bytes:
    """The rows about the first recorded tenant, as those of another one."""
    rows = [each for each in template if each[:1] == _ROW]
    first = min((found[0] for each in rows if (found := _TENANT.search(each))), default=b"")
    return b"".join(_TENANT.sub(name, row) for row in rows if first in row)


def _numbered(template: Sequence[bytes], count: int) -> list[bytes]:
    """The first recorded row, with the numbers 0 to `count` - 1 in its first column."""
    row = template[_last_result(template)]
    columns, size = struct.unpack_from("!hi", row, 5)
    rest = row[11 + size :]
    found = []
    for number in range(count):
        text = str(number).encode()
        body = struct.pack("!hi", columns, len(text)) + text + rest
        found.append(_ROW + struct.pack("!i", 4 + len(body)) + body)
    return found


def _with_first(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _read_messages(stream: BinaryIO) -> Iterator[bytes]:
    """The client's messages, up to its Terminate or the end."""
    head = 0
    while len(start := stream.read(head + 4)) == head + 4:
        if start[:1] == _TERMINATE and head:
            return
        size = int(struct.unpack_from("!i", start, head)[0])
        yield start + stream.read(size - 4)
        head = 1
