"""Which database to migrate, and how: a URL read once at the edge.

Accepts what golang-migrate accepts (its schemes, its x- parameters with its messages)
and what libpq accepts (keyword strings, services, several hosts, password files,
PG* variables). golang-migrate's drivers send parameters that they do not know to
the server as run-time settings; libpq rejects those, so they become
`options=-c name=value` here. Does not import psycopg.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.parameters import (
    DRIVER_SETTINGS,
    LIBPQ,
    intended_name,
    is_known,
)
from dbmigrate.postgres.connection.redaction import from_environ, show
from dbmigrate.postgres.connection.settings import escape_option
from dbmigrate.postgres.connection.url import (
    check_hosts,
    is_keyword_string,
    split_keywords,
    split_url,
)
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.postgres.identity.identity import CloudIdentity

SCHEMES = ("pgx", "pgx4", "pgx5", "postgres", "postgresql")
DEFAULT_TABLE = "schema_migrations"
DEFAULT_MULTI_STATEMENT_MAX_SIZE = 10 * 1024 * 1024

ATLAS_SCHEMA = "atlas_schema_revisions"
"""Atlas gives its table the name of its schema."""

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGSERVICE")
"""Any one of these selects the database if there is no URL."""

_FORM = "postgres://USER@HOST/NAME"
_A_URL = f"name a database of PostgreSQL: {_FORM}, or host=HOST dbname=NAME"
_OTHER_DRIVERS = frozenset(
    "cassandra clickhouse cockroach cockroachdb crdb-postgres firebird firebirdsql mongodb"
    " mongodb+srv mysql neo4j ql redshift rqlite snowflake spanner sqlcipher sqlite sqlite3"
    " sqlserver stub yugabyte yugabytedb ysql mariadb maria mssql oracle postgis".split()
)
"""Schemes of golang-migrate and of other tools. Any other word before a colon may be a
user's name or a password, and is not shown."""
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_USUAL = ("postgres://", "postgresql://", "pgx5://")
_BYTES = ("PGPASSWORD", "PGPASSFILE")
"""Only libpq reads these, in any encoding."""
_NUMBERS = (
    ("port", r"(?:[0-9]{0,5}(?:,[0-9]{0,5})*)", "a number from 1 to 65535"),
    ("connect_timeout", r"\s*(?:[+-]?[0-9]{1,9})?\s*", "a number of seconds"),
)
"""What psycopg reads before libpq does, with errors of its own."""
_QUOTED = re.compile(r'"(.*?)"')
_NAME_PART = re.compile(r'(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)')


_TABLES = {
    "goose": "goose_db_version",
    "atlas": ATLAS_SCHEMA,
    "flyway": "flyway_schema_history",
}


class HistoryKind(StrEnum):
    """The tool whose table keeps the history, by the names of the file formats."""

    GOLANG_MIGRATE = "golang-migrate"
    GOOSE = "goose"
    DBMATE = "dbmate"
    ATLAS = "atlas"
    FLYWAY = "flyway"

    @property
    def default_table(self) -> str:
        """What the tool calls it."""
        return _TABLES.get(self.value, DEFAULT_TABLE)

    @property
    def default_schema(self) -> str | None:
        """Where the tool creates it; None: where the search path leads."""
        return ATLAS_SCHEMA if self is HistoryKind.ATLAS else None

    @property
    def makes_schema(self) -> bool:
        """Whether the tool creates the schema of its table."""
        return self in (HistoryKind.ATLAS, HistoryKind.DBMATE, HistoryKind.FLYWAY)


_PLAIN_SCHEMA = re.compile(r"[a-z_][a-z0-9_$]*")
"""A search path of one schema, whose name needs no quotes and is no list."""


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """The table that holds the version, by its exact name."""

    schema: str | None = None
    """None: the first schema of the search path that exists, as CURRENT_SCHEMA() says."""
    name: str = DEFAULT_TABLE
    kind: HistoryKind = HistoryKind.GOLANG_MIGRATE
    owner: str | None = None
    """A role that may own it, in addition to those that the session trusts by itself."""

    is_by_search_path: bool = False
    """Whether the schema is the one that the URL's search path names."""

    def of(self, kind: HistoryKind, search_path: str | None = None) -> HistoryTable:
        """The table of that tool: by the tool's own name, unless another one was given.

        Where the URL names a search path, Atlas follows it: one name alone is that of the
        schema, which Atlas makes where it is not there.
        """
        is_default = self.name == DEFAULT_TABLE
        schema, is_by_path = self.schema, False
        if schema is None and is_default and kind.default_schema is not None:
            is_by_path = (
                search_path is not None and _PLAIN_SCHEMA.fullmatch(search_path) is not None
            )
            schema = search_path if is_by_path else kind.default_schema if not search_path else None
        name = kind.default_table if is_default else self.name
        return HistoryTable(schema, name, kind, self.owner, is_by_path)


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """One database, and the settings for working on it."""

    conninfo: dict[str, str] = field(repr=False)
    """For psycopg.connect(**conninfo). Holds the password when the URL did."""
    url_database: str | None
    """The URL's decoded path with its leading slash: what golang-migrate hashes for its
    lock. None when the path is empty: it then hashes the database's name."""
    history: HistoryTable
    statement_timeout_ms: int | None
    """Milliseconds a statement may take; None: no limit."""
    multi_statement: bool
    """Run a file statement by statement, each on its own (x-multi-statement)."""
    multi_statement_max_size: int
    """Bytes of one statement then."""
    display: str
    """Host and database for people; no user, no password."""
    search_path: str | None = None
    """What the URL itself says."""
    role: str = ""
    """The role that -role has named, and `options` ask for; empty: none was named so."""
    identity: CloudIdentity | None = None
    """Who logs in with tokens; None: the password is in `conninfo`, or where libpq finds it."""

    def __str__(self) -> str:
        return self.display


