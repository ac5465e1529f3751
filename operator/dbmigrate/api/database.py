"""Which database a resource migrates, and how the Job connects to it.

Either a whole URL from a Secret, or the parts of a connection. The operator never
reads a Secret, so two resources count as using one database when they refer to it
in the same words: the same Secret key, or the same host, port and name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.api.fields import Fields
from dbmigrate.api.forms import DATA_KEY, HOST, IDENTIFIER, OBJECT_NAME, TABLE

DEFAULT_PORT = 5432
LARGEST_PORT = 65535
DEFAULT_HISTORY_TABLE = "schema_migrations"


class SslMode(StrEnum):
    """The required TLS verification, in libpq's words."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a Secret or a ConfigMap in the resource's namespace."""

    name: str
    key: str
    kind: str = "Secret"
    """`Secret` or `ConfigMap`."""

    @property
    def field(self) -> str:
        """The Pod's name for a reference of this kind."""
        return "secretKeyRef" if self.kind == "Secret" else "configMapKeyRef"


@dataclass(frozen=True, slots=True)
class UrlFrom:
    """A connection URL that is in a Secret."""

    ref: KeyRef

    @property
    def description(self) -> str:
        """A short description of the database for messages, without secrets."""
        return f"secret/{self.ref.name}[{self.ref.key}]"


@dataclass(frozen=True, slots=True)
class Connection:
    """The parts of a connection; only user and password may come from Secrets."""

    host: str
    dbname: str
    port: int = DEFAULT_PORT
    user: str | None = None
    user_from: KeyRef | None = None
    password_from: KeyRef | None = None
    sslmode: SslMode | None = None
    """None: libpq's own default."""
    root_certificate_from: KeyRef | None = None

    @property
    def description(self) -> str:
        """A short description of the database for messages, without secrets."""
        return f"{self.host}:{self.port}/{self.dbname}"


@dataclass(frozen=True, slots=True)
class DatabaseSpec:
    """What is migrated: a database, and the table in it that keeps the version."""

    access: UrlFrom | Connection
    history_table: str = DEFAULT_HISTORY_TABLE

    @property
    def identity(self) -> str:
        """Equal for two resources of one namespace that use the same history."""
        text = f"{self.access.description}\n{self.history_table}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def parse_database(fields: Fields) -> DatabaseSpec:
    """Read `spec.database`. Raises SpecError."""
    access: UrlFrom | Connection
    if fields.only_one_of("urlFrom", "connection") == "urlFrom":
        access = UrlFrom(parse_ref(fields.section("urlFrom")))
    else:
        access = _parse_connection(fields.section("connection"))
    table = fields.optional_text("historyTable", TABLE) or DEFAULT_HISTORY_TABLE
    return DatabaseSpec(access, table)


def _parse_connection(fields: Fields) -> Connection:
    if fields.has("user") and fields.has("userFrom"):
        raise fields.error("userFrom", "must not be set beside user")
    return Connection(
        host=fields.text("host", HOST),
        dbname=fields.text("dbname", IDENTIFIER),
        port=fields.integer("port", DEFAULT_PORT, least=1, most=LARGEST_PORT),
        user=fields.optional_text("user", IDENTIFIER),
        user_from=_parse_optional_ref(fields, "userFrom"),
        password_from=_parse_optional_ref(fields, "passwordFrom"),
        sslmode=fields.choice("sslmode", SslMode.PREFER) if fields.has("sslmode") else None,
        root_certificate_from=_parse_optional_ref(fields, "rootCertificateFrom"),
    )


def _parse_optional_ref(fields: Fields, name: str) -> KeyRef | None:
    return parse_ref(fields.section(name)) if fields.has(name) else None


def parse_ref(fields: Fields) -> KeyRef:
    """Read a reference to one key of a Secret or a ConfigMap. Raises SpecError."""
    found = fields.only_one_of("secretKeyRef", "configMapKeyRef")
    ref = fields.section(found)
    kind = "Secret" if found == "secretKeyRef" else "ConfigMap"
    return KeyRef(ref.text("name", OBJECT_NAME), ref.text("key", DATA_KEY), kind)
