"""How the runner in the Job's Pod reaches the database.

Secrets are passed by reference from the resource to the Pod: the kubelet reads them,
the operator does not. The next run therefore uses a rotated Secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.api.database import Connection, DatabaseSpec, KeyRef, UrlFrom
from dbmigrate.api.fields import Document
from dbmigrate.controller.jobs.command_line import literal

URL_VARIABLE = "DBMIGRATE_DATABASE"
SECRETS_VARIABLE = "DBMIGRATE_SECRET_VARIABLES"
CERTIFICATE_VOLUME = "root-certificate"
CERTIFICATE_DIRECTORY = "/etc/dbmigrate/tls"
CERTIFICATE_FILE = "root.crt"


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
        return DatabaseAccess(env=(_from(URL_VARIABLE, access.ref),))
    return _grant_connection(access)


def name_secrets(env: list[Document]) -> list[Document]:
    """The variables, with one behind them that tells the runner whose values are secret."""
    last = {variable["name"]: variable for variable in env}
    names = sorted(name for name, variable in last.items() if _is_secret(variable))
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
    if connection.sslmode is not None:
        env.append(_is("PGSSLMODE", connection.sslmode))
    certificate = connection.root_certificate_from
    if certificate is None:
        return DatabaseAccess(tuple(env))
    env.append(_is("PGSSLROOTCERT", f"{CERTIFICATE_DIRECTORY}/{CERTIFICATE_FILE}"))
    mount = {"name": CERTIFICATE_VOLUME, "mountPath": CERTIFICATE_DIRECTORY, "readOnly": True}
    return DatabaseAccess(tuple(env), (_certificate_volume(certificate),), (mount,))


def _certificate_volume(ref: KeyRef) -> Document:
    items = [{"key": ref.key, "path": CERTIFICATE_FILE}]
    if ref.kind == "Secret":
        return {"name": CERTIFICATE_VOLUME, "secret": {"secretName": ref.name, "items": items}}
    return {"name": CERTIFICATE_VOLUME, "configMap": {"name": ref.name, "items": items}}


def _is(name: str, value: str) -> Document:
    return {"name": name, "value": literal(value)}


def _from(name: str, ref: KeyRef) -> Document:
    return {"name": name, "valueFrom": {ref.field: {"name": ref.name, "key": ref.key}}}