def parse_target(text: str, environ: Mapping[str, str]) -> ConnectionTarget:
    """Read a database URL or keyword string; an empty one means the PG* variables.

    Raises MigrationError (ConnectionInvalid) with golang-migrate's text where it has one;
    it never holds the password.
    """
    scheme, params, url_database = _split(text, environ)
    _check_texts(params, environ)
    own = {key: value for key, value in params.items() if key.startswith("x-")}
    _check_lock_strategy(scheme, own)
    conninfo = _conninfo(params, environ)
    timeout = _integer(own, "x-statement-timeout", 0)
    if timeout < 0:
        raise _unopened("x-statement-timeout must not be negative")
    max_size = _integer(own, "x-multi-statement-max-size", 0)
    return ConnectionTarget(
        conninfo=conninfo,
        url_database=url_database,
        history=_history(own),
        statement_timeout_ms=timeout or None,
        multi_statement=_boolean(own, "x-multi-statement"),
        multi_statement_max_size=max_size if max_size > 0 else DEFAULT_MULTI_STATEMENT_MAX_SIZE,
        display=describe_address(conninfo, environ),
        search_path=params.get("search_path"),
    )


def parse_history_table(text: str) -> HistoryTable:
    """Read `table`, `schema.table` or `"odd schema"."odd table"`.

    Raises MigrationError (Internal) for anything else.
    """
    parts = []
    position = 0
    while match := _NAME_PART.match(text, position):
        parts.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        position = match.end()
        if not match[3]:
            break
    if position != len(text) or not 1 <= len(parts) <= 2 or text.endswith("."):
        raise MigrationError(
            Reason.INTERNAL, f"history table {text!r}: expected table or schema.table"
        )
    if any(find_fault(part) for part in parts):
        raise MigrationError(Reason.INTERNAL, "the history table's name is not UTF-8, or has a NUL")
    return HistoryTable(parts[0] if len(parts) == 2 else None, parts[-1])


def _split(text: str, environ: Mapping[str, str]) -> tuple[str, dict[str, str], str | None]:
    text = text.strip()
    if not text:
        if any(environ.get(name) for name in LIBPQ_VARIABLES):
            return "", {}, None
        raise _unparsed(
            "URL cannot be empty",
            hint=f"name the database: -database {_FORM}, or DBMIGRATE_DATABASE, DATABASE_URL, or"
            " PGHOST and PGDATABASE",
        )
    if not text.startswith(_USUAL):
        from dbmigrate.postgres.connection.other_forms import find_other_form

        other = find_other_form(text)
        if other is not None:
            raise _unopened(other)
    if is_keyword_string(text):
        try:
            return "", split_keywords(text), None
        except ValueError as error:
            raise _unopened(f"can't read the keyword string: {error}") from None
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme:
        raise _unparsed("no scheme", hint=_A_URL)
    if scheme not in SCHEMES:
        if scheme in _OTHER_DRIVERS:
            raise _unopened(
                f"database driver: unknown driver {scheme} (forgotten import?)", hint=_A_URL
            )
        raise _unopened(
            "database driver: unknown driver (not shown: it may be part of a password);"
            " a URL begins with postgres://"
        )
    try:
        if not rest.startswith("//"):
            raise ValueError(f"expected {scheme}://")
        params, path = split_url(rest[2:])
    except ValueError as error:
        raise _unopened(f"can't read the URL: {error}") from None
    return scheme, params, path


