"""Tokens for RDS and Aurora: a presigned request of the action rds-db:connect.

A token is signed here, with no question to anyone, by credentials that botocore finds and
renews: EKS Pod Identity, a ServiceAccount's role (IRSA), an instance's role, a profile, the
AWS_ variables. It is valid for 15 minutes, for one user of one host name and port.
"""

from __future__ import annotations

import os
import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceId
from botocore.session import Session, get_session
from botocore.signers import RequestSigner, generate_db_auth_token

from dbmigrate.errors import SettingsError
from dbmigrate.postgres.identity.answers import Answers
from dbmigrate.postgres.identity.identity import CloudIdentity, Login
from dbmigrate.report import Reason

_REGION = r"([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2})"
_ENDPOINT = re.compile(
    rf"\.(?:{_REGION}\.rds|rds\.{_REGION})\.amazonaws\.com(?:\.cn)?\.?", re.ASCII | re.IGNORECASE
)
"""The end of an endpoint's name, with its region: China has the words in the other order."""
_IMDS = "http://169.254.169.254"
_ECS = "http://169.254.170.2"


def region_of(host: str) -> str | None:
    """The region that an endpoint's name holds; None: it is no endpoint of RDS."""
    found = _ENDPOINT.search(host)
    if found is None or found.end() != len(host):
        return None
    return (found[1] or found[2]).lower()


class AwsTokens:
    """Signs tokens."""

    def __init__(self, identity: CloudIdentity, session: Session | None = None) -> None:
        self._identity = identity
        self.answers = Answers()
        self._asked = ""
        self._session = session or get_session()
        self._session.register("before-send.sts", self._note_question)
        self._session.register("before-parse.sts", self._note_answer)
        for each in self._session.get_component("credential_provider").providers:
            self._watch(each)

    def issue(self, login: Login) -> str:
        """A token of the credentials that are valid now."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise exceptions.NoCredentialsError
        region = self._find_region(login.host)
        signer = RequestSigner(
            ServiceId("RDS"),
            region,
            "rds-db",
            "v4",
            credentials,
            self._session.get_component("event_emitter"),
        )
        # What botocore makes a client's method of: a client itself would load RDS's whole model.
        client = SimpleNamespace(_request_signer=signer)
        return str(generate_db_auth_token(client, login.host, login.port, login.user, region))

    def _watch(self, provider: object) -> None:
        """The metadata services are asked by sessions of their own, which have no events."""
        fetcher = getattr(provider, "_role_fetcher", None) or getattr(provider, "_fetcher", None)
        session = getattr(fetcher, "_session", None)
        if not isinstance(session, URLLib3Session):
            return
        send = session.send

        def noting(request: Any) -> Any:
            response = send(request)
            kind = response.headers.get("Content-Type")
            self.answers.note(request.url, response.status_code, kind)
            return response

        session.send = noting

    def _note_question(self, request: Any, **_: object) -> None:
        self._asked = request.url

    def _note_answer(self, response_dict: Any = None, **_: object) -> None:
        if response_dict is not None:
            kind = response_dict["headers"].get("Content-Type")
            self.answers.note(self._asked, response_dict["status_code"], kind)

    def is_unreachable(self, error: Exception) -> bool:
        """Whether the service that gives the credentials did not answer."""
        return isinstance(
            error,
            exceptions.HTTPClientError
            | exceptions.ConnectionError
            | exceptions.MetadataRetrievalError
            | exceptions.CredentialRetrievalError,
        )

    def clock(self) -> str:
        """The service that gives the credentials: a local one, or the security token service."""
        found = getattr(self._session.get_credentials(), "method", None)
        if found == "iam-role":
            return os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _IMDS
        if found == "container-role":
            agent = urlsplit(os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or _ECS)
            return f"{agent.scheme}://{agent.netloc}"
        region = self._identity.region or self._session.get_config_variable("region") or ""
        end = ".cn" if region.startswith("cn-") else ""
        place = f"sts.{region}" if region else "sts"
        return os.environ.get("AWS_ENDPOINT_URL_STS") or f"https://{place}.amazonaws.com{end}"

    def advice(self, login: Login | None) -> str:
        """What RDS does not say: it refuses with `PAM authentication failed` alone."""
        host = login.host if login else ""
        if host and region_of(host) is None:
            return (
                f"the token is signed for {host}, which is no endpoint of RDS: name the instance's"
                " own one, with -identity aws:host=NAME.ID.REGION.rds.amazonaws.com (and port=)"
            )
        return (
            "check that the user has rds_iam (GRANT rds_iam TO USER), that a policy allows"
            " rds-db:connect on it to the role of these credentials, and that IAM authentication is"
            f" on for {host or 'the instance'}"
        )

    def _find_region(self, host: str) -> str:
        wanted, named = self._identity.region, region_of(host)
        if wanted and named and wanted != named:
            raise SettingsError(
                Reason.CONNECTION_INVALID,
                f"no token of aws: the identity's region is {wanted}, and the instance {host} is in"
                f" {named}",
                hint="leave the region out: an endpoint's name holds it (in a DatabaseMigration"
                " spec.database.identity.aws.region)",
            )
        found = (
            wanted
            or named
            or self._session.get_config_variable("region")
            or os.environ.get("AWS_REGION")
        )
        if not found:
            raise SettingsError(
                Reason.CONNECTION_INVALID,
                "no token of aws: the region is not known",
                hint="name it: -identity aws:region=eu-central-1, or AWS_REGION",
            )
        return str(found)
