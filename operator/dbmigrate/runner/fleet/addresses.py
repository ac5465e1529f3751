"""From what all targets share and a target's own row to the database that is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from psycopg import pq

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.connection.settings import add_setting
from dbmigrate.postgres.connection.target import (
    ConnectionTarget,
    HistoryTable,
    describe_address,
    parse_history_table,
)
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.selection import Identity
from dbmigrate.runner.fleet.target import FleetTarget, first_schema, refused

_REQUIRE_AUTH = 160000
"""The first libpq that knows require_auth."""
_PASSWORD_LIMIT = 4096
"""Bytes of a password file that are read."""
_DEFAULT_PORT = "5432"
_SAME_SERVER = frozenset(("dbname", "user", "password", "options"))
"""Parameters of a connection that do not say whom it leads to, nor how that one is known."""


@dataclass(frozen=True, slots=True)
class PasswordFiles:
    """Where the password files that rows name lie: whoever writes a row may write the host, too,
    and is not to send it any other file of this machine."""

    directory: str | None
    """They are in it, by names relative to it. None: rows may name none."""

    def check(self, name: str, place: str) -> None:
        """Raise MigrationError (SourceInvalid) for a name that leads out of the directory; where
        links lead is seen when it is read."""
        if self.directory is None:
            raise refused(
                place,
                "it may not name a password file: no directory for them is known",
                "name that directory with -password-dir",
            )
        path = PurePath(name)
        if path.is_absolute() or ".." in path.parts:
            raise refused(
                place,
                "password_file leads out of the directory of password files (not shown)",
                "write a path below the list's directory, or name another one with -password-dir",
            )


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes the database of each target."""

    shared: ConnectionTarget
    """What the URL says, for every target."""
    environ: Mapping[str, str]
    passwords: PasswordFiles
    trusts_servers: bool = True
    """False: a server that a row names, by host or by port, and that does not prove its name by
    TLS, is not given a password in clear text."""

    def identify(self, row: FleetTarget, place: str) -> Sequence[Identity]:
        """By what a target is told from others. Raises MigrationError (SourceInvalid)."""
        if row.password_file:
            self.passwords.check(row.password_file, place)
        history = self.history_of(row, place)
        schema = row.schema or first_schema(row.search_path)
        where = (*self.server_of(row), self._database_of(row))
        found: list[Identity] = [(*where, schema, history.schema or "", history.name)]
        if history.schema is not None:
            found.append((*where, history.schema, history.name))
        return found

    def server_of(self, row: FleetTarget) -> tuple[str, str]:
        """Host and port, as far as they are known without asking anyone."""
        given = self.shared.conninfo
        host = row.host or given.get("host") or given.get("hostaddr")
        port = row.port or given.get("port") or self.environ.get("PGPORT") or _DEFAULT_PORT
        return (host or self.environ.get("PGHOST", "")).lower(), port

    def session_key(self, row: FleetTarget) -> tuple[str, ...]:
        """What is equal for targets that one connection can read."""
        return row.host, row.port, row.dbname, row.user, row.password_file

    def history_of(self, row: FleetTarget, place: str = "") -> HistoryTable:
        """The target's own history. Raises MigrationError (SourceInvalid)."""
        shared = self.shared.history
        if row.history_table:
            given = parse_history_table(row.history_table)
            schema = given.schema or row.schema or shared.schema
            return replace(shared, schema=schema, name=given.name, is_by_search_path=False)
        if not row.schema:
            return shared
        is_free = shared.is_by_search_path or shared.schema in (None, shared.kind.default_schema)
        if not is_free:
            raise refused(
                place,
                f"it has a schema of its own, and the history table of all is in schema"
                f" {shared.schema}: they would share one history",
                "give the table's name alone, without a schema",
            )
        return replace(shared, schema=row.schema, is_by_search_path=False)

    def database(self, row: FleetTarget, *, with_search_path: bool = True) -> ConnectionTarget:
        """The target's database; without its search path, the one that its neighbours share.

        Raises MigrationError for a password file that can't be read.
        """
        conninfo = dict(self.shared.conninfo)
        if row.host:
            conninfo.pop("hostaddr", None)
            if "," in conninfo.get("port", ""):
                del conninfo["port"]
        own = {"host": row.host, "port": row.port, "dbname": row.dbname, "user": row.user}
        conninfo.update({key: value for key, value in own.items() if value})
        if not self.trusts_servers and self._is_exposed(conninfo):
            # The author of the catalog's rows must not learn the shared password.
            conninfo["require_auth"] = "!password"
        if row.password_file:
            conninfo["password"] = self._read_password(row.password_file)
        path = row.search_path or (identifier(row.schema) if row.schema else "")
        has_path = bool(path) and with_search_path
        if has_path:
            conninfo = add_setting(conninfo, self.environ, "search_path", path)
        return replace(
            self.shared,
            conninfo=conninfo,
            identity=None if row.password_file else self.shared.identity,
            url_database=None if row.dbname else self.shared.url_database,
            history=self.history_of(row),
            display=describe_address(conninfo, self.environ),
            search_path=path if has_path else self.shared.search_path,
        )

    def _database_of(self, row: FleetTarget) -> str:
        given = self.shared.conninfo
        return row.dbname or given.get("dbname") or self.environ.get("PGDATABASE", "")

    def _is_exposed(self, conninfo: Mapping[str, str]) -> bool:
        """Whether it leads to another server than the URL does, which may ask for a password
        in clear text, and need not prove its name."""

        def server(of: Mapping[str, str]) -> dict[str, str]:
            return {key: value for key, value in of.items() if key not in _SAME_SERVER}

        if server(conninfo) == server(self.shared.conninfo) or pq.version() < _REQUIRE_AUTH:
            return False
        is_told = conninfo.get("require_auth") or self.environ.get("PGREQUIREAUTH")
        return not is_told and not _is_verified(conninfo)

    def _read_password(self, name: str) -> str:
        if self.passwords.directory is None:
            raise _unreadable("no directory for password files is known")
        directory = os.path.realpath(self.passwords.directory)
        path = os.path.realpath(os.path.join(directory, name))
        if os.path.commonpath((directory, path)) != directory:
            raise _unreadable("it lies outside of the directory of password files")
        try:
            with open(path, "rb", opener=_open_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise _unreadable("it is no file")
                content = file.read(_PASSWORD_LIMIT + 1)
            password = content.decode().rstrip("\r\n")
        except OSError as error:
            raise _unreadable(cause_of(error)) from None
        except UnicodeDecodeError:
            raise _unreadable("it is not UTF-8") from None
        if len(content) > _PASSWORD_LIMIT or "\n" in password or "\0" in password:
            raise _unreadable("it holds more than one line")
        return password


def _is_verified(conninfo: Mapping[str, str]) -> bool:
    """Whether the server proves its name. One behind a socket's directory proves nothing: libpq
    uses no TLS there."""
    hosts = conninfo.get("host", "").split(",")
    is_remote = all(host and host[0] not in "/@" for host in hosts)
    return is_remote and conninfo.get("sslmode") == "verify-full"


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for a writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _unreadable(why: str) -> MigrationError:
    """Without the file's name, which may be a password that somebody has put there."""
    return MigrationError(
        Reason.AUTHENTICATION_FAILED,
        f"the target's password file can't be used: {why}",
        hint="password_file names a file that holds the password alone",
    )
