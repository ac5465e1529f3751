"""Which database a resource migrates, and how the Job connects to it.

A whole URL from a Secret, the parts of a connection, or a cluster of CloudNativePG's.
The operator never reads a Secret, so two resources count as using one database when they
refer to it in the same words: the same Secret key, or the same host, port and name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from dbmigrate.api.cloud_login import CloudLogin, parse_cloud_login
from dbmigrate.api.fields import Document, Fields
from dbmigrate.api.forms import (
    CNPG_NAME,
    DATA_KEY,
    FILE_PATH,
    HOST,
    HOST_NAME_LENGTH,
    IDENTIFIER,
    OBJECT_NAME,
    TABLE,
)

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


ENCRYPTED = (SslMode.VERIFY_FULL, SslMode.VERIFY_CA, SslMode.REQUIRE)
"""With which a token may be sent."""


class SessionAttributes(StrEnum):
    """Which of several hosts may be the one, in libpq's words."""

    ANY = "any"
    READ_WRITE = "read-write"
    PRIMARY = "primary"


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
    trusts_system: bool = False
    """Whether the server's certificate may be of any authority that the image trusts."""
    password_file: str | None = None
    """In the runner's container, read for every connection."""
    target_session_attrs: SessionAttributes | None = None

    @property
    def description(self) -> str:
        """A short description of the database for messages, without secrets."""
        return f"{self.host}:{self.port}/{self.dbname}"


@dataclass(frozen=True, slots=True)
class CnpgCluster:
    """A cluster of CloudNativePG's in the resource's namespace: its Secrets and its service."""

    cluster: str
    database: str | None = None
    """None: the one that the cluster was made with."""
    role: str = "app"
    """Whose Secret is used, by the end of its name: CLUSTER-ROLE."""

    @property
    def description(self) -> str:
        """A short description of the database for messages, without secrets."""
        return f"cnpg/{self.cluster}/{self.database or ''}"


Access = UrlFrom | Connection | CnpgCluster


