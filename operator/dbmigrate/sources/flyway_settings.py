"""What Flyway's users have set for their scripts: placeholders above all.

Taken from where Flyway's command line looks: flyway.toml and flyway.conf in the working
directory and beside the migrations, the files that FLYWAY_CONFIG_FILES names, and the
environment (FLYWAY_PLACEHOLDERS_COLOUR), each before those that come earlier. Connections
and the rest of Flyway's settings are not read. A setting that would make other files of
the directory into migrations is refused rather than passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

_ENVIRONMENT = "FLYWAY_"
_PLACEHOLDERS = "placeholders."
_FIXED = {
    "sqlmigrationprefix": "V",
    "undosqlmigrationprefix": "U",
    "baselinemigrationprefix": "B",
    "repeatablesqlmigrationprefix": "R",
    "sqlmigrationseparator": "__",
    "sqlmigrationsuffixes": ".sql",
    "encoding": "UTF-8",
}
"""Settings that dbmigrate knows by one value, Flyway's default."""
_VARIABLE = re.compile(r"\$\{(?:env\.)?([A-Za-z0-9_]+)\}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What was set."""

    placeholders: Mapping[str, str]
    """By name in lower case: Flyway does not tell cases apart."""
    replaces: bool = True
    prefix: str = "${"
    suffix: str = "}"
    separator: str = ":"
    """Between `flyway` and the name of a placeholder of its own."""
    table: str = ""
    """The history's table; empty: not said."""
    schema: str = ""
    """The default schema; empty: not said."""
    transactional: bool = True
    """False: no script is one transaction."""


def read_settings(directory: Path | None, environ: Mapping[str, str]) -> Settings:
    """All of it. Raises MigrationError (SourceInvalid)."""
    values: dict[str, str] = {}
    for path in _files(directory, environ):
        values |= _read(path, environ)
    values |= _from_environment(environ)
    for name, value in _FIXED.items():
        if values.get(name, value).upper() != value.upper():
            raise _refused(f"flyway.{name} is {values[name]!r}: dbmigrate knows {value!r} alone")
    schemas = values.get("defaultschema") or values.get("schemas", "").partition(",")[0]
    return Settings(
        {
            name.removeprefix(_PLACEHOLDERS): value
            for name, value in values.items()
            if name.startswith(_PLACEHOLDERS)
        },
        replaces=_is_true(values.get("placeholderreplacement", "true")),
        prefix=values.get("placeholderprefix") or "${",
        suffix=values.get("placeholdersuffix") or "}",
        separator=values.get("placeholderseparator") or ":",
        table=values.get("table", ""),
        schema=schemas.strip(),
        transactional=_is_true(values.get("executeintransaction", "true")),
    )


def read_properties(text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`name=value` lines with the names in lower case; `environ` fills in `${NAME}`."""
    values = {}
    for raw in text.splitlines():
        line = raw.strip()
        name, equals, value = line.partition("=")
        if line and line[0] not in "#!" and equals:
            shown = value.strip()
            values[name.strip().lower()] = shown if environ is None else _fill(shown, environ)
    return values


def _files(directory: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    places = dict.fromkeys(os.path.abspath(place) for place in (".", directory or "."))
    for place in places:
        for name in ("flyway.conf", "flyway.toml"):
            path = Path(place, name)
            if path.is_file():
                yield path
    for named in filter(None, environ.get("FLYWAY_CONFIG_FILES", "").split(",")):
        path = Path(named.strip())
        if not path.is_file():
            raise _refused(f"FLYWAY_CONFIG_FILES names {path}, which is no file")
        yield path


def _read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        text = path.read_text("utf-8")
        if path.suffix != ".toml":
            found = read_properties(text, environ)
            return {n.removeprefix("flyway."): v for n, v in found.items() if "flyway." in n}
        import tomllib

        section = tomllib.loads(text).get("flyway", {})
        return {name: _fill(value, environ) for name, value in _flatten(section, "")}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise _refused(f"{path} can't be read: {error}") from None


def _flatten(section: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in section.items():
        key = f"{before}{name}".lower()
        if isinstance(value, dict):
            yield from _flatten(value, f"{key}.")
        elif isinstance(value, list):
            yield key, ",".join(map(str, value))
        else:
            yield key, str(value).lower() if isinstance(value, bool) else str(value)


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """FLYWAY_SQL_MIGRATION_PREFIX is sqlMigrationPrefix; a placeholder's name keeps its form."""
    values = {}
    for name, value in environ.items():
        if not name.startswith(_ENVIRONMENT):
            continue
        word = name.removeprefix(_ENVIRONMENT)
        if word.startswith("PLACEHOLDERS_"):
            values[_PLACEHOLDERS + word.removeprefix("PLACEHOLDERS_").lower()] = value
        else:
            values[word.replace("_", "").lower()] = value
    return values


def _fill(text: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: environ.get(match[1], ""), text)


def _is_true(text: str) -> bool:
    return text.strip().lower() == "true"


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
