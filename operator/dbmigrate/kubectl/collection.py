"""Collections of the API server: their paths, reading them whole, and observing them.

`observe` gives all objects now, and again after each change, without end. It continues
after the end of a watch, and when the API server is away for a while; until then the
output is marked with the problem.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from dbmigrate.api.fields import Document
from dbmigrate.api.names import API_VERSION
from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.problems import RequestFailed, Unreachable
from dbmigrate.kubectl.stream import StreamEnded

Key = tuple[str, str]
"""Namespace and name."""
PAGE = 500
"""Objects that one request lists, as kubectl does it."""
TICK = 1.0
"""Seconds without news after which the observer is woken, to look at its clock."""


@dataclass(frozen=True, slots=True)
class Collection:
    """The objects of a kind, in one namespace or in all."""

    plural: str
    namespace: str | None
    query: Mapping[str, str] = field(default_factory=dict)
    """Selectors."""
    root: str = f"/apis/{API_VERSION}"

    @property
    def path(self) -> str:
        """The URL path."""
        inside = f"/namespaces/{quote(self.namespace, safe='')}" if self.namespace else ""
        return f"{self.root}{inside}/{self.plural}"

    def only(self, name: str) -> Collection:
        """The one object of that name, as a collection."""
        query = {"fieldSelector": f"metadata.name={name}"}
        return Collection(self.plural, self.namespace, query, self.root)


@dataclass(frozen=True, slots=True)
class ResourceList:
    """All objects of a collection at one moment."""

    objects: Mapping[Key, Document]
    version: str
    """The resourceVersion from which changes can be watched."""


@dataclass(frozen=True, slots=True)
class CollectionSnapshot:
    """The state that an observer receives."""

    objects: Mapping[Key, Document]
    changed: frozenset[Key] = frozenset()
    """What is new or other than before, and (no longer among the objects) what is gone."""
    problem: str | None = None
    """Why this may be out of date."""


def list_all(kubectl: Kubectl, collection: Collection) -> ResourceList:
    """Read a collection in pages. Raises ClusterError."""
    objects: dict[Key, Document] = {}
    more = ""
    while True:
        query = {**collection.query, "limit": str(PAGE)}
        page = kubectl.get(collection.path, {**query, "continue": more} if more else query)
        objects |= {key_of(body): body for body in page.get("items") or ()}
        more = page["metadata"].get("continue", "")
        if not more:
            return ResourceList(objects, page["metadata"]["resourceVersion"])


def observe(
    kubectl: Kubectl, collection: Collection, start: ResourceList | None = None
) -> Iterator[CollectionSnapshot]:
    """The present objects, after each change, and at each tick.

    Raises ClusterError when the first request fails, or when watching is not allowed.
    """
    seen = start or list_all(kubectl, collection)
    objects = seen.objects
    yield CollectionSnapshot(objects, frozenset(objects))
    while True:
        with suppress(Unreachable):
            for sight in _watch(kubectl, collection, objects, seen.version):
                objects = sight.objects
                yield sight
        # A list has what was missed in between; the end of a watch is no news by itself.
        while True:
            time.sleep(TICK)
            try:
                seen = list_all(kubectl, collection)
                break
            except RequestFailed as problem:
                # A server that is starting may also refuse what it will allow later.
                yield CollectionSnapshot(objects, problem=str(problem))
        changed = compare(objects, seen.objects)
        objects = seen.objects
        yield CollectionSnapshot(objects, changed)


def compare(before: Mapping[Key, Document], after: Mapping[Key, Document]) -> frozenset[Key]:
    """Which objects were created, changed or deleted."""
    return frozenset(
        key
        for key in before.keys() | after.keys()
        if key not in before
        or key not in after
        or _version_of(before[key]) != _version_of(after[key])
    )


def key_of(body: Document) -> Key:
    """Namespace and name of an object."""
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _watch(
    kubectl: Kubectl, collection: Collection, objects: Mapping[Key, Document], version: str
) -> Iterator[CollectionSnapshot]:
    """Follow one watch to its end: the objects as each event leaves them, and at each tick."""
    query = {**collection.query, "resourceVersion": version}
    with kubectl.watch(collection.path, query) as stream:
        while True:
            try:
                event = stream.next(TICK)
            except StreamEnded:
                return
            if event is None:
                yield CollectionSnapshot(objects)
                continue
            key = key_of(event["object"])
            others = {other: body for other, body in objects.items() if other != key}
            is_gone = event["type"] == "DELETED"
            objects = others if is_gone else {**others, key: event["object"]}
            yield CollectionSnapshot(objects, frozenset({key}))


def _version_of(body: Document) -> str:
    version: str = body["metadata"]["resourceVersion"]
    return version
