"""Who asked what of the API server, from its audit log.

It is how tests count API requests: by the server, not by a client that thinks it
knows what it sent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.waiting import eventually

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]}
- {level: Metadata}
"""
MARKS = "/tests/"
"""The path of the requests by which the log's end is found; they are not counted."""
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the server has answered."""

    user: str
    verb: str
    resource: str
    """Plural, with its subresource: `pods/status`; for other URLs the path."""
    namespace: str
    name: str
    code: int
    agent: str

    @property
    def is_write(self) -> bool:
        """Whether it may have changed something."""
        return self.verb in WRITES


class AuditLog:
    """The requests since the server's start, or since a mark."""

    def __init__(self, path: Path, settle: Callable[[], None]) -> None:
        self._path = path
        self._settle = settle

    def mark(self) -> int:
        """The log's end now: give it to `requests` to see only what comes after."""
        self._settle()
        return self._path.stat().st_size

    def requests(
        self,
        *,
        since: int = 0,
        user: str | None = None,
        namespace: str | None = None,
        writes: bool = False,
    ) -> list[Request]:
        """The requests after a mark, oldest first, of that user and namespace if given."""
        self._settle()
        with self._path.open("rb") as log:
            log.seek(since)
            found = [_read(line) for line in log]
        return [
            request
            for request in found
            if not request.resource.startswith(MARKS)
            and (user is None or request.user == user)
            and (namespace is None or request.namespace == namespace)
            and (not writes or request.is_write)
        ]

    def count(self, *, since: int = 0, user: str | None = None) -> Counter[tuple[str, str]]:
        """How many requests of each (verb, resource)."""
        return Counter((r.verb, r.resource) for r in self.requests(since=since, user=user))


def wait_for_line(path: Path, text: str, deadline: float = 60) -> None:
    """Return when the log has a line with that text: the server writes it after its answer."""
    eventually(
        lambda: text in path.read_text(errors="replace")[-200_000:],
        deadline=deadline,
        what=f"a line with {text} in the audit log {path}",
    )


def _read(line: bytes) -> Request:
    event = json.loads(line)
    target = event.get("objectRef", {})
    resource = target.get("resource") or event["requestURI"].partition("?")[0]
    if "subresource" in target:
        resource = f"{resource}/{target['subresource']}"
    return Request(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        resource=resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        agent=event.get("userAgent", ""),
    )
