"""Detects the format of a directory's files, and reads them.

golang-migrate's and Flyway's are recognised by their names, without reading a file. Other
names that could be a migration are distinguished by the first annotation in the
file. Atlas's have none: they are recognised by the atlas.sum beside them, which Atlas
also writes for the files of others; then it is checked against those. A directory that
holds files of two formats is refused, with a file of each, unless the format is
named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.sources import golang_migrate
from dbmigrate.sources.confinement import open_inside
from dbmigrate.sources.listing import DirectoryListing, invalid, list_directory, printable
from dbmigrate.sources.migration import Format, Script, Source

_LOOKED_AT = 1 << 16
"""Bytes: an annotation stands before any SQL, so below comments alone."""

_CANDIDATE = re.compile(r"[0-9].*\.sql", re.DOTALL | re.ASCII)
_GO = re.compile(r"[0-9]+_.*(?<!_test)\.go", re.DOTALL | re.ASCII)
_ABOVE_SQL = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t\r\f\v]*(?:--[^\n]*)?\n)*(?:--[^\n]*)?")
"""The lines of comment that a file begins with: below them it is SQL, whatever it looks like."""
_MARKS = {
    Format.GOOSE: re.compile(rb"^--.*\+goose[ \t]+\w", re.MULTILINE | re.IGNORECASE),
    Format.DBMATE: re.compile(rb"^--\s*migrate:(?:up|down)\b", re.MULTILINE),
}

_ATLAS = re.compile(rb"^--\s*atlas:(?:txmode|delimiter|checkpoint|sum|nolint)\b", re.MULTILINE)
SUM_FILE = "atlas.sum"


def read_source(
    path: str | os.PathLike[str], wanted: Format | None, environ: Mapping[str, str]
) -> Source:
    """The migrations in a directory, in that format; None: in the detected one.

    `environ` has the values of variables that a format may put into its scripts.
    Raises MigrationError (SourceInvalid).
    """
    listing = list_directory(path)
    source = _read_listing(listing, wanted, environ)
    heads = dict(_marked_heads(source, listing.location))
    if not heads:
        return source
    from dbmigrate.sources.squashed import with_squash

    return with_squash(source, heads)


def _marked_heads(source: Source, place: str) -> Iterator[tuple[Script, bytes]]:
    """The beginnings of those up files that may name the files that they replace."""
    for migration in (*source.migrations, *source.checkpoints):
        script = migration.up
        if script is not None:
            head = _read_head(os.path.join(place, script.path or script.file))
            if b"dbmigrate:replace" in head:
                yield script, head


def _read_listing(
    listing: DirectoryListing, wanted: Format | None, environ: Mapping[str, str]
) -> Source:
    found = wanted or _find(listing)
    if SUM_FILE in listing.files and found is not Format.ATLAS:
        from dbmigrate.sources.sums import verify_sum

        verify_sum(listing, found)
    if found is Format.GOOSE:
        from dbmigrate.sources.goose import directory as goose

        return goose.read_listing(listing, environ)
    if found is Format.FLYWAY:
        from dbmigrate.sources.flyway import directory as flyway

        return flyway.read_listing(listing, environ)
    if found is Format.DBMATE:
        from dbmigrate.sources import dbmate

        return dbmate.read_listing(listing)
    if found is Format.ATLAS:
        from dbmigrate.sources.atlas import directory as atlas

        return atlas.read_listing(listing)
    return golang_migrate.read_listing(listing)


def find_format(
    path: str | os.PathLike[str],
    *,
    otherwise: Format = Format.GOLANG_MIGRATE,
    looks_below: bool = True,
) -> Format:
    """The format of the files in a directory; `otherwise` where nothing indicates one.

    `looks_below`: whether Flyway's files in the directories below count, as they do for a
    directory that the user has named. Raises MigrationError (SourceInvalid).
    """
    listing = list_directory(path)
    return _find(listing if looks_below else replace(listing, directories=()), otherwise)


def _find(listing: DirectoryListing, otherwise: Format = Format.GOLANG_MIGRATE) -> Format:
    found = _look_at(listing)
    if not found:
        _require_text(listing)
        _refuse_others(listing)
        return _by_the_rest(listing, otherwise)
    if len(found) > 1:
        files = ", ".join(f"{printable(name)} is {kind}'s" for kind, name in found.items())
        raise invalid(
            listing.location,
            f"the directory holds files of several formats: {files};"
            " put each into a directory of its own, or name the one that counts with -format",
        )
    return next(iter(found))


def _look_at(listing: DirectoryListing) -> dict[Format, str]:
    """The formats that some file indicates, and the first such file of each."""
    found: dict[Format, str] = {}
    unmarked: list[str] = []
    for name in listing.files:
        if golang_migrate.parse_file_name(name) is not None:
            found.setdefault(Format.GOLANG_MIGRATE, name)
        elif name[:1] in "VUBR" and _is_flyways(name):
            found.setdefault(Format.FLYWAY, name)
        elif _CANDIDATE.fullmatch(name):
            mark = _look_into(Path(listing.location) / name)
            if mark is not None:
                found.setdefault(mark, name)
            else:
                unmarked.append(name)
        elif name.endswith(".sql"):
            unmarked.append(name)
    if SUM_FILE in listing.files and unmarked and Format.ATLAS not in found:
        from dbmigrate.sources.sums import first_named

        named = first_named(listing, unmarked)
        if named is not None:
            found[Format.ATLAS] = named
    return found


def _require_text(listing: DirectoryListing) -> None:
    """Whether no file can show a mark because it is UTF-16."""
    from dbmigrate.sources.script_file import check_script

    for name in listing.files:
        path = Path(listing.location) / name
        if _CANDIDATE.fullmatch(name) and b"\0" in _read_head(path):
            check_script(_read_head(path), printable(name))


def _refuse_others(listing: DirectoryListing) -> None:
    """Raise MigrationError (SourceInvalid) for files of a tool that is not supported."""
    from dbmigrate.sources.markers import READ, find_marker, remedy
    from dbmigrate.sources.script_file import read_file

    for name in listing.files:
        path = Path(listing.location) / name
        if not name.endswith(".sql") or not path.is_file():
            continue
        marker = find_marker(read_file(path, printable(name)), own=READ)
        if marker is not None:
            raise invalid(
                listing.location,
                f"{printable(name)} is {marker.tool}'s, by its line {marker.line}"
                f" (`{marker.text}`): {remedy(marker.tool)}",
            )


def _by_the_rest(listing: DirectoryListing, otherwise: Format) -> Format:
    if SUM_FILE in listing.files and not any(name.endswith(".sql") for name in listing.files):
        return Format.ATLAS
    if any(_GO.fullmatch(name) for name in listing.files):
        return Format.GOOSE
    return Format.FLYWAY if _has_flyways_below(listing) else otherwise


def _is_flyways(name: str) -> bool:
    from dbmigrate.sources.flyway.names import leaves_no_doubt

    return leaves_no_doubt(name)


def _has_flyways_below(listing: DirectoryListing) -> bool:
    """Only Flyway looks into directories."""
    if not listing.directories:
        return False
    from dbmigrate.sources.flyway.directory import list_files

    try:
        return any(_is_flyways(path.rpartition("/")[2]) for path in list_files(listing))
    except MigrationError:
        return False  # other formats ignore what is below


def _look_into(path: Path) -> Format | None:
    """The format by the first mark in a file; None for a file without one."""
    head = _read_head(path)
    above = _ABOVE_SQL.match(head)
    end = above.end() if above else 0
    places = {
        kind: match.start() for kind, mark in _MARKS.items() if (match := mark.search(head, 0, end))
    }
    found = min(places, key=lambda kind: places[kind], default=None)
    # Atlas's comments may be in the files of other formats, too.
    return Format.ATLAS if found is None and _ATLAS.search(head) else found


def _read_head(path: str | os.PathLike[str]) -> bytes:
    """Empty for a file that cannot be read: reading it for a run reports the error.

    A pipe is opened without waiting for its writer, and has nothing to read then.
    """
    try:
        descriptor = open_inside(os.fspath(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _LOOKED_AT)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
