"""Asking a provider's library for a token, and saying in words why there is none.

A library's own error may quote what it was answered. So its text is shortened, and what reads as
a credential is taken out.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Mapping
from typing import Protocol

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.identity.answers import Answers, without_page
from dbmigrate.postgres.identity.clock import describe_skew
from dbmigrate.postgres.identity.identity import CloudIdentity, Login, Provider
from dbmigrate.report import Reason
from dbmigrate.secret_variables import secret_variables

TOKEN_LIMIT = 65536
"""Characters of a token. libpq and the servers take no longer password."""
_SHOWN = 900
"""Characters of a library's error."""
_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "IDENTITY_HEADER",
)
_CREDENTIAL = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]+)*|ya29\.[\w.-]+|(?<=X-Amz-)[\w-]+=[^&\s]+"
    r"|(?P<place>https?://[\w.:/@%~-]+)|[\w+/=-]{48,}",
    re.ASCII,
)
"""JSON web tokens, Google's tokens, the parts of a signature, and any other long word; a URL as
far as its query is none."""


class TokenProvider(Protocol):
    """One provider's library. What it keeps lives as long as the process."""

    answers: Answers
    """What its services have answered."""

    def issue(self, login: Login) -> str:
        """A token for that login, valid from now on; raises what the library raises."""

    def is_unreachable(self, error: Exception) -> bool:
        """Whether the library had no answer, so that trying again may help."""

    def clock(self) -> str:
        """The URL of the service that answers for the credentials; its answers contain the time."""

    def advice(self, login: Login | None) -> str:
        """What to look at when the server refuses a token."""


_providers: dict[CloudIdentity, TokenProvider] = {}
_skews: dict[str, tuple[float, str | None]] = {}
"""What was found of each clock, and when: a fleet may be refused a thousand times."""
_SKEW_SECONDS = 60.0
_lock = threading.Lock()
"""The libraries' credentials are not safe for threads."""


def issue(identity: CloudIdentity, login: Login, environ: Mapping[str, str]) -> str:
    """A token. Raises MigrationError: ConnectionInvalid without the library, ConnectionRefused
    where no service answers, AuthenticationFailed where the provider refuses."""
    with _lock:
        provider = _find_provider(identity)
        provider.answers.last = None
        try:
            return _check(provider.issue(login), identity)
        except MigrationError:
            raise
        except Exception as error:  # the libraries' errors have no common base
            is_unreachable = provider.is_unreachable(error)
            answer = provider.answers.last
            hint, said = _where_from(identity), ""
            if answer is not None:
                hint, said = answer.advise(hint), f"{answer.describe()}: "
            skew = None if is_unreachable else _find_skew(provider)
            raise MigrationError(
                Reason.CONNECTION_REFUSED if is_unreachable else Reason.AUTHENTICATION_FAILED,
                f"no token of {identity.provider}: {said}{show_error(error, environ)}",
                hint=skew or hint,
            ) from None


def _check(token: str, identity: CloudIdentity) -> str:
    problem = ""
    if not token:
        problem = "is empty"
    elif len(token) > TOKEN_LIMIT:
        problem = f"has {len(token)} characters, more than {TOKEN_LIMIT}"
    elif "\0" in token:
        problem = "holds a NUL character"
    if problem:
        raise MigrationError(
            Reason.AUTHENTICATION_FAILED,
            f"no token of {identity.provider}: what was answered {problem}",
            hint=_where_from(identity),
        )
    return token


def advise(identity: CloudIdentity, login: Login | None) -> str:
    """What to look at when the server refuses a token; the clock first, if it is wrong."""
    with _lock:
        provider = _find_provider(identity)
        return _find_skew(provider) or provider.advice(login)


def show_error(error: Exception, environ: Mapping[str, str]) -> str:
    """A library's error in one line, without what reads as a credential."""
    text = " ".join(without_page(str(error)).split())
    for name in (*_SECRETS, *secret_variables(environ)):
        if value := environ.get(name):
            text = text.replace(value, "(not shown)")
    text = _CREDENTIAL.sub(lambda found: found["place"] or "(not shown)", text)
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def _find_skew(provider: TokenProvider) -> str | None:
    try:
        url = provider.clock()
    except Exception:  # it is asked because something is wrong already
        return None
    asked_at, skew = _skews.get(url, (-math.inf, None))
    if time.monotonic() - asked_at > _SKEW_SECONDS:
        skew = describe_skew(url)
        _skews[url] = time.monotonic(), skew
    return skew


def _find_provider(identity: CloudIdentity) -> TokenProvider:
    found = _providers.get(identity)
    if found is None:
        found = _providers[identity] = _make_provider(identity)
    return found


def _make_provider(identity: CloudIdentity) -> TokenProvider:
    try:
        match identity.provider:
            case Provider.AWS:
                from dbmigrate.postgres.identity.aws import AwsTokens

                return AwsTokens(identity)
            case Provider.GCP:
                from dbmigrate.postgres.identity.gcp import GcpTokens

                return GcpTokens()
            case Provider.AZURE:
                from dbmigrate.postgres.identity.azure import AzureTokens

                return AzureTokens(identity)
    except ModuleNotFoundError as error:
        raise MigrationError(
            Reason.CONNECTION_INVALID,
            f"-identity {identity.provider} needs the provider's library: {error}",
            hint=f"install dbmigrate[{identity.provider}], or use dbmigrate's image, which has it",
        ) from None


def _where_from(identity: CloudIdentity) -> str:
    return {
        Provider.AWS: "give the run credentials of AWS: in the cluster a ServiceAccount with a role"
        " (EKS Pod Identity, or IRSA's annotation), elsewhere AWS_PROFILE or the AWS_ variables",
        Provider.GCP: "give the run credentials of Google: in the cluster a ServiceAccount with"
        " Workload Identity, elsewhere `gcloud auth application-default login` or"
        " GOOGLE_APPLICATION_CREDENTIALS",
        Provider.AZURE: "give the run credentials of Azure: in the cluster a ServiceAccount with"
        " azure.workload.identity/client-id and the Pod's label azure.workload.identity/use, else"
        " a managed identity or `az login`",
    }[identity.provider]