@dataclass(frozen=True, slots=True)
class DatabaseSpec:
    """What is migrated: a database, and the table in it that keeps the version."""

    access: Access
    history_table: str = DEFAULT_HISTORY_TABLE
    client_certificate: str | None = None
    """A Secret of type kubernetes.io/tls."""
    cloud_login: CloudLogin | None = None
    """Whose tokens are the passwords; None: there is a password, or a certificate."""
    role: str | None = None
    """The role that a run acts as; None: the user."""

    @property
    def identity(self) -> str:
        """Equal for two resources of one namespace that use the same history."""
        text = f"{self.access.description}\n{self.history_table}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @property
    def words(self) -> Document:
        """The part of an intent's hash. A field that is not set is left out, so that the hash is
        the one of older versions, which did not have the field."""
        access = asdict(self.access)
        if isinstance(self.access, Connection):
            access = {n: v for n, v in access.items() if n not in _LATER or v}
        words = {"access": access, "history_table": self.history_table}
        if self.client_certificate is not None:
            words["client_certificate"] = self.client_certificate
        if self.cloud_login is not None:
            words["cloud_login"] = self.cloud_login.argument
        if self.role is not None:
            words["role"] = self.role
        return words

    @property
    def checksum(self) -> str:
        """A hash that changes when another database may be reached."""
        text = json.dumps(self.words, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


_LATER = frozenset({"trusts_system", "password_file", "target_session_attrs"})
"""Fields of a connection that the first versions did not have."""


def parse_database(fields: Fields) -> DatabaseSpec:
    """Read `spec.database`. Raises SpecError."""
    access: Access
    chosen = fields.only_one_of("urlFrom", "connection", "cnpg")
    if chosen == "urlFrom":
        access = UrlFrom(parse_ref(fields.section("urlFrom")))
    elif chosen == "connection":
        access = _parse_connection(fields.section("connection"))
    else:
        access = _parse_cnpg(fields.section("cnpg"))
    table = fields.optional_text("historyTable", TABLE) or DEFAULT_HISTORY_TABLE
    return DatabaseSpec(
        access,
        table,
        _parse_client_certificate(fields),
        _parse_cloud_login(fields, access),
        fields.optional_text("role", IDENTIFIER),
    )


def _parse_cloud_login(fields: Fields, access: Access) -> CloudLogin | None:
    if not fields.has("identity"):
        return None
    if isinstance(access, CnpgCluster):
        raise fields.error("identity", "must not be set together with cnpg")
    if isinstance(access, Connection):
        if access.password_from is not None or access.password_file is not None:
            raise fields.error(
                "identity", "must not be set together with a password of the connection"
            )
        if access.sslmode not in ENCRYPTED and (access.sslmode or not access.trusts_system):
            raise fields.error("identity", f"needs connection.sslmode {', '.join(ENCRYPTED)}")
    return parse_cloud_login(fields.section("identity"))


def _parse_client_certificate(fields: Fields) -> str | None:
    if not fields.has("clientCertificateFrom"):
        return None
    return fields.section("clientCertificateFrom").section("secretRef").text("name", OBJECT_NAME)


def _parse_cnpg(fields: Fields) -> CnpgCluster:
    return CnpgCluster(
        cluster=fields.text("cluster", CNPG_NAME),
        database=fields.optional_text("database", IDENTIFIER),
        role=fields.optional_text("role", CNPG_NAME) or "app",
    )


def _parse_host(fields: Fields) -> str:
    host = fields.text("host", HOST)
    if any(len(name.removesuffix(".")) > HOST_NAME_LENGTH for name in host.split(",")):
        raise fields.error("host", f"must have names of at most {HOST_NAME_LENGTH} characters each")
    return host


def _parse_connection(fields: Fields) -> Connection:
    for one, other in (("user", "userFrom"), ("passwordFile", "passwordFrom")):
        if fields.has(one) and fields.has(other):
            raise fields.error(other, f"must not be set together with {one}")
    trusts_system, root = _parse_root_certificate(fields)
    has_attributes = fields.has("targetSessionAttrs")
    return Connection(
        host=_parse_host(fields),
        dbname=fields.text("dbname", IDENTIFIER),
        port=fields.integer("port", DEFAULT_PORT, least=1, most=LARGEST_PORT),
        user=fields.optional_text("user", IDENTIFIER),
        user_from=_parse_optional_ref(fields, "userFrom"),
        password_from=_parse_optional_ref(fields, "passwordFrom"),
        sslmode=fields.choice("sslmode", SslMode.PREFER) if fields.has("sslmode") else None,
        root_certificate_from=root,
        trusts_system=trusts_system,
        password_file=fields.optional_text("passwordFile", FILE_PATH),
        target_session_attrs=fields.choice("targetSessionAttrs", SessionAttributes.ANY)
        if has_attributes
        else None,
    )


def _parse_root_certificate(fields: Fields) -> tuple[bool, KeyRef | None]:
    if not fields.has("rootCertificateFrom"):
        return False, None
    source = fields.section("rootCertificateFrom")
    if source.only_one_of("secretKeyRef", "configMapKeyRef", "system") != "system":
        return False, parse_ref(source)
    source.section("system")
    if fields.choice("sslmode", SslMode.VERIFY_FULL) is not SslMode.VERIFY_FULL:
        raise fields.error("sslmode", "must be verify-full with rootCertificateFrom.system")
    return True, None


def _parse_optional_ref(fields: Fields, name: str) -> KeyRef | None:
    return parse_ref(fields.section(name)) if fields.has(name) else None


def parse_ref(fields: Fields) -> KeyRef:
    """Read a reference to one key of a Secret or a ConfigMap. Raises SpecError."""
    found = fields.only_one_of("secretKeyRef", "configMapKeyRef")
    ref = fields.section(found)
    kind = "Secret" if found == "secretKeyRef" else "ConfigMap"
    return KeyRef(ref.text("name", OBJECT_NAME), ref.text("key", DATA_KEY), kind)
