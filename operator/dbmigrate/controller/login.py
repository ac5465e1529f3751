"""kopf's connection: the operator's own credentials, and answers with bounded nesting.

The kubelet renews a service account's token long before it expires. kopf asks for
credentials when the present ones are refused; it is also told to ask every few minutes,
so that no stream is opened with a token that is about to expire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import kopf
from kubernetes.aio.client import Configuration

from dbmigrate.api.documents import decode, flatten
from dbmigrate.api.names import GROUP
from dbmigrate.controller.cluster import NOT_FOUND

TOKEN_LIFETIME = timedelta(minutes=5)


class BoundedResponse(aiohttp.ClientResponse):
    """An answer of the API server, flattened before kopf reads it.

    An exception while it reads one object ends kopf, and the operator with it.
    """

    on_missing: ClassVar[Callable[[], object]] = staticmethod(lambda: None)
    """Called when the API server does not know our kinds any more. kopf gives up then, and waits
    for its other streams without end."""
    on_line: ClassVar[Callable[[str], object]] = staticmethod(lambda _: None)
    """Called with the URL path of a watch stream for each line of it."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """aiohttp calls it when the headers of the answer have arrived."""
        await super().start(connection)
        if self.status == NOT_FOUND and f"/apis/{GROUP}/" in self.url.path:
            type(self).on_missing()
        heard = partial(type(self).on_line, self.url.path)
        self.content = _Lines(self.content, heard)  # type: ignore[assignment]
        return self

    async def json(self, **_: Any) -> Any:
        """The whole answer, a list for instance."""
        return decode(await self.read())


class _Lines:
    """The body of an answer; kopf reads a watch stream in chunks, one line after the other."""

    def __init__(self, content: aiohttp.StreamReader, on_line: Callable[[], object]) -> None:
        self._content = content
        self._on_line = on_line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        parts: list[bytes] = []
        async for chunk in self._content.iter_chunked(size):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                self._on_line()
                yield flatten(b"".join([*parts, end])) + b"\n"
                parts = []
            parts.append(rest)
        yield flatten(b"".join(parts))


def register_login(
    registry: kopf.OperatorRegistry,
    configuration: Configuration,
    on_missing: Callable[[], object],
    on_line: Callable[[str], object],
) -> None:
    """Give kopf the operator's connection.

    `on_missing` is called when our kinds are gone, `on_line` for each line of a watch stream,
    with the path of its collection below the API server's URL.
    """
    prefix = urlsplit(configuration.host).path.rstrip("/")
    hooks = {
        "on_missing": staticmethod(on_missing),
        "on_line": staticmethod(lambda path: on_line(path.removeprefix(prefix))),
    }
    response = type("Response", (BoundedResponse,), hooks)

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:
        header = await configuration.get_api_key_with_prefix("BearerToken")
        scheme, _space, token = (header or "").partition(" ")
        access = kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=token.strip() or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.as_ssl_context()),
            headers=access.as_http_headers(),
            response_class=response,
        )
        return kopf.AiohttpSession(
            server=access.server,
            aiohttp_session=session,
            expiration=datetime.now(UTC) + TOKEN_LIFETIME if token else None,
        )
