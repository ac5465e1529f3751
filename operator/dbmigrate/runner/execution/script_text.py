"""A script on its way to the server: its bytes, its checksum, how it can run.

A large script is not kept while the server works on it. It is read again when a
place in it is needed, which is when it has failed.
"""

from __future__ import annotations

import re

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.sqltext.copy_data import Sendable, cut_rows
from dbmigrate.postgres.sqltext.positions import locate_byte, position_to_location
from dbmigrate.postgres.sqltext.splitter import (
    Statement,
    split,
    statement_to_location,
    statements_at,
)
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Script, hash_script

_KEPT = 1 << 20
"""Bytes up to which a script stays in memory."""


class ScriptText:
    """The content of a script, read on creation; raises MigrationError (SourceInvalid)."""

    def __init__(self, script: Script | None) -> None:
        self._script = script
        self.file = script.file if script else ""
        self._sql: bytes | None = script.load() if script else b""
        self._digest = hash_script(self._sql)
        self.mode = transaction_mode(self._sql, self.file)

    @property
    def checksum(self) -> str | None:
        """SHA-256 in hexadecimal; None where there is no script."""
        if self._script is None:
            return None
        return self._script.checksum() if self._script.is_template else self._digest

    @property
    def can_be_one_transaction(self) -> bool:
        """Whether the server accepts all of it in one transaction, as far as the text shows."""
        is_wanted = self._script is None or self._script.is_transactional
        kinds = (TransactionKind.NONE, TransactionKind.BATCHED)
        return is_wanted and self.mode.kind not in kinds

    @property
    def is_batched(self) -> bool:
        """Whether its one statement runs in batches."""
        return self.mode.kind is TransactionKind.BATCHED

    def read(self) -> bytes:
        """The script for the server: the same length, some of it replaced by spaces."""
        return self.mode.prepare(self._whole())

    def _whole(self) -> bytes:
        """The script as it is."""
        if self._sql is None and self._script is not None:
            sql = self._script.load()
            if hash_script(sql) != self._digest:
                raise MigrationError(
                    Reason.SOURCE_INVALID, f"{self.file} was changed while it was run"
                )
            self._sql = sql
        return self._sql or b""

    def release(self) -> None:
        """Release a large script until it is needed again."""
        if self._sql is not None and len(self._sql) > _KEPT:
            self._sql = None

    def prepare(self) -> Sendable:
        """The script, with the rows of its COPY statements separated."""
        if self.mode.kind is TransactionKind.ONE_QUERY:
            return Sendable(self.read(), pieces=self.mode.cuts)
        return cut_rows(self.read(), self.file)

    def statements(self) -> list[Statement]:
        """Its statements in order, as its tool splits them."""
        cut = self._script.cut if self._script is not None else None
        if cut is not None:
            return list(statements_at(self.read(), cut(), file=self.file))
        return list(split(self.read(), file=self.file))

    def find_open_end(self) -> MigrationError | None:
        """What in it does not end, such as a string without its quote; None: nothing.

        The runner's own statements follow the script: there the server would report the fault.
        """
        try:
            self.statements()
        except MigrationError as error:
            return error
        return None

    def find_bytes(self, message: str) -> int | None:
        """The places of the bytes that the server cannot store (its message: `0xe2 0x82 0xac`)."""
        found = re.search(r"0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*", message)
        if found is None:
            return None
        at = self.read().find(bytes(int(byte, 16) for byte in found[0].split()))
        return at if at >= 0 else None

    def locate(
        self,
        *,
        position: int | None = None,
        statement: int | None = None,
        byte: int | None = None,
    ) -> Location:
        """The place of a character that was sent (counted from 1), of a statement (from 0), or
        of a byte of the script."""
        if not self.file:
            return Location(self.file)
        if byte is not None:
            place = locate_byte(self._whole(), byte, self.file)
        else:
            place = self._locate(position, statement)
        if self._script is not None and self._script.is_template:
            # The line as it was sent may show a secret of the environment.
            return Location(place.file, place.line)
        return place

    def _locate(self, position: int | None, statement: int | None) -> Location:
        if position is not None and position > 0:
            sendable = self.prepare()
            if sendable.cuts:
                return locate_byte(self._whole(), sendable.byte_in_script(position), self.file)
            return position_to_location(self._whole(), position, self.file)
        if statement is not None:
            return statement_to_location(self.read(), statement, self.file, self._whole())
        return Location(self.file)
