"""`spec.database.identity`: a cloud provider's tokens instead of a password.

The Pod asks for them, as its ServiceAccount; the operator gets none.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.api.fields import Fields
from dbmigrate.api.forms import CLIENT_ID, ENDPOINT, REGION

LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class CloudLogin:
    """The provider, and its parameters by the runner's names for them."""

    provider: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def argument(self) -> str:
        """As the runner's -identity takes it."""
        given = ",".join(f"{name}={value}" for name, value in self.parameters)
        return f"{self.provider}:{given}" if given else self.provider


def parse_cloud_login(fields: Fields) -> CloudLogin:
    """Read it. Raises SpecError."""
    provider = fields.only_one_of("aws", "gcp", "azure")
    own = fields.section(provider)
    values: dict[str, str | None] = {}
    if provider == "aws":
        values["region"] = own.optional_text("region", REGION)
        values["host"] = own.optional_text("host", ENDPOINT)
        if own.has("port"):
            values["port"] = str(own.integer("port", 0, least=1, most=LARGEST_PORT))
    elif provider == "azure":
        values["client-id"] = own.optional_text("clientId", CLIENT_ID)
    return CloudLogin(provider, tuple((name, value) for name, value in values.items() if value))
