"""What every format of migration files is read into.

A Source is an ordered set of migrations; a Migration is a version with an up
script, a down script, or both. Scripts are read when they are run, not before:
a directory may hold gigabytes.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from dbmigrate.versions import Role, Version


class Format(StrEnum):
    """Whose files they are; the history continues in that tool's table."""

    GOLANG_MIGRATE = "golang-migrate"
    GOOSE = "goose"
    DBMATE = "dbmate"
    ATLAS = "atlas"
    FLYWAY = "flyway"


class Direction(StrEnum):
    """The way a script moves the database."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Script:
    """SQL that moves the database one version up or down."""

    file: str
    """The file's name, for people; a stored script has the name it was stored under."""
    direction: Direction
    load: Callable[[], bytes] = field(repr=False, compare=False)
    """Reads the content. Raises MigrationError (SourceInvalid) when it can't be read."""
    load_template: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    """Reads it with the names of variables where `load` has put their values, line for line."""
    problem: str = ""
    """Why it can never be run; empty: nothing is known against it."""
    tool_checksums: Callable[[], tuple[int | str, ...]] | None = field(
        default=None, repr=False, compare=False
    )
    """What the format's own tool takes for its checksum, where its table keeps one: the first
    is written, any of them counts."""
    is_transactional: bool = True
    """False: the file requests to run statement by statement."""
    transaction_word: str = ""
    """The transaction mode in the file for its tool: `none` or `file`; empty: not set."""
    path: str = ""
    """Where it lies below the directory, where the tool's table keeps that."""
    cut: Callable[[], Sequence[tuple[int, int]]] | None = field(
        default=None, repr=False, compare=False
    )
    """The spans of its statements in what `load` gives, where its tool has rules of its own."""
    statement_sums: Callable[[], Sequence[str]] | None = field(
        default=None, repr=False, compare=False
    )
    """One for each of those, over all up to it, where the tool's table keeps them."""

    @property
    def is_template(self) -> bool:
        """Whether `load` puts values of the environment in: they may be secrets."""
        return self.load_template is not None

    def show(self) -> bytes:
        """The content for people, without any values of the environment."""
        return (self.load_template or self.load)()

    def checksum(self) -> str:
        """SHA-256 of what `show` gives, in hexadecimal; Windows line ends count as LF.

        A caller that has the bytes already uses `hash_script`: a file is read once.
        """
        return hash_script(self.show())

    def has_checksum(self, checksum: str) -> bool:
        """Whether that is the checksum of this script, by any version of dbmigrate.

        Line ends and the last newline make no difference.
        """
        return checksum in _checksums(self.show())


def hash_script(sql: bytes) -> str:
    """The checksum of a script's bytes, as the history keeps it."""
    return hashlib.sha256(sql.replace(b"\r\n", b"\n") if b"\r\n" in sql else sql).hexdigest()


def _checksums(sql: bytes) -> Iterator[str]:
    """All that count: older versions hashed a script with the line ends that it had."""
    yield hash_script(sql)
    body = sql.replace(b"\r\n", b"\n").removesuffix(b"\n")
    for text in (body, body + b"\n"):
        for spelled in (text, text.replace(b"\n", b"\r\n")):
            yield hashlib.sha256(spelled).hexdigest()
    yield hashlib.sha256(sql).hexdigest()


@dataclass(frozen=True, slots=True)
class Migration:
    """A version with the scripts that lead to it and back."""

    version: Version
    name: str
    up: Script | None = None
    down: Script | None = None
    text: str = ""
    """The version as the file's name writes it, zeros included, where a history keeps that."""
    role: Role = Role.VERSIONED
    description: str = ""
    """The name as the tool's table keeps it, where it does."""
    replaces: tuple[Version, Version] | None = None
    """The first and the last version of the files that a squashed file stands for."""
    replaced: tuple[tuple[Version, ...], ...] = ()
    """Each of those versions, where the file names them: as dbmigrate.sources.squashed has it."""

    def script(self, direction: Direction) -> Script | None:
        """The script of that direction; None moves the version without running anything."""
        return self.up if direction is Direction.UP else self.down


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What scripts may want to know of the database they run on."""

    database: str
    user: str
    schema: str
    """The history's."""
    table: str
    """The history's."""


