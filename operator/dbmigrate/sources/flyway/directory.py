"""Flyway's format: a file for each script, in a directory and in all directories below it.

`V` applies a version and `U` undoes it, `B` replaces all versions up to its own where
nothing is applied, `R` runs again whenever it has changed. A file with the script's name
and `.conf` beside it says how it runs. Shell scripts, and SQL that Flyway runs around its
migrations (callbacks), are not run here: a run that would reach the former is refused
before its first step, and any run where there is one of the latter.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.sources.flyway.names import (
    LONGEST_VERSION,
    FlywayFileName,
    is_callback,
    is_passed_over,
    looks_mistaken,
    parse_file_name,
)
from dbmigrate.sources.flyway.script import checksum, substitute
from dbmigrate.sources.flyway.settings import (
    Settings,
    find_encoding,
    read_properties,
    read_settings,
)
from dbmigrate.sources.listing import DirectoryListing, invalid, list_directory, printable
from dbmigrate.sources.markers import read_unmarked
from dbmigrate.sources.migration import (
    DatabaseFacts,
    Direction,
    Format,
    Migration,
    Script,
    Source,
)
from dbmigrate.sources.script_file import check_script, read_script
from dbmigrate.versions import Role, Version, repeatable

_CONFIGURATION = ".conf"
_KNOWN = frozenset(("executeintransaction", "placeholderreplacement", "encoding", "shouldexecute"))


@dataclass(frozen=True, slots=True)
class _File:
    """One file that Flyway would read, by its path below the directory."""

    path: str
    name: FlywayFileName
    """The parts of its name."""

    @property
    def key(self) -> tuple[str, Version]:
        """What may exist only once."""
        return self.name.prefix, self.name.version or repeatable(self.name.description)


_INNER_MARK = re.compile(rb"(;\s*\n)\xef\xbb\xbf")


class _Facts:
    """Flyway's own placeholders, which are known when the database is."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.values = {
            "timestamp": datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            "workingdirectory": os.getcwd(),
            "environment": environ.get("FLYWAY_ENVIRONMENT", "default"),
        }

    def learn(self, facts: DatabaseFacts) -> None:
        self.values |= {
            "database": facts.database,
            "user": facts.user,
            "defaultschema": facts.schema,
            "table": facts.table,
        }


def list_files(listing: DirectoryListing) -> tuple[str, ...]:
    """All files in a directory and below it, with `/` between the names; sorted."""
    root = Path(listing.location)
    return tuple(sorted(_walk(root, listing, "", frozenset((os.path.realpath(root),)))))


def read_listing(listing: DirectoryListing, environ: Mapping[str, str]) -> Source:
    """Make a Source of the files; `environ` has values of placeholders.

    Raises MigrationError (SourceInvalid) for two files of one version, and for a
    file that can't be read.
    """
    paths = list_files(listing)
    files: dict[tuple[str, Version], _File] = {}
    for path in paths:
        name = parse_file_name(path.rpartition("/")[2])
        if name is not None:
            _add(files, _File(path, name), listing.location)
    reader = _Reader(Path(listing.location), frozenset(paths), environ)
    migrations = sorted(
        (
            reader.migration(file, files.get(("U", version)))
            for (prefix, version), file in files.items()
            if prefix != "U"
        ),
        key=lambda migration: migration.version,
    )
    if reader.validates_names:
        _require_names(paths, listing.location)
    callbacks = [path for path in paths if is_callback(path.rpartition("/")[2])]
    if callbacks:
        migrations = [_refuse(migration, callbacks[0]) for migration in migrations]
    of = {role: tuple(m for m in migrations if m.role is role) for role in Role}
    return Source(
        listing.location,
        of[Role.VERSIONED],
        (*_warnings(paths, files, callbacks), *reader.warnings()),
        format=Format.FLYWAY,
        checkpoints=of[Role.CHECKPOINT],
        repeatables=of[Role.REPEATABLE],
        learn=reader.facts.learn,
    )


