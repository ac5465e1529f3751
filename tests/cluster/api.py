"""A plain client of the Kubernetes API: JSON in, JSON out, and watches.

The tests and the node speak HTTP themselves, so that what a test sees is what
the server said, and a request is one request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode

import urllib3

Document: TypeAlias = dict[str, Any]
"""A Kubernetes object, as the server gives it."""

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TIMEOUT = urllib3.Timeout(connect=5, read=60)
"""Seconds; a watch has its own."""


class ApiError(Exception):
    """The server refused a request; the message is the server's own."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_missing(self) -> bool:
        """There is no such object (404)."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """It exists already, or changed in between (409)."""
        return self.status == 409


class Api:
    """The API server at one address, as one user. Threads may share it."""

    def __init__(
        self,
        server: str,
        *,
        token: str | None = None,
        authority: str | None = None,
        certificate: tuple[str, str] | None = None,
        agent: str = "dbmigrate-tests",
    ) -> None:
        self.server = server.rstrip("/")
        self._headers = {"User-Agent": agent, "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(
            maxsize=64,
            ca_certs=authority,
            cert_reqs="CERT_REQUIRED",
            cert_file=certificate[0] if certificate else None,
            key_file=certificate[1] if certificate else None,
            retries=False,
        )

    def get(self, path: str, **query: str) -> Document:
        """The object, or the list, at that path."""
        return self._request("GET", path, query=query)

    def post(self, path: str, body: Document, **query: str) -> Document:
        """Create an object."""
        return self._request("POST", path, body=body, query=query)

    def put(self, path: str, body: Document) -> Document:
        """Replace an object."""
        return self._request("PUT", path, body=body)

    def patch(self, path: str, body: Document, kind: str = MERGE, **query: str) -> Document:
        """Change parts of an object, by a patch of that media type."""
        return self._request("PATCH", path, body=body, media_type=kind, query=query)

    def delete(self, path: str, options: Document | None = None) -> Document:
        """Delete an object, with DeleteOptions."""
        return self._request("DELETE", path, body=options or {})

    def text(self, path: str, **query: str) -> str:
        """The plain answer at that path: logs, health."""
        answer = self._send("GET", path, None, query, "application/json")
        return answer.data.decode(errors="replace")

    def is_ready(self) -> bool:
        """Whether the server says that it can serve."""
        try:
            return self.text("/readyz") == "ok"
        except (ApiError, urllib3.exceptions.HTTPError):
            return False

    def watch(self, path: str, *, seconds: int = 300, **query: str) -> Iterator[Document]:
        """The events of a list as they come, until the server ends the watch."""
        query = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        timeout = urllib3.Timeout(connect=5, read=seconds + 10)
        answer = self._send("GET", path, None, query, "application/json", timeout=timeout)
        try:
            rest = b""
            # read1 gives what is there; stream() would wait until its buffer is full.
            while chunk := answer.read1(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            answer.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Document | None = None,
        query: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> Document:
        answer = self._send(method, path, body, query or {}, media_type)
        document: Document = json.loads(answer.data)
        return document

    def _send(
        self,
        method: str,
        path: str,
        body: Document | None,
        query: Mapping[str, str],
        media_type: str,
        timeout: urllib3.Timeout | None = None,
    ) -> urllib3.BaseHTTPResponse:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = media_type
        suffix = f"?{urlencode(query)}" if query else ""
        answer = self._pool.request(
            method,
            f"{self.server}{path}{suffix}",
            body=None if body is None else json.dumps(body),
            headers=headers,
            preload_content=timeout is None,
            timeout=timeout or TIMEOUT,
        )
        if answer.status >= 400:
            raise _read_error(answer)
        return answer


def _read_error(answer: urllib3.BaseHTTPResponse) -> ApiError:
    text = answer.data.decode(errors="replace")
    try:
        status = json.loads(text)
    except ValueError:
        return ApiError(answer.status, "", text)
    return ApiError(answer.status, status.get("reason", ""), status.get("message", text))
