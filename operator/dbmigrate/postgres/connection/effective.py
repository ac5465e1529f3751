"""What libpq makes of a connection's parameters, with the PG variables and a service's file.

libpq itself is asked: it reads and checks all parameters before it opens anything, and one that
it refuses, behind the others, keeps it from opening anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dbmigrate.postgres.connection.libpq import Error, make_conninfo, pq

_LAST = "target_session_attrs"
"""libpq looks at it when the other parameters are read."""
_NO_FILE = os.path.join(os.devnull, "none")


@dataclass(frozen=True, slots=True)
class Effective:
    """The parameters that count, and what libpq says of one that it refuses."""

    values: Mapping[str, str]
    problem: str | None = None
    """Its text, which may quote the value; None: it takes them all."""


def names_service(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether parameters may come from a service's file."""
    return bool(conninfo.get("service") or environ.get("PGSERVICE"))


def read_effective(conninfo: Mapping[str, str]) -> Effective:
    """Ask libpq in this process's environment. Nothing is opened, and no password file is read."""
    found = _ask({**conninfo, "password": conninfo.get("password") or "unknown"})
    values = {name: value for name, value in found.values.items() if name != "password"}
    if found.problem is not None:
        return Effective(values, found.problem)
    # With a password libpq reads no password file; without one it would, and complain of its mode.
    password = _ask({**conninfo, "passfile": _NO_FILE}).values.get("password")
    return Effective({**values, "password": password} if password else values)


def _ask(conninfo: Mapping[str, str]) -> Effective:
    try:
        text = make_conninfo("", **{**conninfo, _LAST: "unknown"})
    except Error as error:
        return Effective({}, str(error))
    connection = pq.PGconn.connect_start(text.encode())
    try:
        said = connection.get_error_message().strip()
        values = {
            each.keyword.decode(): each.val.decode(errors="replace")
            for each in connection.info
            if each.val and each.val != each.compiled and each.keyword.decode() != _LAST
        }
    finally:
        connection.finish()
    return Effective(values, None if _LAST in said else said)
