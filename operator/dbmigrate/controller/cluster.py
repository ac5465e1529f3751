"""The Kubernetes API calls that the operator makes.

A thin layer over the official client's transport, which provides the connection, TLS
and credentials (a service account's rotating token, or KUBECONFIG). Bodies are
plain documents in and out, because the client's models reject fields that they do
not know yet. Only this module interprets status codes:

    ClusterError
        Unavailable     the server cannot answer now; the same call may succeed later
        Conflict        the object has changed since it was read: read it again
        AlreadyExists   an object of that name exists
        Refused         the request is invalid or not allowed

Reading an object that does not exist returns None; deleting it is no error.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import AsyncIterator, Callable, Collection
from enum import StrEnum
from pathlib import Path
from typing import Any

from kubernetes.aio import config as credentials
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException

from dbmigrate.api.documents import decode
from dbmigrate.api.fields import Document
from dbmigrate.api.names import (
    ACTIONS,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MIGRATIONS,
    SETS,
    UID_LABEL,
    VERSION,
)

REQUEST_TIMEOUT = 30.0
"""Seconds for one request. All requests are short; a server that hangs counts as unreachable."""
PAGE = 500
"""Objects that one request lists: a big cluster's answer comes in pieces that fit into memory."""
OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
"""Selects the operator's Jobs and Pods."""
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE_PATCH = "application/merge-patch+json"
BAD_REQUEST, NOT_FOUND, CONFLICT, UNPROCESSABLE, TOO_MANY_REQUESTS = 400, 404, 409, 422, 429


class ClusterError(Exception):
    """The API server did not do what was asked."""


class Unavailable(ClusterError):
    """No answer, or an answer that asks to try again later."""


class Fenced(Unavailable):
    """A write that was not made: this operator does not lead, or not for certain."""


class Conflict(ClusterError):
    """The object has changed since it was read."""


class AlreadyExists(ClusterError):
    """An object of that name exists."""


class Refused(ClusterError):
    """The request is invalid or not allowed."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final
        """The same request can never work; otherwise a quota or a role may change."""


class ResourceKind(StrEnum):
    """The kinds of which all objects can be listed; the value is the URL path around the
    namespace."""

    MIGRATIONS = f"/apis/{GROUP}/{VERSION} {MIGRATIONS}"
    ACTIONS = f"/apis/{GROUP}/{VERSION} {ACTIONS}"
    SETS = f"/apis/{GROUP}/{VERSION} {SETS}"
    JOBS = "/apis/batch/v1 jobs"
    PODS = "/api/v1 pods"
    CONFIG_MAPS = "/api/v1 configmaps"

    def path(self, namespace: str | None) -> str:
        """The URL path of the collection, in one namespace or in all."""
        root, _, plural = self.value.partition(" ")
        return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"

    @property
    def selector(self) -> str:
        """The label selector: of Jobs and Pods only the operator's own are listed."""
        return OURS if self in {ResourceKind.JOBS, ResourceKind.PODS} else ""


