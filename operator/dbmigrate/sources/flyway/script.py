"""The text of a Flyway script: its checksum, and placeholders in it.

The checksum is a CRC32 over the lines without their ends, as a signed number of 32 bits
(ChecksumCalculator.java there). A placeholder is replaced wherever it is, in comments
and strings as well, and one without a value is an error.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.flyway.settings import Settings


def checksum(content: bytes) -> int:
    """Flyway's checksum of a script without a byte order mark."""
    value = zlib.crc32(content.translate(None, b"\r\n"))
    return value - (1 << 32) if value >= 1 << 31 else value


def substitute(text: str, settings: Settings, own: Mapping[str, str], file: str) -> str:
    """The text with placeholders replaced; `own` are Flyway's, without `flyway:`.

    Raises MigrationError (SourceInvalid) with the line of one that has no value.
    """
    parts: list[str] = []
    at = 0
    while (start := text.find(settings.prefix, at)) >= 0:
        behind = start + len(settings.prefix)
        end = text.find(settings.suffix, behind)
        if end < 0:
            raise _refused(text, start, file, f"{settings.prefix} is never closed")
        name = text[behind:end].lower()
        value = _value(name, settings, own)
        if value is None:
            whole = text[start : end + len(settings.suffix)]
            raise _refused(text, start, file, f"no value for the placeholder {whole}", name)
        parts += [text[at:start], value]
        at = end + len(settings.suffix)
    return "".join([*parts, text[at:]])


def _value(name: str, settings: Settings, own: Mapping[str, str]) -> str | None:
    prefix = f"flyway{settings.separator}"
    if name.startswith(prefix):
        found = own.get(name.removeprefix(prefix))
        if found is not None:
            return found
    return settings.placeholders.get(name)


def _refused(text: str, offset: int, file: str, problem: str, name: str = "") -> MigrationError:
    line = text.count("\n", 0, offset) + 1
    hint = f"set FLYWAY_PLACEHOLDERS_{name.upper()}, or set it in flyway.conf" if name else None
    return MigrationError(
        Reason.SOURCE_INVALID,
        f"{file}: line {line}: {problem}",
        location=Location(file, line),
        hint=hint,
    )
