"""How the runner in the Job's Pod reaches the database.

Secrets are passed by reference from the resource to the Pod: the kubelet reads them,
the operator does not. The next run therefore uses a rotated Secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.api.database import (
    DEFAULT_PORT,
    CnpgCluster,
    Connection,
    DatabaseSpec,
    KeyRef,
    UrlFrom,
)
from dbmigrate.api.fields import Document
from dbmigrate.controller.jobs.command_line import literal

URL_VARIABLE = "DBMIGRATE_DATABASE"
SECRETS_VARIABLE = "DBMIGRATE_SECRET_VARIABLES"
CERTIFICATE_VOLUME = "root-certificate"
CERTIFICATE_DIRECTORY = "/etc/dbmigrate/tls"
CERTIFICATE_FILE = "root.crt"
CLIENT_VARIABLE = "DBMIGRATE_CLIENT_CERTIFICATE"
CLIENT_VOLUME = "client-certificate"
CLIENT_DIRECTORY = "/etc/dbmigrate/client"
CLIENT_MODE = 0o444
"""Readable by whatever user the Pod has. libpq refuses a key with this mode, so the runner makes a
copy for it."""
PASSWORD_FILE_VARIABLE = "DBMIGRATE_PASSWORD_FILE"


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """What a database adds to the Pod."""

    env: tuple[Document, ...]
    volumes: tuple[Document, ...] = ()
    mounts: tuple[Document, ...] = ()


def grant_access(database: DatabaseSpec) -> DatabaseAccess:
    """The environment and the files from which libpq learns how to connect."""
    access = database.access
    if isinstance(access, UrlFrom):
        granted = DatabaseAccess(env=(_from(URL_VARIABLE, access.ref),))
    elif isinstance(access, CnpgCluster):
        granted = _grant_cnpg(access)
    else:
        granted = _grant_connection(access)
    if database.client_certificate is None:
        return granted
    return _with_client_certificate(granted, database.client_certificate)


def name_secrets(env: list[Document]) -> list[Document]:
    """The variables, followed by one that names those whose values are secret."""
    last = {variable["name"]: variable for variable in env}
    # Only CloudNativePG's Secret names the database, in a key that holds nothing else.
    names = sorted(n for n, each in last.items() if n != "PGDATABASE" and _is_secret(each))
    return [*env, {"name": SECRETS_VARIABLE, "value": literal(",".join(names))}] if names else env


def _is_secret(variable: Document) -> bool:
    """Also of one that names another variable: the kubelet puts that one's value in."""
    source = variable.get("valueFrom")
    names_another = "$(" in str(variable.get("value", "")).replace("$$", "")
    return names_another or (isinstance(source, dict) and "secretKeyRef" in source)


def _grant_connection(connection: Connection) -> DatabaseAccess:
    env = [
        _is("PGHOST", connection.host),
        _is("PGPORT", str(connection.port)),
        _is("PGDATABASE", connection.dbname),
    ]
    if connection.user_from is not None:
        env.append(_from("PGUSER", connection.user_from))
    elif connection.user is not None:
        env.append(_is("PGUSER", connection.user))
    if connection.password_from is not None:
        env.append(_from("PGPASSWORD", connection.password_from))
    if connection.password_file is not None:
        env.append(_is(PASSWORD_FILE_VARIABLE, connection.password_file))
    if connection.target_session_attrs is not None:
        env.append(_is("PGTARGETSESSIONATTRS", connection.target_session_attrs.value))
    if connection.sslmode is not None:
        env.append(_is("PGSSLMODE", connection.sslmode))
    if connection.trusts_system:
        env += [_is("PGSSLMODE", "verify-full")] if connection.sslmode is None else []
        env.append(_is("PGSSLROOTCERT", "system"))
    return _trusting(env, connection.root_certificate_from)


def _grant_cnpg(access: CnpgCluster) -> DatabaseAccess:
    """By the names that CloudNativePG gives to what it makes for a cluster."""
    login, owner = (f"{access.cluster}-{role}" for role in (access.role, "app"))
    name = _is("PGDATABASE", access.database) if access.database else None
    env = [
        _is("PGHOST", f"{access.cluster}-rw"),
        _is("PGPORT", str(DEFAULT_PORT)),
        name or _from("PGDATABASE", KeyRef(owner, "dbname")),
        _from("PGUSER", KeyRef(login, "username")),
        _from("PGPASSWORD", KeyRef(login, "password")),
        _is("PGSSLMODE", "verify-full"),
    ]
    return _trusting(env, KeyRef(f"{access.cluster}-ca", "ca.crt"))


def _trusting(env: list[Document], authority: KeyRef | None) -> DatabaseAccess:
    """With the certificate of that authority, or without one."""
    if authority is None:
        return DatabaseAccess(tuple(env))
    env.append(_is("PGSSLROOTCERT", f"{CERTIFICATE_DIRECTORY}/{CERTIFICATE_FILE}"))
    mount = {"name": CERTIFICATE_VOLUME, "mountPath": CERTIFICATE_DIRECTORY, "readOnly": True}
    return DatabaseAccess(tuple(env), (_certificate_volume(authority),), (mount,))


def _with_client_certificate(access: DatabaseAccess, secret: str) -> DatabaseAccess:
    items = [{"key": name, "path": name} for name in ("tls.crt", "tls.key")]
    source = {"secretName": secret, "items": items, "defaultMode": CLIENT_MODE}
    mount = {"name": CLIENT_VOLUME, "mountPath": CLIENT_DIRECTORY, "readOnly": True}
    return DatabaseAccess(
        (*access.env, _is(CLIENT_VARIABLE, CLIENT_DIRECTORY)),
        (*access.volumes, {"name": CLIENT_VOLUME, "secret": source}),
        (*access.mounts, mount),
    )


def _certificate_volume(ref: KeyRef) -> Document:
    items = [{"key": ref.key, "path": CERTIFICATE_FILE}]
    if ref.kind == "Secret":
        return {"name": CERTIFICATE_VOLUME, "secret": {"secretName": ref.name, "items": items}}
    return {"name": CERTIFICATE_VOLUME, "configMap": {"name": ref.name, "items": items}}


def _is(name: str, value: str) -> Document:
    return {"name": name, "value": literal(value)}


def _from(name: str, ref: KeyRef) -> Document:
    return {"name": name, "valueFrom": {ref.field: {"name": ref.name, "key": ref.key}}}