@dataclass(frozen=True)
class Source:
    """All migrations of one place, by version."""

    location: str
    """Where they come from, for people: `migrations`, `file:///migrations`."""
    migrations: tuple[Migration, ...]
    """Sorted by version, each version once."""
    warnings: tuple[str, ...] = ()
    """Names that look like a mistake, one sentence each."""
    format: Format = Format.GOLANG_MIGRATE
    checkpoints: tuple[Migration, ...] = ()
    """Sorted by version; there may be a migration of the same version."""
    repeatables: tuple[Migration, ...] = ()
    """In the order in which they run."""
    learn: Callable[[DatabaseFacts], None] | None = field(default=None, repr=False, compare=False)
    """Tells scripts with variables for such facts what they are. Called before any is read."""

    archive: Source | None = field(default=None, repr=False, compare=False)
    """The files that a squashed one has replaced, where they were named."""
    lacking: tuple[Migration, ...] = ()
    """Versions without scripts, whose files the archive should have and has not. Known where the
    migrations are those of the archive."""

    @property
    def squash_end(self) -> Version | None:
        """The version up to which one file stands for others that are not there any more: a
        squashed file, or a baseline or checkpoint below which no file is left."""
        first = self.migrations[0] if self.migrations else None
        if first is not None and first.replaces is not None:
            return first.replaces[1]
        alone = [
            checkpoint.version
            for checkpoint in self.checkpoints
            if first is None or first.version > checkpoint.version
        ]
        return max(alone, default=None)

    @property
    def squash_start(self) -> Version | None:
        """The first version that it stands for; None: all up to its own."""
        first = self.migrations[0] if self.migrations else None
        return first.replaces[0] if first is not None and first.replaces is not None else None

    def stands_for(self, version: Version) -> bool:
        """Whether one of its files has replaced that of the version, which is not there."""
        end, start = self.squash_end, self.squash_start
        if end is None or version >= end or self.find(version) is not None:
            return False
        return start is None or version >= start

    @property
    def squash_lists(self) -> tuple[tuple[Version, ...], ...]:
        """The versions that it stands for, where that is known: by the file, or by the archive."""
        end, start = self.squash_end, self.squash_start
        if end is None:
            return ()
        named = (*self.checkpoints, *self.migrations[:1])
        lists = next((m.replaced for m in named if m.version == end and m.replaced), ())
        if not lists and self.archive is not None:
            low = end if start is None else start
            known = (v for v in self.archive.versions if v <= end and (start is None or v >= low))
            lists = (tuple(known),)
        return lists

    @property
    def squash_versions(self) -> frozenset[Version]:
        """All of those. A mark names its own version; what has no list may have had that one."""
        end, first = self.squash_end, self.migrations[0] if self.migrations else None
        known = frozenset(version for versions in self.squash_lists for version in versions)
        is_listed = first is None or first.replaces is None or bool(first.replaced)
        return known if is_listed or end is None else known | {end}

    @property
    def squash_file(self) -> str:
        """That file's name."""
        end = self.squash_end
        named = (*self.checkpoints, *self.migrations[:1])
        files = [m.up.file for m in named if m.version == end and m.up is not None]
        return files[0] if files else str(end)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to run at all."""
        return not (self.migrations or self.checkpoints or self.repeatables)

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """All versions in order."""
        return tuple(migration.version for migration in self.migrations)

    @property
    def latest(self) -> Version | None:
        """The highest version; None when there are no migrations."""
        if self.versions:
            return self.versions[-1]
        return self.checkpoints[-1].version if self.checkpoints else None

    def latest_from(self, version: Version | None) -> Version | None:
        """The version that all steps lead to on a database that is at that one."""
        checkpoint = None if version is not None else self.checkpoint(None)
        if checkpoint is None or (self.versions and self.versions[-1] > checkpoint.version):
            return self.latest
        return checkpoint.version

    def checkpoint(self, target: Version | None) -> Migration | None:
        """The newest checkpoint, or the newest that is not above a target."""
        fitting = [c for c in self.checkpoints if target is None or c.version <= target]
        return fitting[-1] if fitting else None

    def knows(self, version: Version) -> bool:
        """Whether there is a migration or a checkpoint of exactly this version."""
        return self.find(version) is not None or any(c.version == version for c in self.checkpoints)

    def find(self, version: Version) -> Migration | None:
        """The migration of exactly this version."""
        index = bisect.bisect_left(self.versions, version)
        if index < len(self.versions) and self.versions[index] == version:
            return self.migrations[index]
        return None

    def above(self, version: Version | None) -> tuple[Migration, ...]:
        """Those with a higher version, lowest first; all of them above None."""
        if version is None:
            return self.migrations
        return self.migrations[bisect.bisect_right(self.versions, version) :]

    def before(self, version: Version) -> Version | None:
        """The next lower version that exists; None when there is none."""
        index = bisect.bisect_left(self.versions, version)
        return self.versions[index - 1] if index else None
