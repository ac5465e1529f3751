"""dbmate's format: `<version><anything>.sql` with two blocks, `-- migrate:up`, `-- migrate:down`.

A version is the digits at the start of the name, and its text counts: for dbmate 1 and
001 differ, and files run in the order of their names. Where that is not the order of
the numbers, or two names mean one number, the directory is refused.
See pkg/dbmate/migration.go there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.listing import DirectoryListing, invalid, printable
from dbmigrate.sources.markers import read_unmarked
from dbmigrate.sources.migration import Direction, Format, Migration, Script, Source

_NAME = re.compile(r"([0-9]+)(.*)\.sql", re.ASCII)
_LARGEST_VERSION = 2**63 - 1
_UP = re.compile(rb"^--[\t\n\f\r ]*migrate:up([\t\n\f\r ]*$|[\t\n\f\r ]+\S+)", re.MULTILINE)
_DOWN = re.compile(rb"^--[\t\n\f\r ]*migrate:down([\t\n\f\r ]*$|[\t\n\f\r ]+\S+)", re.MULTILINE)
_HARMLESS = re.compile(rb"[\t\n\f\r ]*(--.*)?")
_DIRECTIVE = re.compile(rb"--[\t\n\f\r ]*migrate:(?:up|down)")
_NO_TRANSACTION = b"-- dbmigrate:no-transaction"


@dataclass(frozen=True, slots=True)
class DbmateFileName:
    """The parts of a file's name."""

    text: str
    digits: str
    name: str

    @property
    def version(self) -> int:
        """The digits as a number."""
        return int(self.digits)


def parse_file_name(text: str) -> DbmateFileName | None:
    """Parse a name; None for one that dbmate skips."""
    match = _NAME.fullmatch(text)
    if match is None or len(match[1]) > 25:
        return None
    return DbmateFileName(text, match[1], match[2].removeprefix("_"))


def read_listing(listing: DirectoryListing) -> Source:
    """Make a Source of the files.

    Raises MigrationError (SourceInvalid) for versions that dbmate and dbmigrate
    would not order alike.
    """
    files = [parsed for text in listing.files if (parsed := parse_file_name(text))]
    _check(listing.location, files)
    directory = Path(listing.location)
    skipped = [
        f"{printable(text)} is ignored: dbmate expects a version at the start of a name"
        for text in listing.files
        if text.endswith(".sql") and parse_file_name(text) is None
    ]
    return Source(
        listing.location,
        tuple(_migration(file, directory) for file in files),
        (*skipped, *listing.warnings()),
        format=Format.DBMATE,
    )


def _check(location: str, files: list[DbmateFileName]) -> None:
    """They come sorted by name, as dbmate sorts them."""
    for first, second in pairwise(files):
        if first.version == second.version:
            raise invalid(
                location,
                f"{printable(first.text)} and {printable(second.text)} are both version"
                f" {first.version}: give one of them another version",
            )
        if first.version > second.version:
            raise invalid(
                location,
                f"{printable(first.text)} comes before {printable(second.text)} for dbmate,"
                " which sorts by name: give all versions the same number of digits",
            )
    if files and files[-1].version > _LARGEST_VERSION:
        raise invalid(
            location, f"{printable(files[-1].text)}: the version is larger than {_LARGEST_VERSION}"
        )


def _migration(file: DbmateFileName, directory: Path) -> Migration:
    shown = printable(file.text)
    up, down = (
        Script(shown, direction, partial(_load, directory / file.text, shown, direction))
        for direction in Direction
    )
    return Migration(file.version, printable(file.name), up, down, text=file.digits)


def _load(path: Path, shown: str, direction: Direction) -> bytes:
    return extract(read_unmarked(path, shown, own=Format.DBMATE), direction, shown)


def extract(content: bytes, direction: Direction, name: str) -> bytes:
    """One block at its original lines; what is before it is replaced by empty lines.

    Raises MigrationError (SourceInvalid) for what dbmate refuses, and for several
    pairs of blocks: dbmate would record the version with each, and fail.
    """
    ups, downs = list(_UP.finditer(content)), list(_DOWN.finditer(content))
    if not ups:
        raise _refused(name, content, 0, "a file needs a block `-- migrate:up`")
    if not downs:
        raise _refused(name, content, 0, "a file needs a block `-- migrate:down`")
    if len(ups) > 1 or len(downs) > 1:
        second = min(each[1].start() for each in (ups, downs) if len(each) > 1)
        raise _refused(name, content, second, "a file can have only one pair of blocks")
    up, down = ups[0].start(), downs[0].start()
    if down < up:
        raise _refused(name, content, down, "`-- migrate:up` belongs before `-- migrate:down`")
    for line in content[:up].split(b"\n"):
        if not _HARMLESS.fullmatch(line):
            raise _refused(name, content, content.find(line), "SQL before `-- migrate:up`")
    start, end = (up, down) if direction is Direction.UP else (down, len(content))
    head, newline, body = content[start:end].partition(b"\n")
    if _read_options(head).get(b"transaction") == b"false":
        head = _NO_TRANSACTION
    return b"\n" * content.count(b"\n", 0, start) + head + newline + body


def _read_options(head: bytes) -> dict[bytes, bytes]:
    """`name:value` after the directive; the last one of a name counts, as with dbmate."""
    pairs = (word.split(b":") for word in _DIRECTIVE.sub(b"", head, count=1).split())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _refused(name: str, content: bytes, offset: int, problem: str) -> MigrationError:
    line = content.count(b"\n", 0, offset) + 1
    return MigrationError(
        Reason.SOURCE_INVALID, f"{name}: line {line}: {problem}", location=Location(name, line)
    )
