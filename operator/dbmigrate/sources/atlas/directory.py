"""Atlas's format: `<version>[_<description>].sql`, one script each, and atlas.sum beside them.

A version is the text before the first underscore, compared byte by byte. All files
are read when they are listed, because atlas.sum covers what is run: a file that does
not agree with it stops everything, as with Atlas. There are no down scripts: what
Atlas undoes, it plans by itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.atlas.directives import Directive, file_directives
from dbmigrate.sources.atlas.script import Prepared, prepare
from dbmigrate.sources.atlas.statements import hash_statements, split
from dbmigrate.sources.atlas.sum_file import compute, verify
from dbmigrate.sources.listing import DirectoryListing, invalid, printable
from dbmigrate.sources.markers import refuse_marked
from dbmigrate.sources.migration import Direction, Format, Migration, Script, Source
from dbmigrate.sources.script_file import check_script, read_file
from dbmigrate.versions import Role, lexical

_MODES = ("none", "file")


@dataclass(frozen=True, slots=True)
class AtlasFileName:
    """The parts of a file's name."""

    text: str
    version: str
    name: str


def parse_file_name(text: str) -> AtlasFileName | None:
    """Parse a name; None for one that Atlas skips."""
    if not text.endswith(".sql"):
        return None
    version, _, name = text.removesuffix(".sql").partition("_")
    return AtlasFileName(text, version, name)


def read_listing(listing: DirectoryListing) -> Source:
    """Make a Source of the files, which have to agree with atlas.sum.

    Raises MigrationError: ChecksumMismatch where they are not, SourceInvalid for
    versions that are not in the order of the names.
    """
    directory = Path(listing.location)
    files = list(_files(listing))
    _check(listing, [file for file, _ in files])
    total = compute((file.text, content) for file, content in files)
    verify(directory, total, has_files=bool(files))
    found = [_migration(file, content, directory, total.find(file.text)) for file, content in files]
    return Source(
        listing.location,
        tuple(each for each in found if each.role is Role.VERSIONED),
        listing.warnings(),
        format=Format.ATLAS,
        checkpoints=tuple(each for each in found if each.role is Role.CHECKPOINT),
    )


def _files(listing: DirectoryListing) -> Iterator[tuple[AtlasFileName, bytes]]:
    """In the byte order of their names; for Atlas hidden ones are files, too."""
    names = sorted((*listing.files, *listing.hidden), key=os.fsencode)
    for text in names:
        parsed = parse_file_name(text)
        if parsed is not None:
            yield parsed, read_file(Path(listing.location) / text, printable(text))


def _check(listing: DirectoryListing, files: list[AtlasFileName]) -> None:
    hidden = [file for file in files if file.text in listing.hidden]
    if hidden:
        raise invalid(
            listing.location,
            f"{printable(hidden[0].text)} is hidden, and a migration for Atlas: rename it",
        )
    for first, second in pairwise(files):
        shown = f"{printable(first.text)} and {printable(second.text)}"
        if first.version == second.version:
            raise invalid(
                listing.location,
                f"{shown} are both version {printable(first.version)}:"
                " give one of them another version",
            )
        if os.fsencode(first.version) > os.fsencode(second.version):
            raise invalid(
                listing.location,
                f"{shown}: Atlas runs files in the order of their names, and compares versions as"
                " texts, which is another order here: give all versions the same length",
            )


def _migration(
    file: AtlasFileName, content: bytes, directory: Path, entry: str | None
) -> Migration:
    shown, name = printable(file.text), printable(file.name)
    refuse_marked(content, shown)
    directives = file_directives(content.decode("utf-8", "replace"))
    path, digest = directory / file.text, hashlib.sha256(content).hexdigest()
    script = Script(
        shown,
        Direction.UP,
        partial(_load, path, shown, digest),
        problem=_problem(shown, directives, is_left_out=entry is None),
        transaction_word=next((each.value for each in directives if each.name == "txmode"), ""),
        tool_checksums=lambda: (entry or "",),
        cut=partial(_cut, path, shown, digest),
        statement_sums=partial(_hash, path, shown, digest),
    )
    is_checkpoint = any(each.name == "checkpoint" for each in directives)
    return Migration(
        lexical(printable(file.version)),
        name,
        script,
        text=printable(file.version),
        role=Role.CHECKPOINT if is_checkpoint else Role.VERSIONED,
        description=name,
    )


def _problem(shown: str, directives: list[Directive], *, is_left_out: bool) -> str:
    """What Atlas or dbmigrate refuses to run."""
    modes = [each.value for each in directives if each.name == "txmode"]
    if len(modes) > 1:
        return f"{shown}: multiple txmode values found: {' '.join(modes)}"
    if modes == ["all"]:
        return f'{shown}: txmode "all" is not allowed in a file: a file is one transaction'
    if modes and modes[0] not in _MODES:
        return f'{shown}: unknown txmode "{modes[0]}": there are none and file'
    names = {each.name for each in directives}
    if "import" in names:
        return (
            f"{shown}: `atlas:import` includes other files, which dbmigrate does not support:"
            " write them"
        )
    if "txtar" in names:
        return (
            f"{shown}: `atlas:txtar` holds checks of Atlas's beside the migration, which dbmigrate"
            " does not run: leave the migration's statements alone in the file"
        )
    if is_left_out:
        return (
            f"{shown} is left out of atlas.sum (`atlas:sum ignore`): Atlas does not run it either"
        )
    return ""


def _load(path: Path, shown: str, digest: str) -> bytes:
    return _prepare(path, shown, digest).script


def _cut(path: Path, shown: str, digest: str) -> tuple[tuple[int, int], ...]:
    return _prepare(path, shown, digest).spans


def _hash(path: Path, shown: str, digest: str) -> tuple[str, ...]:
    return hash_statements(split(_read(path, shown, digest), shown))


def _prepare(path: Path, shown: str, digest: str) -> Prepared:
    return prepare(_read(path, shown, digest), shown)


def _read(path: Path, shown: str, digest: str) -> str:
    """The file as atlas.sum covers it."""
    content = read_file(path, shown)
    if hashlib.sha256(content).hexdigest() != digest:
        raise MigrationError(Reason.SOURCE_INVALID, f"{shown} was changed while it was run")
    return check_script(content, shown).decode()
