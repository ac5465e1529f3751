"""Secrets and ConfigMaps, as the node reads them for a Pod."""

from __future__ import annotations

import base64

from urllib3.exceptions import HTTPError

from tests.cluster.api import Api, ApiError
from tests.cluster.node.problems import NotYet, ServerAway


class Missing(NotYet):
    """There is no such object; the message is the server's."""


class Lookup:
    """The Secrets and ConfigMaps of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def secret(self, name: str) -> dict[str, bytes]:
        """Its values. Missing: `secret "x" not found`."""
        data = self._get("secrets", "secret", name).get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}

    def config_map(self, name: str) -> dict[str, bytes]:
        """Its values. Missing: `configmap "x" not found`."""
        document = self._get("configmaps", "configmap", name)
        values = {key: text.encode() for key, text in (document.get("data") or {}).items()}
        binary = document.get("binaryData") or {}
        return values | {key: base64.b64decode(value) for key, value in binary.items()}

    def has_claim(self, name: str) -> bool:
        """Whether there is such a PersistentVolumeClaim."""
        try:
            self._get("persistentvolumeclaims", "persistentvolumeclaim", name)
        except Missing:
            return False
        return True

    def token(self, account: str, pod: tuple[str, str], wanted: dict[str, object]) -> str:
        """A token of the ServiceAccount, bound to the Pod of that name and uid."""
        reference = {"apiVersion": "v1", "kind": "Pod", "name": pod[0], "uid": pod[1]}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {**wanted, "boundObjectRef": reference},
        }
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        try:
            token: str = self.api.post(path, body)["status"]["token"]
        except (ApiError, HTTPError) as error:
            raise ServerAway(str(error)) from error
        return token

    def _get(self, plural: str, word: str, name: str) -> dict[str, dict[str, str]]:
        try:
            return self.api.get(f"/api/v1/namespaces/{self.namespace}/{plural}/{name}")
        except ApiError as error:
            if error.is_missing:
                raise Missing(f'{word} "{name}" not found') from None
            raise ServerAway(str(error)) from error
        except HTTPError as error:
            raise ServerAway(str(error)) from error
