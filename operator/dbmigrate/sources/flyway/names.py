"""The names of Flyway's files: `V1.2__add_phone.sql`, `U1.2__...`, `B1.2__...`, `R__views.sql`.

The first two underscores separate the version from the description, in which underscores
are spaces. Prefixes are capital letters; the extension may be in any case. Copied from
ResourceNameParser.java there, with its default prefixes, separator and suffix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.versions import TextVersion, dotted

LONGEST_VERSION = 50
"""Characters that Flyway's table has room for."""

_SCRIPT = re.compile(r"(.*)\.(sql|sh|bash|py|ps1|bat|cmd)", re.IGNORECASE | re.DOTALL)
_MISTAKEN = re.compile(r"([vurb]?_?[0-9].*|[vurb]_.*)\.(sql|sh|bash|py|ps1|bat|cmd)", re.I | re.S)
_CALLBACK = re.compile(r"(before|after)[A-Z][A-Za-z]*|createSchema")
_HARMLESS = re.compile(
    r"(before|after)(Info|Validate|Clean|Repair|Baseline|Undo|EachUndo)[A-Za-z]*"
)


@dataclass(frozen=True, slots=True)
class FlywayFileName:
    """The parts of a file's name."""

    prefix: str
    """V, U, B or R."""
    version: TextVersion | None
    """None for a repeatable migration."""
    name: str
    """The text after the separator."""
    is_sql: bool
    """False for a script that a shell or an interpreter runs."""

    @property
    def description(self) -> str:
        """As Flyway stores it."""
        return self.name.replace("_", " ")


def parse_file_name(text: str) -> FlywayFileName | None:
    """Parse a name; None for one that Flyway skips."""
    match = _SCRIPT.fullmatch(text)
    if match is None or match[1][:1] not in ("V", "U", "B", "R"):
        return None
    prefix, is_sql = text[0], match[2].lower() == "sql"
    written, _, name = match[1][1:].partition("__")
    if prefix == "R":
        has_separator = match[1].startswith("R__")
        return FlywayFileName(prefix, None, name, is_sql) if has_separator and not written else None
    try:
        version = dotted(written)
    except ValueError:
        return None
    return FlywayFileName(prefix, version, name, is_sql)


def leaves_no_doubt(text: str) -> bool:
    """Whether no other format's file has such a name."""
    return "__" in text and parse_file_name(text) is not None


def is_callback(text: str) -> bool:
    """Whether it is a script that Flyway runs around its migrations."""
    event = _event(text)
    return _CALLBACK.fullmatch(event) is not None and not _HARMLESS.fullmatch(event)


def is_passed_over(text: str) -> bool:
    """Whether Flyway runs it around something other than migrations."""
    return _HARMLESS.fullmatch(_event(text)) is not None


def looks_mistaken(text: str) -> bool:
    """Whether a name that is skipped was probably meant to be a migration."""
    if parse_file_name(text) is not None or _CALLBACK.fullmatch(_event(text)):
        return False
    return text.lower().endswith(".sql") or _MISTAKEN.fullmatch(text) is not None


def _event(text: str) -> str:
    match = _SCRIPT.fullmatch(text)
    return match[1].partition("__")[0] if match else ""
