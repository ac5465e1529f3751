"""Which identity of a cloud provider logs in, as it is given. Imports no provider's library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

PROVIDERS = ("aws", "gcp", "azure")


class Provider(StrEnum):
    """Who issues the tokens."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"


@dataclass(frozen=True, slots=True)
class CloudIdentity:
    """The provider, and what its tokens need in addition to the connection."""

    provider: Provider
    region: str = ""
    """Of AWS: where the instance is. Empty: as the host's name or the environment says."""
    host: str = ""
    """Of AWS: the instance's own host name, which a token is signed for, where the connection
    goes to another one. Empty: the connection's host."""
    port: int | None = None
    """Of AWS: the instance's own port; None: the connection's."""
    client_id: str = ""
    """Of Azure: the managed identity or application. Empty: the only one, or the environment's."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where a token is shown, and by whom."""

    host: str
    port: int
    user: str


_FORMS = {
    Provider.AWS: {
        "region": r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}",
        "host": r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
        "port": r"[1-9][0-9]{0,4}",
    },
    Provider.GCP: {},
    Provider.AZURE: {"client-id": r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,62}[0-9A-Za-z])?"},
}
"""What each provider's parameters look like."""


def parse_identity(text: str) -> CloudIdentity:
    """Read `PROVIDER` or `PROVIDER:NAME=VALUE,...`.

    Raises ValueError, with the reason; it shows nothing of the values.
    """
    word, colon, rest = text.partition(":")
    if word not in PROVIDERS:
        raise ValueError(f"expected {', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}")
    provider = Provider(word)
    forms, found = _FORMS[provider], dict[str, str]()
    for part in rest.split(",") if colon else ():
        name, equals, value = part.partition("=")
        if name not in forms:
            known = f"the parameters of {word} are {', '.join(forms)}" if forms else "it has none"
            raise ValueError(f"a parameter of {word} is not known: {known}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        if not equals or re.fullmatch(forms[name], value, re.ASCII) is None:
            raise ValueError(f"{name} has no valid value")
        found[name] = value
    if int(found.get("port", 0)) > 65535:
        raise ValueError("port has no valid value")
    return CloudIdentity(
        provider,
        region=found.get("region", ""),
        host=found.get("host", ""),
        port=int(found["port"]) if "port" in found else None,
        client_id=found.get("client-id", ""),
    )
