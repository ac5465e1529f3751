"""Tokens for Azure Database for PostgreSQL: an access token of Microsoft Entra.

azure-identity finds the credentials: AKS's workload identity, a managed identity, a service
principal in the AZURE_ variables, or `az login`. A token is valid for up to an hour or a day, and
renewed minutes before its end.
"""

from __future__ import annotations

import os
from typing import Any

from azure.core import exceptions
from azure.identity import CredentialUnavailableError, DefaultAzureCredential

from dbmigrate.errors import SettingsError
from dbmigrate.postgres.identity.answers import Answers
from dbmigrate.postgres.identity.identity import CloudIdentity, Login
from dbmigrate.postgres.identity.quiet import silence
from dbmigrate.report import Reason

SCOPES = {
    "usgovcloudapi.net": "https://ossrdbms-aad.database.usgovcloudapi.net/.default",
    "chinacloudapi.cn": "https://ossrdbms-aad.database.chinacloudapi.cn/.default",
}
"""Of the clouds of their own, by the end of the server's name."""
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
_OF_PRINCIPALS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
_IMDS = "http://169.254.169.254"


def scope_of(host: str) -> str:
    """What a token for that server is asked for."""
    return next((scope for end, scope in SCOPES.items() if host.endswith(f".{end}")), SCOPE)


def _check_client(wanted: str) -> None:
    """The library prefers a service principal of the variables to the configured client."""
    has_secret = any(map(os.environ.get, _OF_PRINCIPALS))
    if wanted and has_secret and os.environ.get("AZURE_CLIENT_ID", wanted) != wanted:
        raise SettingsError(
            Reason.INTERNAL,
            f"no token of azure: the identity is the client {wanted}, and AZURE_CLIENT_ID with its"
            " secret is another one",
            hint="leave one of them out (in a DatabaseMigration spec.database.identity.azure"
            ".clientId, and job.env)",
        )


class AzureTokens:
    """Asks for tokens."""

    def __init__(self, identity: CloudIdentity) -> None:
        silence("azure", "msal", "urllib3")
        self.answers = Answers()
        self._client_id = identity.client_id
        self._credential: DefaultAzureCredential | None = None

    def issue(self, login: Login) -> str:
        """A token that is not about to end."""
        if self._credential is None:
            _check_client(self._client_id)
            chosen: dict[str, Any] = {"raw_response_hook": self._note}
            if self._client_id:
                chosen["managed_identity_client_id"] = self._client_id
            self._credential = DefaultAzureCredential(**chosen)
        return self._credential.get_token(scope_of(login.host)).token

    def _note(self, answered: Any) -> None:
        response = answered.http_response
        kind = response.headers.get("Content-Type")
        self.answers.note(answered.http_request.url, response.status_code, kind)

    def is_unreachable(self, error: Exception) -> bool:
        """Whether there was no answer."""
        is_answer = isinstance(error, exceptions.HttpResponseError | CredentialUnavailableError)
        return isinstance(error, exceptions.AzureError) and not is_answer

    def clock(self) -> str:
        """Microsoft Entra for a workload identity, else the machine's metadata server."""
        if os.environ.get("AZURE_FEDERATED_TOKEN_FILE") or os.environ.get("AZURE_CLIENT_SECRET"):
            host = os.environ.get("AZURE_AUTHORITY_HOST", "login.microsoftonline.com")
            return host if "://" in host else f"https://{host}"
        return os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", _IMDS)

    def advice(self, login: Login | None) -> str:
        """What the server's refusal does not say."""
        user = f"the user {login.user}" if login else "the user"
        return (
            f"check that {user} is a principal of Microsoft Entra in the server, by its exact"
            " name (SELECT * FROM pgaadauth_list_principals(false)), and that the credentials"
            " are its own (-identity azure:client-id=ID)"
        )