class _Reader:
    """Makes migrations of files."""

    def __init__(self, directory: Path, paths: frozenset[str], environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._paths = paths
        self._settings = read_settings(directory, environ)
        self.facts = _Facts(environ)

    @property
    def validates_names(self) -> bool:
        """As the settings have it."""
        return self._settings.validates_names

    def warnings(self) -> Iterator[str]:
        """About settings that are ignored."""
        yield from self._settings.passed_over
        if len(self._settings.locations) > 1:
            yield (
                f"flyway.locations names {len(self._settings.locations)} places: only"
                f" {printable(str(self._directory))} is read"
            )

    def migration(self, file: _File, undo: _File | None) -> Migration:
        """A file, and the one that undoes it."""
        name, version = file.name, file.name.version
        role = {"B": Role.CHECKPOINT, "R": Role.REPEATABLE}.get(name.prefix, Role.VERSIONED)
        return Migration(
            repeatable(name.description) if version is None else version,
            printable(name.name),
            self._script(file, Direction.UP, role),
            None
            if undo is None or role is not Role.VERSIONED
            else self._script(undo, Direction.DOWN, role),
            text="" if version is None else str(version),
            role=role,
            description=printable(name.description),
        )

    def _script(self, file: _File, direction: Direction, role: Role) -> Script:
        path, shown = self._directory / file.path, printable(file.path)
        if not file.name.is_sql:
            problem = f"{shown} is a script that only Flyway can run: dbmigrate runs only SQL"
            return Script(shown, direction, lambda: b"", problem=problem, path=shown)
        settings, transactional, problem = self._configure(file)
        raw = partial(read_unmarked, path, shown, encoding=settings.encoding)
        script = Script(
            shown,
            direction,
            lambda: _without_inner_marks(raw()),
            problem=problem,
            path=shown,
            tool_checksums=lambda: (checksum(raw()),),
            is_transactional=transactional,
        )
        if not settings.replaces or settings.prefix.encode() not in raw():
            return script
        filled = partial(_fill, script.load, settings, self.facts.values, shown)
        script = replace(script, load=filled, load_template=script.load)
        if role is not Role.REPEATABLE:
            return script
        # A repeatable script has changed when a value has; earlier definitions count as well.
        return replace(script, tool_checksums=lambda: (checksum(filled()), checksum(raw())))

    def _configure(self, file: _File) -> tuple[Settings, bool, str]:
        """The settings of one script, whether it may be one transaction, and what is wrong."""
        settings = self._settings
        name = file.path + _CONFIGURATION
        if name not in self._paths:
            return settings, settings.transactional, ""
        shown = printable(name)
        values = read_properties(read_script(self._directory / name, shown).decode())
        for known in sorted(values.keys() - _KNOWN):
            return settings, True, f"{shown}: {known} is no setting of a script"
        if "encoding" in values:
            settings = replace(settings, encoding=find_encoding(values["encoding"]))
        if values.get("shouldexecute", "true") != "true":
            return settings, True, f"{shown}: dbmigrate does not support shouldExecute; remove it"
        replaces = values.get("placeholderreplacement", str(settings.replaces)).lower() == "true"
        transactional = values.get("executeintransaction", str(settings.transactional)).lower()
        return replace(settings, replaces=replaces), transactional == "true", ""


def _fill(raw: Callable[[], bytes], settings: Settings, own: Mapping[str, str], file: str) -> bytes:
    values = {**own, "filename": file.rpartition("/")[2]}
    text = substitute(raw().decode(), settings, values, file)
    return check_script(text.encode("utf-8", "surrogateescape"), file)


def _without_inner_marks(content: bytes) -> bytes:
    """Blanks for byte order marks between statements, where files were put together."""
    return _INNER_MARK.sub(rb"\1   ", content) if codecs.BOM_UTF8 in content else content


def _refuse(migration: Migration, callback: str) -> Migration:
    problem = (
        f"{printable(callback)} is a Flyway callback, which dbmigrate does not run: convert it"
        " to a migration, or run Flyway"
    )
    scripts = (
        replace(script, problem=script.problem or problem) if script is not None else None
        for script in (migration.up, migration.down)
    )
    up, down = scripts
    return replace(migration, up=up, down=down)


def _add(files: dict[tuple[str, Version], _File], file: _File, location: str) -> None:
    version = file.name.version
    if version is not None and len(version.text) > LONGEST_VERSION:
        raise invalid(
            location,
            f"{printable(file.path)}: Flyway's table has room for {LONGEST_VERSION} characters"
            " of a version",
        )
    other = files.setdefault(file.key, file)
    if other is not file:
        what = f"version {version}" if version else f"the description {file.name.description!r}"
        raise invalid(
            location,
            f"{printable(other.path)} and {printable(file.path)} have both {what}:"
            " give one of them another",
        )


def _require_names(paths: tuple[str, ...], location: str) -> None:
    wrong = [printable(path) for path in paths if looks_mistaken(path.rpartition("/")[2])]
    if wrong:
        raise invalid(
            location,
            f"invalid SQL filenames found: {', '.join(wrong)}: V<version>__<description>.sql or"
            " R__<description>.sql is expected (flyway.validateMigrationNaming)",
        )


def _warnings(
    paths: tuple[str, ...], files: Mapping[tuple[str, Version], _File], callbacks: list[str]
) -> Iterator[str]:
    for path in paths:
        if looks_mistaken(path.rpartition("/")[2]):
            yield (
                f"{printable(path)} is ignored: Flyway expects V<version>__<description>.sql,"
                " or R__<description>.sql"
            )
        elif is_passed_over(path.rpartition("/")[2]):
            yield (
                f"{printable(path)} is a callback of a command that dbmigrate implements"
                " itself: it is not run"
            )
    for (prefix, version), file in files.items():
        if prefix == "U" and ("V", version) not in files:
            yield f"{printable(file.path)} undoes version {version}, which has no V file"
    for path in callbacks:
        yield f"{printable(path)} is a callback: while it exists, nothing runs"


def _walk(root: Path, listing: DirectoryListing, below: str, seen: frozenset[str]) -> Iterator[str]:
    """A directory that is reached through a link to one of its parents is not entered again."""
    for name in listing.files:
        yield below + name
    for name in listing.directories:
        inner = root / below / name
        real = os.path.realpath(inner)
        if real in seen:
            continue
        try:
            found = list_directory(inner)
        except MigrationError as error:
            raise invalid(listing.location, error.message) from None
        yield from _walk(root, found, f"{below}{name}/", seen | {real})
