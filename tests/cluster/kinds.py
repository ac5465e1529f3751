"""From a kind's name to its place in the API, by the server's own discovery.

`configmap`, `configmaps`, `cm`, `ConfigMap` and `configmaps.v1` all name one
place, as kubectl has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.api import Api, Document


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object, in one version of its group."""

    api_version: str
    name: str
    plural: str
    aliases: frozenset[str]
    is_namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of the collection, or of the object of that name."""
        root = "/api" if "/" not in self.api_version else "/apis"
        parts = [root, self.api_version]
        if self.is_namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join([*parts, name] if name else parts)


class Kinds:
    """All kinds that the server has; looked up again when an unknown one is asked for."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: list[Kind] = []

    def find(self, name: str, api_version: str | None = None) -> Kind:
        """The kind of that name. LookupError if the server has none."""
        found = self._search(name, api_version)
        if found is None:
            self._known = self._discover()
            found = self._search(name, api_version)
        if found is None:
            raise LookupError(f"the server has no kind {name} in {api_version or 'any group'}")
        return found

    def _search(self, name: str, api_version: str | None) -> Kind | None:
        word = name.lower()
        for kind in self._known:
            if api_version in (None, kind.api_version) and word in kind.aliases:
                return kind
        return None

    def _discover(self) -> list[Kind]:
        versions = ["v1"]
        for group in self._api.get("/apis")["groups"]:
            versions.append(group["preferredVersion"]["groupVersion"])
            versions += [version["groupVersion"] for version in group["versions"]]
        kinds = []
        for version in dict.fromkeys(versions):
            root = "/api" if "/" not in version else "/apis"
            resources = self._api.get(f"{root}/{version}")["resources"]
            kinds += [_read(version, entry) for entry in resources if "/" not in entry["name"]]
        return kinds


def _read(version: str, entry: Document) -> Kind:
    group = version.rpartition("/")[0]
    words = {entry["name"], entry["kind"].lower(), entry.get("singularName") or entry["name"]}
    words |= set(entry.get("shortNames", []))
    words |= {f"{word}.{group}" for word in list(words) if group}
    return Kind(version, entry["kind"], entry["name"], frozenset(words), entry["namespaced"])
