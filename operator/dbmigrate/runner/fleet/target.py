"""A target of a fleet: one database or schema, as a row of the list or of the query names it.

A row comes from outside: each value is bounded and checked here, once, and an error says
which row it is and what to do. A row overrides what all targets share, which is the URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from types import MappingProxyType

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import parse_history_table
from dbmigrate.postgres.connection.url import check_hosts
from dbmigrate.printable import clip, one_line
from dbmigrate.report import Reason

NAME_LIMIT = 255
"""Characters of a target's name."""
_IDENTIFIER_LIMIT = 63
"""Bytes: PostgreSQL cuts longer names, so that two of them could be one."""
_TEXT_LIMIT = 1024
_LABELS_LIMIT = 64
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_PATH_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^",\s]+))\s*(?:,|\Z)')
_SHOWN = 80
"""Characters of a value that an error shows."""

Value = str | Mapping[str, str] | None
Row = Mapping[str, Value]
"""One row as it was read: texts by the names of columns, and labels, which may be an object."""
NO_LABELS: Mapping[str, str] = MappingProxyType({})
"""One for all targets that have none: there may be a hundred thousand."""


@dataclass(frozen=True, slots=True)
class FleetTarget:
    """One database or schema. Empty values are those that all targets share."""

    name: str
    host: str = ""
    port: str = ""
    dbname: str = ""
    user: str = ""
    schema: str = ""
    search_path: str = ""
    history_table: str = ""
    password_file: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)


COLUMNS = tuple(each.name for each in fields(FleetTarget))
_BY_SPELLING = {column.replace("_", ""): column for column in COLUMNS}
_ADDRESSES = frozenset("url uri dsn databaseurl conninfo connection connectionstring".split())
"""Names under which a whole address is written elsewhere, without _ and -."""
_LABEL = "label."
"""What a column begins with that holds one label."""


def read_target(row: Row, place: str) -> FleetTarget:
    """The target of a row; `place` says for errors where the row stands.

    Raises MigrationError (SourceInvalid).
    """
    values: dict[str, str] = {}
    labels: dict[str, str] = {}
    for spelled, value in row.items():
        if value is None or value in ("", {}):
            continue
        if spelled.startswith(_LABEL) and isinstance(value, str):
            labels[spelled.removeprefix(_LABEL)] = value
            continue
        column = column_of(spelled, place)
        if column == "labels":
            labels.update(value if isinstance(value, Mapping) else _read_labels(value, place))
        elif column in values:
            raise refused(place, f"{column} is given twice", "remove one of the two")
        elif isinstance(value, str):
            values[column] = value
        else:
            raise refused(place, f"{column} is a list or an object", "write it as one text")
    if not values.get("name", "").strip():
        raise refused(place, "it has no name", "give each target a name of its own")
    _check(values, place)
    _check_labels(labels, place)
    return FleetTarget(**values, labels=labels or NO_LABELS)


@lru_cache(maxsize=256)
def _find_column(spelled: str) -> str | None:
    return _BY_SPELLING.get(re.sub(r"[_-]", "", spelled).lower())


def column_of(spelled: str, place: str) -> str:
    """The column that is meant by `search_path`, `searchPath` or `search-path`.

    Raises MigrationError (SourceInvalid) for one that there is not.
    """
    column = _find_column(spelled)
    if column is not None:
        return column
    word = re.sub(r"[_-]", "", spelled).lower()
    if word == "password":
        problem, remedy = (
            f"{spelled} would put a password into the list",
            "name a file that holds it, as password_file, or use the password file of libpq"
            " (PGPASSFILE)",
        )
    elif word in _ADDRESSES:
        problem, remedy = (
            f"{spelled} is not a column: a target has the parts of its address",
            "write host, port, dbname and user where they differ from those of -database; a"
            " password goes into a file, which password_file names",
        )
    else:
        problem = f"column {_show(spelled)} is not known"
        remedy = f"the columns are {', '.join(COLUMNS)}, and {_LABEL}KEY for one label"
    raise refused(place, problem, remedy)


def first_schema(search_path: str) -> str:
    """The first schema that a search path names; empty if it is none that can be read."""
    match = _PATH_PART.match(search_path)
    if match is None:
        return ""
    return match[2].lower() if match[1] is None else match[1].replace('""', '"')


def refused(place: str, problem: str, remedy: str) -> MigrationError:
    """The error of a list that can't be used."""
    return MigrationError(Reason.SOURCE_INVALID, f"{place}: {problem}", hint=remedy)


def _check(values: dict[str, str], place: str) -> None:
    for column, value in values.items():
        limit = NAME_LIMIT if column == "name" else _TEXT_LIMIT
        if len(value) > limit:
            problem = f"{column} has {len(value)} characters, at most {limit} are possible"
            raise refused(place, problem, "shorten it")
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            raise refused(place, f"{column} holds a character that no text has", "remove it")
    for column in ("dbname", "user", "schema"):
        size = len(values.get(column, "").encode())
        if size > _IDENTIFIER_LIMIT:
            raise refused(
                place,
                f"{column} has {size} bytes: PostgreSQL cuts names at {_IDENTIFIER_LIMIT}",
                "write the name as the server has it",
            )
    port = values.get("port", "")
    if port and not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise refused(place, f"port {_show(port)} is no port", "a port is 1 to 65535")
    try:
        check_hosts(values.get("host", ""), "host")
    except ValueError as error:
        raise refused(place, str(error), "write a name or an address alone") from None
    _check_schema(values, place)


def _check_schema(values: dict[str, str], place: str) -> None:
    schema, path = values.get("schema", ""), values.get("search_path", "")
    if schema and path and first_schema(path) != schema:
        raise refused(
            place,
            f"its search_path does not begin with its schema {_show(schema)}: the files would"
            " make their tables elsewhere",
            "let search_path begin with the schema, or leave one of the two out",
        )
    table = values.get("history_table", "")
    if table:
        try:
            parse_history_table(table)
        except MigrationError as error:
            remedy = 'write table, schema.table or "Odd Schema"."Odd Table"'
            raise refused(place, error.message, remedy) from None


def _read_labels(text: str, place: str) -> Mapping[str, str]:
    """Labels as one text: a JSON object, or `key=value` with commas between."""
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and all(isinstance(each, str) for each in found.values()):
            return found
        raise refused(place, "labels are no JSON object of texts", 'write {"key": "value"}')
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise refused(place, f"labels {_show(text)} can't be read", "write key=value,key=value")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _check_labels(labels: Mapping[str, str], place: str) -> None:
    if len(labels) > _LABELS_LIMIT:
        problem = f"it has {len(labels)} labels, at most {_LABELS_LIMIT} are possible"
        raise refused(place, problem, "leave some out")
    if not all(key and len(key) <= NAME_LIMIT >= len(each) for key, each in labels.items()):
        problem = f"a label is empty or has more than {NAME_LIMIT} characters"
        raise refused(place, problem, "shorten it")


def _show(text: str) -> str:
    return clip(one_line(text), _SHOWN)