def _conninfo(params: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The parameters for libpq: its own keywords unchanged, all others as options."""
    conninfo: dict[str, str] = {}
    settings: list[str] = []
    socket = ""
    for key, value in params.items():
        if key.startswith("x-") or key in DRIVER_SETTINGS:
            continue
        if key == "sslinline":
            raise _unopened("sslinline is not supported: put the certificates into files")
        if (intended := intended_name(key)) is not None:
            raise _unopened(f"a parameter has another name: write {intended}")
        if key in LIBPQ:
            conninfo[key] = value
        elif key == "socket":
            socket = value  # dbmate's name for libpq's host
        else:
            settings.append(f"-c {escape_option(key)}={escape_option(value)}")
    if socket:
        conninfo["host"] = socket
    if settings:
        # Given options replace PGOPTIONS, and no other variable.
        given = conninfo.get("options") or environ.get("PGOPTIONS", "")
        conninfo["options"] = " ".join([given, *settings] if given else settings)
    encoding = conninfo.get("client_encoding", "UTF8")
    if encoding.upper().replace("-", "") not in ("UTF8", "UNICODE"):
        raise _unopened("client_encoding must be absent or 'UTF8'")
    conninfo["client_encoding"] = "UTF8"
    _check_values(conninfo, environ)
    return conninfo


def _check_texts(params: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise for a text that libpq can't be given."""
    for key, value in params.items():
        shown = key if is_known(key) else "a parameter"
        if problem := find_fault(key) or find_fault(value):
            raise _unopened(f"{shown} {problem}")
    for key, value in environ.items():
        if key.startswith("PG") and key not in _BYTES and (problem := find_fault(value)):
            raise _unopened(f"{key} {problem}")


def find_fault(text: str) -> str | None:
    """Why a text can be no value of a parameter and no name; None: it can."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        return "holds bytes that are not UTF-8: write the text, or its percent-encoding, in UTF-8"
    return None


def _check_values(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> None:
    for key, form, expected in _NUMBERS:
        if re.fullmatch(form, conninfo.get(key, "")) is None:
            raise _unopened(f"{key} must be {expected}")
    hosts = {"host": conninfo.get("host", ""), "PGHOST": environ.get("PGHOST", "")}
    for where, names in hosts.items():
        try:
            check_hosts(names, where)
        except ValueError as error:
            raise _unopened(str(error)) from None


def _history(own: Mapping[str, str]) -> HistoryTable:
    table = own.get("x-migrations-table", "")
    quoted = _boolean(own, "x-migrations-table-quoted")
    if not table:
        return HistoryTable()
    if not quoted:
        return HistoryTable(None, table)
    if not (table.startswith('"') and table.endswith('"')):
        raise _unopened(
            "x-migrations-table must be quoted (for instance"
            ' \'"migrate"."schema_migrations"\') when x-migrations-table-quoted is enabled'
        )
    names = _QUOTED.findall(table)
    if not names or not names[-1]:
        raise _unopened("x-migrations-table names no table")
    if len(names) > 2:
        raise _unopened("x-migrations-table contains too many dot characters")
    return HistoryTable(names[0] if len(names) == 2 else None, names[-1])


def _check_lock_strategy(scheme: str, own: Mapping[str, str]) -> None:
    """Only golang-migrate's pgx 4 driver has strategies; the others ignore the parameter."""
    strategy = own.get("x-lock-strategy", "")
    if scheme not in ("pgx", "pgx4") or strategy in ("", "advisory"):
        return
    if strategy == "table":
        raise _unopened(
            "x-lock-strategy=table is not supported: a killed run would leave its row behind;"
            " connect without the pooler and use advisory locks"
        )
    raise _unopened("unknown lock strategy: x-lock-strategy is advisory")


def _integer(own: Mapping[str, str], key: str, default: int) -> int:
    text = own.get(key, "")
    if not text:
        return default
    if _INTEGER.fullmatch(text) is None:
        problem = "invalid syntax"
    elif len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        problem = "value out of range"
    else:
        return int(text)
    raise _unopened(f"unable to parse option {key}: strconv.Atoi: {problem}: expected a number")


def _boolean(own: Mapping[str, str], key: str) -> bool:
    text = own.get(key, "")
    if text and text not in _TRUE and text not in _FALSE:
        raise _unopened(
            f"unable to parse option {key}: strconv.ParseBool: invalid syntax:"
            " expected true or false"
        )
    return text in _TRUE


def describe_address(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Host and database for people; no user, no password."""

    def find(key: str, variable: str) -> str | None:
        if conninfo.get(key):
            return show(key, conninfo[key])
        return from_environ(key, variable, environ)

    service = find("service", "PGSERVICE")
    host = find("host", "PGHOST") or find("hostaddr", "PGHOSTADDR")
    if host is None and service:
        return f"service {service}"
    port = find("port", "PGPORT")
    database = find("dbname", "PGDATABASE") or "(default database)"
    hosts, ports = (host or "").split(","), (port or "").split(",")
    # One port applies to all hosts; otherwise there are as many of both.
    ports = ports * len(hosts) if len(ports) == 1 else ports
    pairs = zip_longest(hosts, ports[: len(hosts)], fillvalue="")
    shown = ",".join(_with_port(*pair) for pair in pairs) if host else "(default host)"
    return f"{shown}/{database}"


def _with_port(host: str, port: str) -> str:
    if not port or not host or host.startswith("/"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unparsed(problem: str, hint: str | None = None) -> MigrationError:
    message = f"failed to parse scheme from database URL: {problem}"
    return MigrationError(Reason.CONNECTION_INVALID, message, hint=hint)


def _unopened(problem: str, hint: str | None = None) -> MigrationError:
    return MigrationError(
        Reason.CONNECTION_INVALID, f"failed to open database: {problem}", hint=hint
    )
