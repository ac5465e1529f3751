"""Flyway's settings for scripts: above all placeholders.

Read from where Flyway's command line looks: flyway.toml and flyway.conf in the working
directory and beside the migrations, the files that FLYWAY_CONFIG_FILES names, and the
environment (FLYWAY_PLACEHOLDERS_COLOUR), each overriding those before it. Connections
are not read. A setting that would turn other files of the directory into migrations, or
run what dbmigrate does not, is refused rather than ignored.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.confinement import open_inside

_ENVIRONMENT = "FLYWAY_"
_PLACEHOLDERS = "placeholders."
_FIXED = {
    "sqlmigrationprefix": "V",
    "undosqlmigrationprefix": "U",
    "baselinemigrationprefix": "B",
    "repeatablesqlmigrationprefix": "R",
    "sqlmigrationseparator": "__",
    "sqlmigrationsuffixes": ".sql",
}
"""Settings for which dbmigrate supports only Flyway's default."""
_REFUSED = {
    "initsql": "set it for the role (ALTER ROLE ... SET), or as options= in the database's URL",
    "cherrypick": "`dbmigrate up -to V` migrates up to one version",
    "skipexecutingmigrations": "`dbmigrate force V` sets the version without running anything",
    "dryrunoutput": "`dbmigrate plan` shows the scripts",
    "erroroverrides": "run Flyway for this",
    "resolvers": "only Flyway can run classes",
    "callbacks": "only Flyway can run classes",
    "callbacklocations": "dbmigrate runs no callbacks: convert them to migrations",
}
"""Settings without a counterpart that would change what is run, and what to do instead."""
_PASSED_OVER = {
    "group": "each migration is a separate transaction",
    "installedby": "rows name the role that the run connects as",
    "baselinedescription": "a baseline's row has Flyway's own description",
}
"""Settings without an effect here, and what holds instead."""
_STATES = frozenset(
    "* missing pending ignored future available undone outdated superseded success failed"
    " above_target below_baseline baseline out_of_order".split()
)
_DEFAULT_ENVIRONMENT = "default"
_VARIABLE = re.compile(r"\$\{(?:env\.)?([A-Za-z0-9_]+)\}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """The settings."""

    placeholders: Mapping[str, str]
    """By name in lower case: Flyway ignores the case."""
    replaces: bool = True
    prefix: str = "${"
    suffix: str = "}"
    separator: str = ":"
    """Between `flyway` and the name of a placeholder of its own."""
    table: str = ""
    """The history's table; empty: not set."""
    schema: str = ""
    """The default schema; empty: not set."""
    transactional: bool = True
    """False: no script is one transaction."""
    out_of_order: bool = False
    """Whether a version that turns up late is applied."""
    validates: bool = True
    """Whether an applied file that was edited stops a run."""
    target: str = ""
    """The version that `migrate` goes up to; empty: all."""
    baseline_on_migrate: bool = False
    baseline_version: str = "1"
    ignored: tuple[tuple[str, str], ...] = (("*", "future"),)
    """The patterns of ignoreMigrationPatterns: a kind of migration, and a state."""
    passed_over: tuple[str, ...] = ()
    """A sentence for each setting that was made and has no effect."""
    locations: tuple[str, ...] = ()
    encoding: str = "utf-8"
    """Of the files, as Python calls it."""
    validates_names: bool = False
    """Whether a name that Flyway would not take is an error."""


def read_settings(directory: Path | None, environ: Mapping[str, str]) -> Settings:
    """All of it. Raises MigrationError (SourceInvalid)."""
    values: dict[str, str] = {}
    for path in _files(directory, environ):
        values |= _read(path, environ)
    values |= _from_environment(environ)
    for name, value in _FIXED.items():
        if values.get(name, value).upper() != value.upper():
            raise _refused(f"flyway.{name} is {values[name]!r}: dbmigrate knows {value!r} alone")
    for name, remedy in _REFUSED.items():
        if values.get(name, "").lower() not in ("", "false"):
            raise _refused(f"flyway.{name} is not supported: {remedy}")
    schemas = values.get("defaultschema") or values.get("schemas", "").partition(",")[0]
    return Settings(
        {
            name.removeprefix(_PLACEHOLDERS): value
            for name, value in values.items()
            if name.startswith(_PLACEHOLDERS)
        },
        replaces=_flag(values, "placeholderreplacement", default=True),
        prefix=values.get("placeholderprefix") or "${",
        suffix=values.get("placeholdersuffix") or "}",
        separator=values.get("placeholderseparator") or ":",
        table=values.get("table", ""),
        schema=schemas.strip(),
        transactional=_flag(values, "executeintransaction", default=True),
        out_of_order=_flag(values, "outoforder"),
        validates=_flag(values, "validateonmigrate", default=True),
        target=values.get("target", "").strip(),
        baseline_on_migrate=_flag(values, "baselineonmigrate"),
        baseline_version=values.get("baselineversion", "").strip() or "1",
        ignored=_read_patterns(values.get("ignoremigrationpatterns", "*:future")),
        passed_over=tuple(
            f"flyway.{name} is ignored: {instead}"
            for name, instead in _PASSED_OVER.items()
            if values.get(name, "").lower() not in ("", "false")
        ),
        locations=_split(values.get("locations", "")),
        encoding=find_encoding(values.get("encoding", "")),
        validates_names=_flag(values, "validatemigrationnaming"),
    )


def find_encoding(name: str) -> str:
    """Python's name of an encoding of Java's. Raises MigrationError (SourceInvalid)."""
    try:
        return codecs.lookup(name or "utf-8").name
    except LookupError:
        raise _refused(
            f"flyway.encoding is {name!r}, which is not known: save the files as UTF-8"
        ) from None


def _read_patterns(text: str) -> tuple[tuple[str, str], ...]:
    patterns = []
    for pattern in _split(text):
        kind, _, state = pattern.lower().partition(":")
        if kind not in ("*", "versioned", "repeatable") or state not in _STATES:
            raise _refused(
                f"flyway.ignoreMigrationPatterns: {pattern!r} is not a pattern of Flyway"
            )
        states = ("missing", "future", "pending", "ignored") if state == "*" else (state,)
        patterns += [(kind, each) for each in states]
    return tuple(patterns)


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))


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
        for name in ("flyway.conf", "flyway.toml", "flyway.user.toml"):
            path = Path(place, name)
            if path.is_file():
                yield path
    for named in filter(None, environ.get("FLYWAY_CONFIG_FILES", "").split(",")):
        path = Path(named.strip())
        if not path.is_file():
            raise _refused(f"FLYWAY_CONFIG_FILES names {path}, which is not a file")
        yield path


def _read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", opener=open_inside) as file:
            text = file.read()
        if path.suffix != ".toml":
            found = read_properties(text, environ)
            return {n.removeprefix("flyway."): v for n, v in found.items() if "flyway." in n}
        import tomllib

        document = tomllib.loads(text)
        section = document.get("flyway", {})
        chosen = environ.get("FLYWAY_ENVIRONMENT") or section.get("environment")
        database = document.get("environments", {}).get(chosen or _DEFAULT_ENVIRONMENT, {})
        # An environment's own [environments.NAME.flyway] overrides the general settings.
        parts = (section, _without_connection(database), database.get("flyway", {}))
        pairs = (pair for part in parts for pair in _flatten(part, ""))
        return {name: _fill(value, environ) for name, value in pairs}
    except (OSError, ValueError, AttributeError) as error:
        raise _refused(f"{path} can't be read: {error}") from None


def _without_connection(database: Mapping[str, Any]) -> dict[str, Any]:
    return {name: database[name] for name in ("schemas", "initSql") if name in database}


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


def _flag(values: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = values.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise _refused(f"flyway.{name} is {values[name]!r}: set true or false")
    return text == "true" if text else default


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
