"""A server that takes access tokens: Cloud SQL and Azure Database, each with its issuer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.cloud.gate import Gate
from tests.cloud.sigv4 import Refused
from tests.database import Database


@dataclass
class Issuer:
    """Gives tokens that are valid until it says otherwise."""

    lifetime: int = 3600
    """Seconds that it says of them."""
    form: str = "ya29.{number}-" + "s3cr3t" * 20
    live: set[str] = field(default_factory=set)
    issued: int = 0

    def issue(self) -> str:
        """A further token."""
        self.issued += 1
        token = self.form.format(number=self.issued)
        self.live.add(token)
        return token


@dataclass
class BearerServer:
    """A gate that knows the issuer's tokens."""

    gate: Gate
    roots: Path
    database: Database
    host: str
    issuer: Issuer

    def __post_init__(self) -> None:
        self.gate.check = self._check

    def url(self, user: str) -> str:
        """A URL of the database, which leads to the loopback."""
        return (
            f"host={self.host} hostaddr=127.0.0.1 port={self.gate.port} user={user}"
            f" dbname={self.database.name} sslmode=verify-full sslrootcert={self.roots}"
        )

    def _check(self, parameters: dict[str, str], token: str) -> None:
        del parameters
        if token not in self.issuer.live:
            raise Refused("expired")


@contextmanager
def bearer_server(
    database: Database, authority: trustme.CA, roots: Path, host: str, issuer: Issuer
) -> Iterator[BearerServer]:
    """A server of that name before that database."""
    gate = Gate(database.server, authority, (host,), lambda *_: None)
    try:
        yield BearerServer(gate, roots, database, host, issuer)
    finally:
        gate.close()
