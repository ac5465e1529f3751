"""One namespace of the cluster, as a test uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import yaml

from tests.cluster.api import APPLY, ApiError, Document
from tests.cluster.waiting import DEADLINE, eventually

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

Documents: TypeAlias = list[Document]
"""Named here, since `list` is a method below."""
FIELD_MANAGER = "dbmigrate-tests"


class Namespace:
    """Objects are plain documents; kinds are named as for kubectl (`job`, `dbm`, `ConfigMap`)."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def __repr__(self) -> str:
        return f"Namespace({self.name})"

    def apply(self, manifest: Document | str | Path | Iterable[Document]) -> Documents:
        """Server-side apply of each object: a document, several, YAML text, or a YAML file.

        Raises ApiError with the server's own message if it refuses one.
        """
        applied = []
        for document in _documents(manifest):
            kind = self.cluster.kinds.find(document["kind"], document["apiVersion"])
            path = kind.path(self._namespace_of(document), document["metadata"]["name"])
            query = {"fieldManager": FIELD_MANAGER, "force": "true"}
            applied.append(self.cluster.api.patch(path, document, APPLY, **query))
        return applied

    def create(self, document: Document) -> Document:
        """Create it; unlike `apply`, a second object of that name is an error."""
        kind = self.cluster.kinds.find(document["kind"], document["apiVersion"])
        return self.cluster.api.post(kind.path(self._namespace_of(document)), document)

    def get(self, kind: str, name: str) -> Document:
        """The object. ApiError with `is_missing` if there is none."""
        return self.cluster.api.get(self.path(kind, name))

    def find(self, kind: str, name: str) -> Document | None:
        """The object, or None."""
        try:
            return self.get(kind, name)
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    def list(self, kind: str, selector: str = "") -> Documents:
        """All objects of that kind, or those that a label selector picks."""
        query = {"labelSelector": selector} if selector else {}
        items: Documents = self.cluster.api.get(self.path(kind), **query)["items"]
        return items

    def patch(self, kind: str, name: str, body: Document) -> Document:
        """Change parts of an object by a merge patch."""
        return self.cluster.api.patch(self.path(kind, name), body)

    def delete(self, kind: str, name: str, *, propagation: str = "Background") -> None:
        """Ask for its deletion; see `wait_until_gone`."""
        self.cluster.api.delete(self.path(kind, name), {"propagationPolicy": propagation})

    def wait(
        self,
        kind: str,
        name: str,
        predicate: Callable[[Document], object] = bool,
        deadline: float = DEADLINE,
    ) -> Document:
        """The object, once it exists and the predicate holds. TimeoutError shows it as it is."""
        seen = eventually(
            lambda: self.find(kind, name),
            lambda document: document is not None and predicate(document),
            deadline=deadline,
            what=f"what was awaited of {kind} {self.name}/{name}",
            show=_show,
        )
        return seen or {}

    def wait_until_gone(self, kind: str, name: str, deadline: float = DEADLINE) -> None:
        """Return when there is no such object."""
        eventually(
            lambda: self.find(kind, name),
            lambda document: document is None,
            deadline=deadline,
            what=f"the end of {kind} {self.name}/{name}",
            show=_show,
        )

    def events(self, kind: str, name: str) -> Documents:
        """The Events about an object, oldest first."""
        kind_name = self.cluster.kinds.find(kind).name
        selector = f"involvedObject.kind={kind_name},involvedObject.name={name}"
        events = self.cluster.api.get(self.path("event"), fieldSelector=selector)["items"]
        return sorted(events, key=lambda event: event["metadata"]["creationTimestamp"])

    def wait_for_right(self, account: str, verb: str, resource: str, group: str = "") -> None:
        """Return when the API server lets a ServiceAccount of here do that, here.

        It acts upon a new role and its binding a moment after it has stored them.
        """
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": self.name}
        user = f"system:serviceaccount:{self.name}:{account}"
        body: Document = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        eventually(
            lambda: self.cluster.api.post(path, body)["status"]["allowed"],
            what=f"the right of {account} to {verb} {resource}",
        )

    def secret(self, name: str, **values: str) -> Document:
        """Apply a Secret with those values."""
        return self._apply_data("Secret", name, stringData=values)

    def config_map(self, name: str, files: dict[str, str]) -> Document:
        """Apply a ConfigMap with those files."""
        return self._apply_data("ConfigMap", name, data=files)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in this namespace as the administrator; its standard output."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, stdin=stdin, check=check)

    def service_account_kubeconfig(self, name: str) -> Path:
        """A kubeconfig for that ServiceAccount, made by the TokenRequest API."""
        return self.cluster.service_account_kubeconfig(self.name, name)

    def path(self, kind: str, name: str = "") -> str:
        """The URL path of an object, or of a collection, in this namespace."""
        return self.cluster.kinds.find(kind).path(self.name, name)

    def remove(self) -> None:
        """Ask for the deletion of the namespace and all that is in it."""
        try:
            self.cluster.api.delete(f"/api/v1/namespaces/{self.name}")
        except ApiError as error:
            if not error.is_missing:
                raise

    def _namespace_of(self, document: Document) -> str:
        named: str = document["metadata"].get("namespace", self.name)
        return named

    def _apply_data(self, kind: str, name: str, **content: dict[str, str]) -> Document:
        metadata = {"name": name}
        (applied,) = self.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})
        return applied


def _documents(manifest: Document | str | Path | Iterable[Document]) -> list[Document]:
    if isinstance(manifest, dict):
        return [manifest]
    if isinstance(manifest, Path):
        manifest = manifest.read_text()
    if isinstance(manifest, str):
        manifest = yaml.safe_load_all(manifest)
    return [document for document in manifest if document]


def _show(document: Document | None) -> str:
    if document is None:
        return "it does not exist"
    parts = {key: document[key] for key in ("spec", "status") if key in document}
    return json.dumps(parts or document, indent=1)[:4000]
