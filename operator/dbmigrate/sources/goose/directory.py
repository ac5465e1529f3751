"""goose's format: `<version>_<name>.sql`, both directions in one file, marked by annotations.

Names are read as goose's own command reads them (migration.go, NumericComponent). A
`.sql` file with another name is an error there; here it is a warning, as for every
format. A migration written in Go can only be run by its own program: it is listed, so
that what was applied is known, and a run that would reach it is refused before its
first step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.goose.script import extract, has_annotation
from dbmigrate.sources.goose.variables import substitute
from dbmigrate.sources.listing import DirectoryListing, invalid, printable
from dbmigrate.sources.markers import read_unmarked
from dbmigrate.sources.migration import Direction, Format, Migration, Script, Source
from dbmigrate.sources.script_file import check_script

_NAME = re.compile(r"([+-]?[0-9]+)_(.*)\.(sql|go)", re.DOTALL | re.ASCII)
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class GooseFileName:
    """The parts of a file's name."""

    text: str
    version: int
    name: str
    is_go: bool


def parse_file_name(text: str) -> GooseFileName | None:
    """Parse a name; None if it is not a goose migration."""
    match = _NAME.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= _LARGEST_VERSION:
        return None
    if text.endswith("_test.go"):
        return None
    return GooseFileName(text, int(match[1]), match[2], match[3] == "go")


def read_listing(listing: DirectoryListing, environ: Mapping[str, str]) -> Source:
    """Make a Source of the files; `environ` has the values for ENVSUB.

    Raises MigrationError (SourceInvalid) for two files of one version, and for a
    file that can't be read. What its annotations say is judged when it is run.
    """
    directory = Path(listing.location)
    found: dict[int, GooseFileName] = {}
    warnings = []
    for text in listing.files:
        parsed = parse_file_name(text)
        if parsed is None:
            if text.endswith(".sql"):
                warnings.append(
                    f"{printable(text)} is ignored: goose expects <version>_<name>.sql,"
                    " with a version above 0"
                )
            continue
        other = found.setdefault(parsed.version, parsed)
        if other is not parsed:
            raise invalid(
                listing.location,
                f"{printable(other.text)} and {printable(text)} are both version"
                f" {parsed.version}: give one of them another version",
            )
    migrations = tuple(_migration(found[version], directory, environ) for version in sorted(found))
    return Source(
        listing.location, migrations, (*warnings, *listing.warnings()), format=Format.GOOSE
    )


def _migration(file: GooseFileName, directory: Path, environ: Mapping[str, str]) -> Migration:
    shown, name = printable(file.text), printable(file.name)
    if file.is_go:
        up, down = (_go_script(shown, direction) for direction in Direction)
        return Migration(file.version, name, up, down, text=str(file.version))
    path = directory / file.text
    text = _read(path, shown)
    has_variables = has_annotation(text, "ENVSUB ON")
    scripts = {
        direction: _script(path, shown, direction, environ if has_variables else None)
        for direction in Direction
    }
    has_down = has_annotation(text, "Down")
    return Migration(
        file.version,
        name,
        scripts[Direction.UP],
        scripts[Direction.DOWN] if has_down else None,
        text=str(file.version),
    )


def _script(
    path: Path, shown: str, direction: Direction, environ: Mapping[str, str] | None
) -> Script:
    plain = partial(_load, path, shown, direction, None)
    if environ is None:
        return Script(shown, direction, plain)
    return Script(
        shown, direction, partial(_load, path, shown, direction, environ), load_template=plain
    )


def _load(path: Path, shown: str, direction: Direction, environ: Mapping[str, str] | None) -> bytes:
    put_in = None if environ is None else partial(substitute, environ=environ)
    script = extract(_read(path, shown), direction, shown, put_in)
    return check_script(script.encode("utf-8", "surrogateescape"), shown)


def _read(path: Path, shown: str) -> str:
    return read_unmarked(path, shown, own=Format.GOOSE).decode()


def _go_script(shown: str, direction: Direction) -> Script:
    problem = (
        f"{shown} is a migration in Go, which only its own program can run: dbmigrate runs only SQL"
    )

    def load() -> bytes:
        raise MigrationError(Reason.SOURCE_INVALID, problem)

    return Script(shown, direction, load, problem=problem)
