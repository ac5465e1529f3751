"""golang-migrate's format: `<version>_<name>.<up|down>.<extension>` in one directory.

Reads what golang-migrate reads, in its order: any extension, versions as numbers (`001` is `1`), no
subdirectories, one script of a pair may be missing. A name that it skips silently although it was
most likely meant (`1_x.sql`, `1_x.UP.sql`, a directory named like a version) becomes a warning, and
so does a name that it accepts although it was not meant (`1_x.up.sql.bak`). Two files for one
version and direction are an error, as there. Hidden entries are ignored: a mounted ConfigMap has
`..data` among its files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.sources.listing import DirectoryListing, invalid, list_directory, printable
from dbmigrate.sources.markers import read_unmarked
from dbmigrate.sources.migration import Direction, Migration, Script, Source

FILE_NAME = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)")
"""golang-migrate's own expression (source/parse.go); has to match the whole name."""

LARGEST_VERSION = 2**63 - 1
"""What the version column (bigint) holds."""

_LARGEST_PARSED = 2**64 - 1
"""golang-migrate parses 64 unsigned bits and skips a file with a larger number."""

_NOTHING_READ = (
    "no file was recognised: set the format with -format; Atlas's files need their atlas.sum"
)
_MISTAKEN_NAME = re.compile(r"[0-9].*\.sql|.*\.(up|down)\.\w+", re.IGNORECASE | re.DOTALL)
_LEFT_OVER = re.compile(r".*(\.|~|^bak|^orig|^old|^tmp|^swp|^save|^rej|^disabled)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GolangMigrateFileName:
    """The parts of a file's name."""

    text: str
    version: int
    name: str
    direction: Direction
    extension: str

    @property
    def stem(self) -> str:
        """What the up and the down script of one migration share."""
        return self.text[: -len(f".{self.direction}.{self.extension}")]


def parse_file_name(text: str) -> GolangMigrateFileName | None:
    """Parse a name; None for one that golang-migrate skips."""
    match = FILE_NAME.fullmatch(text)
    # More digits than 64 bits have: int() would be slow on thousands of them.
    if match is None or len(match[1].lstrip("0")) > 20 or int(match[1]) > _LARGEST_PARSED:
        return None
    return GolangMigrateFileName(text, int(match[1]), match[2], Direction(match[3]), match[4])


def read_directory(path: str | os.PathLike[str]) -> Source:
    """List the migrations in a directory; their scripts are read when they are run.

    Raises MigrationError (SourceInvalid) for a directory that cannot be read, two
    files for one step, and a version that PostgreSQL's bigint cannot hold. A directory
    without any migration is a Source without any, because golang-migrate's `version`
    and `force` accept it; commands that need one report that.
    """
    return read_listing(list_directory(path))


def read_listing(listing: DirectoryListing) -> Source:
    """The same from given names."""
    source = combine(listing.location, listing.files, Path(listing.location))
    return replace(source, warnings=source.warnings + listing.warnings())


def combine(location: str, files: Collection[str], directory: Path) -> Source:
    """Make a Source of file names that lie in a directory.

    Raises MigrationError (SourceInvalid) as `read_directory` does.
    """
    scripts: dict[tuple[int, Direction], GolangMigrateFileName] = {}
    warnings: list[str] = []
    for text in files:
        parsed = parse_file_name(text)
        if parsed is None:
            if _MISTAKEN_NAME.fullmatch(text):
                warnings.append(_ignored(text))
            continue
        _check_bounds(location, parsed)
        other = scripts.setdefault((parsed.version, parsed.direction), parsed)
        if other is not parsed:
            raise _duplicate(location, other, parsed)
        if _LEFT_OVER.match(parsed.extension):
            warnings.append(f"{printable(text)} counts as a migration: rename it if it is a copy")
    versions = sorted({version for version, _ in scripts})
    migrations = []
    for version in versions:
        up = scripts.get((version, Direction.UP))
        down = scripts.get((version, Direction.DOWN))
        warnings.extend(_compare(up, down))
        migrations.append(_migration(version, up, down, directory))
    if warnings and not migrations and any(text.endswith(".sql") for text in files):
        warnings.append(_NOTHING_READ)
    return Source(location, tuple(migrations), tuple(warnings))


def _migration(
    version: int,
    up: GolangMigrateFileName | None,
    down: GolangMigrateFileName | None,
    directory: Path,
) -> Migration:
    named = up or down
    return Migration(
        version,
        printable(named.name) if named else "",
        up=_script(up, directory) if up else None,
        down=_script(down, directory) if down else None,
    )


def _script(file: GolangMigrateFileName, directory: Path) -> Script:
    name = printable(file.text)
    load = partial(read_unmarked, directory / file.text, name, direction=file.direction)
    return Script(name, file.direction, load)


def _compare(up: GolangMigrateFileName | None, down: GolangMigrateFileName | None) -> list[str]:
    if down is None:
        return []
    if up is None:
        return [
            f"{printable(down.text)} has no up script: migrating up records its version without"
            " running anything"
        ]
    if up.stem == down.stem:
        return []
    what = "differ only in case" if up.stem.lower() == down.stem.lower() else "differ in name"
    return [
        f"{printable(up.text)} and {printable(down.text)} {what}"
        f" and count as one migration, version {up.version}"
    ]


def _ignored(text: str) -> str:
    shown = printable(text)
    match = FILE_NAME.fullmatch(text)
    if match:
        return f"{shown} is ignored: {match[1]} is larger than any version"
    return f"{shown} is ignored: expected <version>_<name>.up.sql or <version>_<name>.down.sql"


def _check_bounds(location: str, file: GolangMigrateFileName) -> None:
    if file.version > LARGEST_VERSION:
        raise invalid(
            location,
            f"{printable(file.text)}: the version is larger than {LARGEST_VERSION},"
            " which is what PostgreSQL's bigint holds; rename the file",
        )


def _duplicate(
    location: str, first: GolangMigrateFileName, second: GolangMigrateFileName
) -> MigrationError:
    return invalid(
        location,
        f"duplicate migration file: {printable(second.text)} and {printable(first.text)}"
        f" are both the {first.direction} script of version {first.version};"
        " give one of them another version",
    )
