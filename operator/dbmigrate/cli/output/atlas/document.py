"""The documents that Atlas prints: its structs, with the names that scripts look for.

Fields that are empty are left out where Atlas leaves them out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

SECRET = frozenset(("password", "sslpassword", "passfile", "user", "host", "port", "dbname"))
"""Parameters of a URL that are not shown among its options."""


class Document(dict[str, Any]):
    """A struct, by the names of its fields."""

    def __init__(self, fields: Mapping[str, Any], *, kept: Sequence[str] = ()) -> None:
        """`kept` are the fields that JSON has even if they are empty."""
        super().__init__(fields)
        self._kept = frozenset(kept)

    def for_json(self) -> dict[str, Any]:
        """What JSON has of it."""
        return {
            name: value
            for name, value in self.items()
            if name in self._kept or value not in ("", 0, None, [], False)
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

    def since(self, other: Moment) -> int:
        """Nanoseconds."""
        return round((self._at - other._at) / timedelta(microseconds=1)) * 1000

    def for_json(self) -> str:
        """RFC 3339."""
        return self._at.isoformat().replace("+00:00", "Z")


def to_json(value: Document) -> str:
    """As Go's encoding/json writes it, in the order of the fields."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Document):
        return {name: _plain(each) for name, each in value.for_json().items()}
    if isinstance(value, Moment):
        return value.for_json()
    return [*map(_plain, value)] if isinstance(value, list | tuple) else value


def file_document(name: str, version: str, description: str) -> Document:
    """A migration file."""
    return Document({"Name": name, "Version": version, "Description": description})


def environment_document(url: Mapping[str, str], directory: str, query: str = "") -> Document:
    """Env: which database, without user and password, and which files, as a URL."""
    from urllib.parse import quote

    place = f"file://{quote(directory)}{query}"
    return Document({"Driver": "postgres", "URL": url_document(url) if url else None, "Dir": place})


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
