"""atlas.sum: a line for each migration file, so that two branches that add one conflict.

One SHA-256 runs over the names and contents of all files in the order of their names;
a file's entry is what it is behind that file, so an entry vouches for all files before
it as well. The first line is the sum over the entries. See sql/migrate/dir.go there,
whose texts for what does not agree these are. Atlas writes the same file beside
golang-migrate's migrations, where it counts the up files alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbmigrate.errors import Location, MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.atlas.directives import read_directive
from dbmigrate.sources.confinement import open_inside
from dbmigrate.sources.listing import printable

SUM_FILE = "atlas.sum"
_PREFIX = "h1:"

REMEDY = "check your migration files, then run `dbmigrate atlas migrate hash`"


@dataclass(frozen=True, slots=True)
class SumEntry:
    """One line."""

    name: str
    hash: str
    """Base64, without `h1:`."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The whole file."""

    entries: tuple[SumEntry, ...]

    @property
    def total(self) -> str:
        """What its first line says, without `h1:`."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(os.fsencode(entry.name) + entry.hash.encode())
        return _text(digest.digest())

    def text(self) -> bytes:
        """As Atlas writes it."""
        lines = [f"{_PREFIX}{self.total}"]
        lines += [f"{entry.name} {_PREFIX}{entry.hash}" for entry in self.entries]
        return os.fsencode("".join(f"{line}\n" for line in lines))

    def find(self, name: str) -> str | None:
        """The entry of a file; None for one that is left out."""
        return next((entry.hash for entry in self.entries if entry.name == name), None)


def compute(files: Iterable[tuple[str, bytes]]) -> Sum:
    """The sum of files, by name and content, in the order of their names' bytes."""
    digest = hashlib.sha256()
    entries = []
    for name, content in files:
        digest.update(os.fsencode(name))
        if is_left_out(content):
            continue
        digest.update(content)
        entries.append(SumEntry(name, _text(digest.digest())))
    return Sum(tuple(entries))


def is_left_out(content: bytes) -> bool:
    """Whether the first line has `atlas:sum ignore`: the name counts then, the content does not."""
    found = read_directive(content.partition(b"\n")[0].decode("latin-1"))
    return found is not None and (found.name, found.value) == ("sum", "ignore")


def read_sum(directory: Path) -> Sum | None:
    """The file as it is; None where there is none.

    Raises MigrationError (ChecksumMismatch) for one that was edited by hand.
    """
    path = directory / SUM_FILE
    try:
        with open(path, "rb", opener=open_inside) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(f"{path} can't be read: {cause_of(error)}") from None
    first, *rest = os.fsdecode(content).replace("\r\n", "\n").split("\n")
    if rest and rest[-1] == "":
        rest.pop()
    entries = []
    for number, line in enumerate(rest, start=2):
        name, prefix, value = line.partition(_PREFIX)
        if not prefix:
            raise _refused(f"{SUM_FILE}: line {number}: checksum file format invalid", number)
        entries.append(SumEntry(name.strip(), value))
    found = Sum(tuple(entries))
    if first.removeprefix(_PREFIX) != found.total:
        raise _refused(
            f"{SUM_FILE}: line 1: checksum mismatch: it is not the sum of the lines below it", 1
        )
    return found


def verify(directory: Path, actual: Sum, *, has_files: bool) -> None:
    """Hold the files against atlas.sum.

    Raises MigrationError (ChecksumMismatch) with the first file that does not agree.
    """
    written = read_sum(directory)
    if written is None:
        if has_files:
            raise _refused(f"checksum file not found: {directory / SUM_FILE}")
        return
    for line, problem in _differences(written, actual):
        raise _refused(f"L{line}: {problem}", line)


def _differences(written: Sum, actual: Sum) -> Iterator[tuple[int, str]]:
    names = [entry.name for entry in actual.entries]
    for index, entry in enumerate(written.entries):
        if index < len(names) and actual.entries[index] == entry:
            continue
        if entry.name not in names:
            yield index + 2, f"{printable(entry.name)} was removed"
        elif index < len(names) and names[index] == entry.name:
            yield index + 2, f"{printable(entry.name)} was edited"
        elif index < len(names):
            yield index + 2, f"{printable(names[index])} was added"
    for index in range(len(written.entries), len(names)):
        yield index + 2, f"{printable(names[index])} was added"


def write_sum(directory: Path, new: Sum) -> Path:
    """Write it beside the files, as a whole or not at all."""
    path = directory / SUM_FILE
    scratch = directory / f".{SUM_FILE}.{os.getpid()}"
    try:
        scratch.write_bytes(new.text())
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise MigrationError(
            Reason.SOURCE_INVALID, f"{path} can't be written: {cause_of(error)}"
        ) from None
    return path


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _refused(problem: str, line: int | None = None) -> MigrationError:
    return MigrationError(
        Reason.CHECKSUM_MISMATCH,
        f"You have a checksum error in your migration directory. {problem}",
        location=Location(SUM_FILE, line) if line else None,
        hint=REMEDY,
    )
