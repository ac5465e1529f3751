"""A finding, and its severity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbmigrate.lint.column_type import ColumnType


class Severity(StrEnum):
    """The severity; the words are GitHub's annotation levels, except for `info`."""

    ERROR = "error"
    """It will hurt a running application, or lose data."""
    WARNING = "warning"
    """It may hurt the application."""
    INFO = "info"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, severity and explanation."""

    name: str
    severity: Severity
    reason: str
    remedy: str
    depends_on_size: bool = False
    """It matters only where the table is large."""


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A column with a new type; the catalog may know that no row is rewritten."""

    column: str
    type: ColumnType
    is_plain: bool = True
    """Whether the values are cast as they are, without USING."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place to which a rule applies."""

    rule: Rule
    file: str
    line: int
    """Counted from 1."""
    severity: Severity
    table: str | None = None
    note: str = ""
    """What is known beyond the rule, such as the size of the table."""
    change: TypeChange | None = None
    """Where the files do not tell the column's type."""
    columns: tuple[str, ...] = ()
    """Those that it is about."""

    @property
    def message(self) -> str:
        """One sentence: where it is and why it matters."""
        table = f"{self.table}: " if self.table else ""
        note = f" ({self.note})" if self.note else ""
        return f"{table}{self.rule.reason}{note}"
