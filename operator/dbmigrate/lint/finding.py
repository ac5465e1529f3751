"""What a rule has to say, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbmigrate.lint.column_type import ColumnType


class Severity(StrEnum):
    """How much it matters; the words are also those of GitHub's annotations but for `info`."""

    ERROR = "error"
    """It will hurt a running application, or lose data."""
    WARNING = "warning"
    """It may."""
    INFO = "info"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its name, with what is to be known of it."""

    name: str
    severity: Severity
    reason: str
    remedy: str
    depends_on_size: bool = False
    """It matters only where the table is large."""


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A column that gets another type; the catalog may know that no row is written."""

    column: str
    type: ColumnType
    is_plain: bool = True
    """Whether the values are cast as they are, without USING."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where a rule speaks."""

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
        """One sentence: where it happens and why it matters."""
        table = f"{self.table}: " if self.table else ""
        note = f" ({self.note})" if self.note else ""
        return f"{table}{self.rule.reason}{note}"
