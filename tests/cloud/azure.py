"""Microsoft Entra, as far as a workload identity needs it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import trustme

from tests.cloud.bearer import Issuer
from tests.cloud.endpoints import Answer, Asked, Endpoint

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
ENTRA = "login.microsoftonline.com"
_CLAIMS = base64.urlsafe_b64encode(b'{"sub":"s3cr3t"}').decode().rstrip("=")
TOKEN_FORM = f"eyJhbGciOiJSUzI1NiJ9.{_CLAIMS}." + "{number}" + "s3cr3t" * 30


def entra_endpoint(
    issuer: Issuer, authority: trustme.CA, accepts: Callable[[str], bool]
) -> Endpoint:
    """A proxy that answers in its name, and gives tokens for assertions that are accepted."""

    def respond(asked: Asked) -> Answer:
        base = f"https://{ENTRA}/{TENANT}"
        if asked.path.endswith("/.well-known/openid-configuration"):
            return Answer(
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                }
            )
        form = asked.form
        if asked.path != f"/{TENANT}/oauth2/v2.0/token" or asked.host != ENTRA:
            return Answer(status=404)
        if form.get("client_id") != CLIENT or not accepts(form.get("client_assertion", "")):
            return Answer({"error": "invalid_client", "error_description": "AADSTS700016"}, 401)
        answer = {"access_token": issuer.issue(), "expires_in": issuer.lifetime}
        return Answer({**answer, "token_type": "Bearer", "scope": form["scope"]})

    return Endpoint(respond, authority, ENTRA)
