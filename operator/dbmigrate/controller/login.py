"""kopf's credentials, taken from the connection that we have anyway.

A service account's token is renewed by the kubelet long before it expires. kopf
asks again when the one it has is refused; it is also told to ask every few minutes,
so that no stream is ever opened with a token about to end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

TOKEN_LIFETIME = timedelta(minutes=5)


def register_login(registry: kopf.OperatorRegistry, configuration: Configuration) -> None:
    """Let kopf connect as we do."""

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        header = await configuration.get_api_key_with_prefix("BearerToken")
        scheme, _space, token = (header or "").partition(" ")
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=token.strip() or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            expiration=datetime.now(UTC) + TOKEN_LIFETIME if token else None,
        )
