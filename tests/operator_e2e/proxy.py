"""A proxy between the operator and the API server, at which tests break things.

It speaks plain HTTP to the operator and passes every request on. A test may look
at each call before it is passed on, and let it through, answer in the server's
place, or act just after the server has acted and before the operator hears of it:
the moment at which a crash hurts most. Watch streams can be cut.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp import web

BULK = 2**30
CLOSING_SECONDS = 0.25


CLUSTER_PATH = "/api/v1/namespaces/kube-system"
"""Asked for once, at an operator's start."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the operator."""

    number: int
    """Counted from 1, watches and discovery left out."""
    method: str
    path: str
    body: bytes = field(default=b"", repr=False)

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call."""

    status: int | None = None
    """Answer with this instead of asking the server."""
    before: Callable[[], None] | None = None
    """Do this, and answer nothing: the server has not seen the call."""
    after: Callable[[], None] | None = None
    """Let the server act, do this, and answer nothing."""


Judge = Callable[[Call], Fault | None]


def let_through(call: Call) -> Fault | None:
    """The judge that finds no fault."""
    del call
    return None


class Proxy:
    """Runs in a thread of its own until it is closed."""

    def __init__(self, server: str, authority: str) -> None:
        self._server = server
        self._authority = authority
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._streams: set[asyncio.Task[Any]] = set()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self.calls: list[Call] = []
        self.judge: Judge = let_through
        self.is_down = False
        """While set, no request gets an answer, as if the API server were gone."""
        self.expired = 0
        """How many watches are still to be told that their place in time is gone (410)."""
        self._thread.start()
        self.url = self._run(self._start())

    def close(self) -> None:
        """Stop, and cut what is open."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut_streams(self) -> None:
        """Drop every watch that is open."""
        self._run(self._cut())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _start(self) -> str:
        context = ssl.create_default_context(cafile=self._authority)
        self._connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(connector=self._connector, auto_decompress=False)
        application = web.Application(client_max_size=BULK)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _stop(self) -> None:
        await self._cut()
        await self._runner.cleanup()
        # Connections to the server are dropped at once, without TLS's goodbye.
        await self._connector.close(abort_ssl=True)
        await self._session.close()
        for transport in list(self._transports):
            transport.abort()
        # A dropped connection is closed in one of the next turns of the loop; aiohttp's
        # own advice for TLS is to wait a moment, too.
        await asyncio.sleep(CLOSING_SECONDS)

    async def _cut(self) -> None:
        streams = list(self._streams)
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        if self.is_down:
            return self._hang_up(request)
        if request.query.get("watch") == "true":
            return await self._stream(request)
        body = await request.read()
        fault = self._judge(request, body)
        if fault is not None and fault.status is not None:
            return _answer(fault.status)
        if fault is not None and fault.before is not None:
            await asyncio.to_thread(fault.before)
            return self._hang_up(request)
        async with self._forward(request, body) as response:
            content = await response.read()
            if fault is not None and fault.after is not None:
                await asyncio.to_thread(fault.after)
                return self._hang_up(request)
            headers = {"Content-Type": response.headers.get("Content-Type", "")}
            return web.Response(status=response.status, body=content, headers=headers)

    def _judge(self, request: web.Request, body: bytes) -> Fault | None:
        if "/namespaces/" not in request.path or request.path == CLUSTER_PATH:
            return None  # discovery, and what an operator of a whole cluster lists at its start
        call = Call(len(self.calls) + 1, request.method, request.path, body)
        self.calls.append(call)
        return self.judge(call)

    def _forward(self, request: web.Request, body: bytes) -> Any:
        kept = {"Authorization", "Content-Type", "Accept", "User-Agent"}
        headers = {k: v for k, v in request.headers.items() if k in kept}
        url = f"{self._server}{request.path_qs}"
        return self._session.request(request.method, url, data=body or None, headers=headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._streams.add(task)
        try:
            if self.expired > 0:
                self.expired -= 1
                return _expire()
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            async with self._forward(request, b"") as upstream:
                response.set_status(upstream.status)
                await response.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await response.write(chunk)
            return response
        except asyncio.CancelledError:
            return self._hang_up(request)
        finally:
            if task is not None:
                self._streams.discard(task)

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _answer(status: int) -> web.Response:
    reasons = {409: "Conflict", 429: "TooManyRequests", 503: "ServiceUnavailable"}
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reasons.get(status, "InternalError"),
        "message": f"a fault of the tests: {status}",
        "code": status,
    }
    headers = {"Retry-After": "1"} if status == 429 else {}
    return web.json_response(body, status=status, headers=headers)


def _expire() -> web.Response:
    status = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410}
    line = json.dumps({"type": "ERROR", "object": {**status, "message": "too old"}})
    return web.Response(text=line + "\n", content_type="application/json")


def write_proxied_kubeconfig(kubeconfig: Path, proxy: Proxy, path: Path) -> Path:
    """The same user, but by way of the proxy."""
    import yaml

    document = yaml.safe_load(kubeconfig.read_text())
    for entry in document["clusters"]:
        entry["cluster"] = {"server": proxy.url}
    path.write_text(yaml.safe_dump(document))
    return path