class Cluster:
    """A connection to one API server."""

    def __init__(self, configuration: Configuration, *, selector: str = "") -> None:
        self.configuration = configuration
        self.selector = selector
        """A label selector: other DatabaseMigrations are not seen. Empty: all are."""
        self.seconds_to_write: Callable[[], float] = lambda: math.inf
        """How long a write may take from now on; 0 or less: none may be made."""
        self._client = ApiClient(configuration)
        self._client.user_agent = "dbmigrate-operator"

    @classmethod
    async def connect(cls, *, connections: int, selector: str = "") -> Cluster:
        """Use the service account of this Pod, or KUBECONFIG where there is none.

        Raises ClusterError when neither can be read.
        """
        configuration = Configuration()
        configuration.connection_pool_maxsize = connections
        # No proxy for the API server is taken from the environment, as for the watch streams;
        # the client would look for one in a thread, for each request.
        configuration.client_session_kwargs = {"trust_env": False}
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
                credentials.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            else:
                path = os.environ.get("KUBECONFIG")
                await credentials.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=path, client_configuration=configuration
                )
        except (ConfigException, OSError) as problem:
            raise ClusterError(f"no credentials for a cluster: {problem}") from problem
        return cls(configuration, selector=selector)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def read_version(self) -> tuple[int, int]:
        """The major and minor version of the server."""
        found = await self._request("GET", "/version")
        # Some vendors write the minor version as 30+.
        return int(found["major"]), int("".join(c for c in found["minor"] if c.isdigit()))

    async def read_uid(self) -> str:
        """The identity of this cluster: the uid of kube-system. Raises Refused."""
        found = await self._find("/api/v1/namespaces/kube-system")
        return str(found["metadata"]["uid"]) if found is not None else ""

    def fingerprint(self) -> str:
        """A hash of how the API server is reached and trusted: it may change with time."""
        file = self.configuration.ssl_ca_cert
        trusted = Path(file).read_bytes() if file else b""
        return hashlib.sha256(trusted or str(self.configuration.host).encode()).hexdigest()[:10]

    async def serves_custom_resources(self) -> bool:
        """Whether the custom resource definitions are installed."""
        found = await self._find(f"/apis/{GROUP}/{VERSION}")
        names = {r["name"] for r in found["resources"]} if found else set()
        return {MIGRATIONS, ACTIONS} <= names

    async def serves_sets(self, namespace: str | None) -> bool:
        """Whether DatabaseMigrationSets are installed, and may be read and owned."""
        found = await self._find(f"/apis/{GROUP}/{VERSION}")
        if not found or SETS not in {r["name"] for r in found["resources"]}:
            return False
        try:
            query = [("limit", "1")]
            await self._request("GET", ResourceKind.SETS.path(namespace), query=query)
        except Refused:
            return False
        return True

    async def assigns_ids(self) -> bool:
        """Whether it assigns users and groups to Pods, and refuses those that name others."""
        return await self._find("/apis/security.openshift.io/v1") is not None

    async def find_definition(self, name: str) -> Document | None:
        """One CustomResourceDefinition."""
        return await self._find(f"{_DEFINITIONS}/{name}")

    async def create_definition(self, body: Document) -> None:
        """Create a CustomResourceDefinition. Raises AlreadyExists."""
        await self._request("POST", _DEFINITIONS, body=body)

    async def replace_definition(self, body: Document) -> None:
        """Replace one that has been read. Raises Conflict when it has changed since, or is gone."""
        path = f"{_DEFINITIONS}/{body['metadata']['name']}"
        if await self._find(path, method="PUT", body=body) is None:
            raise Conflict(f"{path} is gone")

    async def list_all(
        self, kind: ResourceKind, namespace: str | None, label: str = ""
    ) -> AsyncIterator[Document]:
        """Every object of a kind, in one namespace or in all, in pages: those with that label."""
        query = [("limit", str(PAGE))]
        is_selected = kind in {ResourceKind.MIGRATIONS, ResourceKind.SETS}
        selector = self.selector if is_selected else kind.selector
        selector = ",".join(filter(None, (selector, label)))
        if selector:
            query.append(("labelSelector", selector))
        more = ""
        while True:
            here = [*query, ("continue", more)] if more else query
            page = await self._request("GET", kind.path(namespace), query=here)
            for item in page.get("items") or ():
                yield item
            more = page["metadata"].get("continue", "")
            if not more:
                return

    async def check_selector(self, namespace: str | None) -> None:
        """Raises ClusterError with what is wrong with the selector."""
        query = [("limit", "1"), ("labelSelector", self.selector)]
        try:
            await self._request("GET", ResourceKind.MIGRATIONS.path(namespace), query=query)
        except Refused as refusal:
            if refusal.is_final:
                raise ClusterError(f"--selector: {refusal}") from refusal
            raise

    async def find_migration(self, namespace: str, name: str) -> Document | None:
        """One DatabaseMigration, if it is selected."""
        return await self._find_selected(ResourceKind.MIGRATIONS, namespace, name)

    async def find_set(self, namespace: str, name: str) -> Document | None:
        """One DatabaseMigrationSet, if it is selected."""
        return await self._find_selected(ResourceKind.SETS, namespace, name)

    async def _find_selected(
        self, kind: ResourceKind, namespace: str, name: str
    ) -> Document | None:
        path = kind.path(namespace)
        if not self.selector:
            return await self._find(f"{path}/{name}")
        found = await self._list(path, self.selector, fields=f"metadata.name={name}")
        return found[0] if found else None

    async def has_migration(self, namespace: str, name: str) -> bool:
        """Whether there is a DatabaseMigration of that name, selected or another operator's."""
        return await self._find(_custom(MIGRATIONS, namespace, name)) is not None

    async def patch_status(self, namespace: str, name: str, patch: Document) -> Document | None:
        """Merge into a DatabaseMigration's status; None when the resource is gone.

        With a resourceVersion in the patch a Conflict is raised if it has changed since.
        """
        path = _custom(MIGRATIONS, namespace, name, "status")
        return await self._find(path, method="PATCH", body=patch, content_type=MERGE_PATCH)

    async def patch_set_status(self, namespace: str, name: str, patch: Document) -> Document | None:
        """The same for a DatabaseMigrationSet."""
        path = _custom(SETS, namespace, name, "status")
        return await self._find(path, method="PATCH", body=patch, content_type=MERGE_PATCH)

    async def has_set(self, namespace: str, name: str) -> bool:
        """Whether there is a DatabaseMigrationSet of that name, selected or another operator's."""
        return await self._find(_custom(SETS, namespace, name)) is not None

    async def patch_action(self, namespace: str, name: str, patch: Document) -> Document | None:
        """Merge into a MigrationAction's status; None when it is gone."""
        path = _custom(ACTIONS, namespace, name, "status")
        return await self._find(path, method="PATCH", body=patch, content_type=MERGE_PATCH)

    async def own_action(self, namespace: str, name: str, patch: Document) -> Document | None:
        """Merge into a MigrationAction; None when it is gone or its name belongs to another."""
        path = _custom(ACTIONS, namespace, name)
        try:
            return await self._find(path, method="PATCH", body=patch, content_type=MERGE_PATCH)
        except Conflict:
            return None

    async def delete_action(self, namespace: str, name: str, uid: str) -> None:
        """Delete the MigrationAction of that uid."""
        body = {"preconditions": {"uid": uid}}
        try:
            await self._find(_custom(ACTIONS, namespace, name), method="DELETE", body=body)
        except Conflict:
            return  # the name has gone to another one

    async def list_jobs(
        self, namespace: str, uids: Collection[str], label: str = UID_LABEL
    ) -> list[Document]:
        """All Jobs of these resources, read from the API server. `label` holds their uids."""
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        return await self._list(path, f"{label} in ({','.join(uids)})")

    async def list_pods(
        self, namespace: str, uids: Collection[str], label: str = UID_LABEL
    ) -> list[Document]:
        """All Pods of these resources, read from the API server. `label` holds their uids."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        return await self._list(path, f"{label} in ({','.join(uids)})")

    async def create_job(self, body: Document, *, is_strict: bool = False) -> Document:
        """Create a Job; `is_strict`: no unknown field in it. Raises AlreadyExists, Refused."""
        path = f"/apis/batch/v1/namespaces/{body['metadata']['namespace']}/jobs"
        query = [("fieldValidation", "Strict")] if is_strict else None
        return await self._request("POST", path, body=body, query=query)

    async def delete_job(
        self, namespace: str, name: str, uid: str, *, after_pods: bool = False
    ) -> None:
        """Delete the Job of that uid and its Pods; another Job of that name is left alone.

        `after_pods`: the Job remains, marked as being deleted, until its Pods are gone.
        """
        policy = "Foreground" if after_pods else "Background"
        body = {"propagationPolicy": policy, "preconditions": {"uid": uid}}
        try:
            await self._find(
                f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}", method="DELETE", body=body
            )
        except Conflict:
            return  # the name has gone to another Job

    async def find_warning(self, namespace: str, uid: str) -> str | None:
        """The message of the newest warning event about the object of that uid, or None."""
        query = [("fieldSelector", f"involvedObject.uid={uid},type=Warning")]
        path = f"/api/v1/namespaces/{namespace}/events"
        found = (await self._request("GET", path, query=query)).get("items") or []
        newest = max(found, key=_event_time, default=None)
        return str(newest.get("message")) if newest is not None else None

    async def create_event(self, body: Document) -> None:
        """Post an event; one that exists under its name is the same event."""
        namespace = body["metadata"]["namespace"]
        try:
            await self._request("POST", f"/api/v1/namespaces/{namespace}/events", body=body)
        except AlreadyExists:
            return

    async def find_config_map(self, namespace: str, name: str) -> Document | None:
        """One ConfigMap."""
        return await self._find(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    async def find_cnpg_cluster(self, namespace: str, name: str) -> Document | None:
        """One Cluster of CloudNativePG's; None also where that is not installed."""
        return await self._find(f"{_cnpg(namespace)}/clusters/{name}")

    async def list_cnpg_databases(self, namespace: str) -> list[Document]:
        """The Databases of CloudNativePG's in a namespace."""
        found = await self._find(f"{_cnpg(namespace)}/databases")
        items: list[Document] = (found or {}).get("items") or []
        return items

    async def find_lease(self, namespace: str, name: str, *, limit: float) -> Document | None:
        """One Lease, within that many seconds."""
        return await self._find(_lease(namespace, name), limit=limit)

    async def write_lease(self, body: Document, *, limit: float) -> Document:
        """Create or replace a Lease, within that many seconds.

        Raises Conflict when it has changed since the resourceVersion in the body, and
        AlreadyExists when there is none in the body and a Lease is there.
        """
        metadata = body["metadata"]
        is_new = "resourceVersion" not in metadata
        path = _lease(metadata["namespace"], "" if is_new else metadata["name"])
        method = "POST" if is_new else "PUT"
        return await self._request(method, path, body=body, limit=limit)

    async def _list(self, path: str, selector: str, *, fields: str = "") -> list[Document]:
        query = [("labelSelector", selector)]
        if fields:
            query.append(("fieldSelector", fields))
        found = await self._request("GET", path, query=query)
        items: list[Document] = found.get("items") or []
        return items

    async def _find(self, path: str, *, method: str = "GET", **parts: Any) -> Document | None:
        try:
            return await self._request(method, path, **parts)
        except _NotFound:
            return None

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Document | None = None,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
        limit: float | None = None,
    ) -> Document:
        """One request. A write with a `limit` in seconds is one of the Lease, which no fence
        prevents."""
        if limit is None:
            limit = REQUEST_TIMEOUT
            if method != "GET":
                limit = min(limit, self.seconds_to_write())
            if limit <= 0:
                raise Fenced(f"{method} {path}: another operator leads, or may lead by now")
        request = await self._client.param_serialize(
            method,
            path,
            query_params=query or [],
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._client.call_api(*request, _request_timeout=limit)
            text = await response.read()  # type: ignore[no-untyped-call]
        except Exception as problem:
            # Any exception of the client is a failure of the connection, not of the object.
            said = f"{type(problem).__name__}: {problem}"
            raise Unavailable(f"{method} {path}: {said}") from problem
        document = _parse(text)
        if response.status >= 400:
            raise _translate(response.status, f"{method} {path}", document)
        return document


def _event_time(event: Document) -> str:
    """When an event was last seen, as a sort key: all of them are in UTC."""
    times = (event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    return str(next(filter(None, times), ""))


class _NotFound(ClusterError):
    """Never leaves this module."""


def _cnpg(namespace: str) -> str:
    return f"/apis/postgresql.cnpg.io/v1/namespaces/{namespace}"


def _lease(namespace: str, name: str) -> str:
    collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    return f"{collection}/{name}" if name else collection


def _custom(plural: str, namespace: str, name: str, *rest: str) -> str:
    return "/".join([f"/apis/{GROUP}/{VERSION}/namespaces", namespace, plural, name, *rest])


def _parse(text: bytes) -> Document:
    try:
        document = decode(text)
    except ValueError:
        return {"message": text[:200].decode(errors="replace")}
    return document if isinstance(document, dict) else {}


def _translate(status: int, request: str, document: Document) -> ClusterError:
    """The error class for a status code."""
    message = str(document.get("message") or f"{request}: HTTP {status}")
    if status == NOT_FOUND:
        return _NotFound(message)
    if status == CONFLICT:
        kind = AlreadyExists if document.get("reason") == "AlreadyExists" else Conflict
        return kind(message)
    if status == TOO_MANY_REQUESTS or status >= 500 or status == 401:
        # 401: the token has just been rotated; the next request reads the new one.
        return Unavailable(message)
    return Refused(message, is_final=status in {BAD_REQUEST, UNPROCESSABLE})
