"""Tokens for Cloud SQL: an access token for logins alone.

google-auth finds the credentials: GKE's Workload Identity and other metadata servers, federated
identities, a file that GOOGLE_APPLICATION_CREDENTIALS names, or gcloud's. A token is valid for up
to an hour, and renewed minutes before its end.
"""

from __future__ import annotations

import os
from typing import Any

import google.auth
from google.auth import compute_engine, exceptions
from google.auth.transport.requests import Request

from dbmigrate.postgres.identity.answers import Answers
from dbmigrate.postgres.identity.identity import Login
from dbmigrate.postgres.identity.quiet import silence

SCOPE = "https://www.googleapis.com/auth/sqlservice.login"
"""Of logins, and of nothing else."""
_SERVICE_ACCOUNT = ".gserviceaccount.com"


class _Request(Request):
    """Notes what is answered."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def __call__(self, url: str, *rest: Any, **more: Any) -> Any:
        response: Any = super().__call__(url, *rest, **more)  # type: ignore[no-untyped-call]
        self._answers.note(url, response.status, response.headers.get("Content-Type"))
        return response


class GcpTokens:
    """Asks for tokens."""

    def __init__(self) -> None:
        silence("google", "urllib3")
        self.answers = Answers()
        self._credentials: Any = None
        self._request = _Request(self.answers)

    def issue(self, login: Login) -> str:
        """A token that is not about to end."""
        del login
        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=[SCOPE], request=self._request)
        if not self._credentials.valid:
            self._credentials.refresh(self._request)
        return str(self._credentials.token)

    def is_unreachable(self, error: Exception) -> bool:
        """Whether there was no answer; a metadata server needs a moment in a Pod that is new."""
        errors = (error, error.__cause__)
        is_transport = any(isinstance(each, exceptions.TransportError) for each in errors)
        return is_transport or bool(getattr(error, "retryable", False))

    def clock(self) -> str:
        """The metadata server, if the credentials are from there."""
        if isinstance(self._credentials, compute_engine.Credentials):
            return f"http://{os.environ.get('GCE_METADATA_HOST', 'metadata.google.internal')}"
        return "https://oauth2.googleapis.com"

    def advice(self, login: Login | None) -> str:
        """What Cloud SQL's refusal does not say."""
        user = login.user if login else ""
        if user.endswith(_SERVICE_ACCOUNT):
            return f"Cloud SQL's user of a service account has no {_SERVICE_ACCOUNT} at its end"
        return (
            "check that cloudsql.iam_authentication is on, that the principal of these credentials"
            " has roles/cloudsql.instanceUser, and that the user is its e-mail address (of a"
            f" service account without {_SERVICE_ACCOUNT})"
        )
