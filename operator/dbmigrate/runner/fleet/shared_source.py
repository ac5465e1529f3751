"""The migration files of a run on many targets: each is read once, and is the same for all."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Migration, Script, Source

T = TypeVar("T")

_KEPT = 1 << 20
"""Bytes up to which a script stays in memory."""
_ALL = 64 << 20
"""Bytes of all scripts together that stay there."""


def share(source: Source) -> Source:
    """The source with scripts that are read once; those that are too large are read each time,
    and have to be the same each time.

    Raises MigrationError (SourceInvalid) for a script up that can't be read.
    """
    budget = _Budget(_ALL)

    def shared(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
        return tuple(
            replace(each, up=_share(each.up, budget), down=_share(each.down, budget))
            for each in migrations
        )

    found = replace(
        source,
        migrations=shared(source.migrations),
        checkpoints=shared(source.checkpoints),
        repeatables=shared(source.repeatables),
    )
    for migration in (*found.migrations, *found.checkpoints, *found.repeatables):
        if migration.up is not None and not migration.up.problem:
            migration.up.load()
    return found


class _Budget:
    """Bytes that may still be kept."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, size: int) -> bool:
        if size > min(_KEPT, self._left):
            return False
        self._left -= size
        return True


class _Loader:
    """Reads a script, and sees that it stays what it was."""

    def __init__(self, file: str, load: Callable[[], bytes], budget: _Budget) -> None:
        self._file = file
        self._load = load
        self._budget = budget
        self._kept: bytes | None = None
        self._digest: bytes | None = None

    def __call__(self) -> bytes:
        if self._kept is not None:
            return self._kept
        content = self._load()
        digest = hashlib.sha256(content).digest()
        if self._digest is None:
            self._digest = digest
            if self._budget.take(len(content)):
                self._kept = content
        elif digest != self._digest:
            raise MigrationError(
                Reason.SOURCE_INVALID,
                f"{self._file} was changed while the fleet was migrated",
                hint="run it again: the targets that come next would get another migration",
            )
        return content


def _share(script: Script | None, budget: _Budget) -> Script | None:
    if script is None:
        return None
    return replace(
        script,
        load=_Loader(script.file, script.load, budget),
        tool_checksums=_once(script.tool_checksums),
        statement_sums=_once(script.statement_sums),
        cut=_once(script.cut),
    )


def _once(read: Callable[[], T] | None) -> Callable[[], T] | None:
    return None if read is None else functools.cache(read)
