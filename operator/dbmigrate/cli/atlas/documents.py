"""The documents that Atlas prints: its structs, with the names that scripts look for.

A Document has all fields that a template may ask for. In JSON those that are empty are
left out where Atlas leaves them out, and what is a method there does not appear.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dbmigrate.cli.arguments.numbers import format_duration

SECRET = frozenset(("password", "sslpassword", "passfile", "user", "host", "port", "dbname"))
"""Parameters of a URL that are not shown among its options."""


class Document(dict[str, Any]):
    """A struct, by the names of its fields."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        *,
        kept: Sequence[str] = (),
        methods: Mapping[str, Any] = {},
    ) -> None:
        super().__init__({**fields, **methods})
        self._fields = tuple(fields)
        self._kept = frozenset(kept)

    def for_json(self) -> dict[str, Any]:
        """What JSON has of it: `kept` are the fields that are there even if they are empty."""
        return {
            name: self[name]
            for name in self._fields
            if name in self._kept or self[name] not in ("", 0, None, [], False)
        }


class Moment:
    """A time.Time."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    @classmethod
    def now(cls) -> Moment:
        """The clock of this machine."""
        return cls(datetime.now(UTC))

    def after(self, seconds: float) -> Moment:
        """That much later."""
        return Moment(self._at + timedelta(seconds=seconds))

    def since(self, other: Moment) -> Duration:
        """`.End.Sub .Start`."""
        return Duration((self._at - other._at).total_seconds() * 1e9)

    def __str__(self) -> str:
        return self._at.strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")

    def for_json(self) -> str:
        """RFC 3339."""
        return self._at.isoformat().replace("+00:00", "Z")


class Duration(int):
    """Nanoseconds, which print as Go prints them."""

    def __str__(self) -> str:
        return format_duration(int(self))


def to_json(value: Any, *indents: str) -> str:
    """`json .`, `json . INDENT` and `json . PREFIX INDENT`, in the order of the fields."""
    prefix, indent = ("", *indents)[-2:] if indents else ("", "")
    text = json.dumps(
        _plain(value),
        ensure_ascii=False,
        separators=(",", ": " if indents else ":"),
        indent=indent if indents else None,
    )
    return text.replace("\n", f"\n{prefix}") if prefix else text


def _plain(value: Any) -> Any:
    if isinstance(value, Document):
        return {name: _plain(each) for name, each in value.for_json().items()}
    if isinstance(value, Moment):
        return value.for_json()
    return [*map(_plain, value)] if isinstance(value, list | tuple) else value


def file_document(name: str, version: str, description: str) -> Document:
    """A migration file."""
    methods = {"Desc": description}
    fields = {"Name": name, "Version": version, "Description": description}
    return Document(fields, methods=methods)


def environment_document(url: Mapping[str, str], directory: str) -> Document:
    """Env: which database, without user and password, and which files."""
    return Document(
        {"Driver": "postgres", "URL": url_document(url) if url else None, "Dir": directory}
    )


def url_document(parameters: Mapping[str, str]) -> Document:
    """A URL from its parameters, in the shape of Go's; no secret is in it."""
    from urllib.parse import quote, urlencode

    port = parameters.get("port", "")
    options = {key: value for key, value in parameters.items() if key not in SECRET}
    fields = {
        "Scheme": "postgres",
        "Opaque": "",
        "User": Document({}),
        "Host": parameters.get("host", "") + (f":{port}" if port else ""),
        "Path": f"/{parameters['dbname']}" if "dbname" in parameters else "",
        "Fragment": "",
        "RawQuery": urlencode(options, quote_via=quote),
        "RawPath": "",
        "RawFragment": "",
        "ForceQuery": False,
        "OmitHost": False,
        "Schema": parameters.get("search_path", ""),
    }
    return Document(fields, kept=tuple(fields))
