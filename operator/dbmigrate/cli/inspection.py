"""What `plan` reads from a step's SQL: its transaction mode, its locks, what it destroys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.impacts import Impact, read_impacts
from dbmigrate.postgres.sqltext.syntax_tree import is_installed
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode

if TYPE_CHECKING:
    from dbmigrate.runner.answers import PreviewStep


@dataclass(frozen=True, slots=True)
class Inspection:
    """One examined step."""

    is_transaction: bool = True
    """Whether it runs in one transaction, and a failure leaves nothing behind."""
    causes: tuple[str, ...] = ()
    """Why it does not."""
    impacts: tuple[Impact, ...] = ()
    is_analysed: bool = True
    """False: there is no parser, and nothing is known of the statements."""
    problem: str | None = None
    """Why the script can't be run at all."""

    @property
    def is_destructive(self) -> bool:
        """Whether data would be lost."""
        return any(impact.is_destructive for impact in self.impacts)

    def remarks(self) -> Iterator[str]:
        """All of it in sentences."""
        if self.problem:
            yield f"can't run: {self.problem}"
        for cause in self.causes:
            yield f"not in one transaction: {cause}"
        for impact in self.impacts:
            yield str(impact)


def inspect_step(preview: PreviewStep) -> Inspection:
    """Examine a step's SQL; a step without a script has no effects."""
    script = preview.step.script
    if preview.sql is None or script is None:
        return Inspection()
    try:
        mode = transaction_mode(preview.sql, script.file)
        is_analysed = is_installed()
        impacts = read_impacts(preview.sql, script.file) if is_analysed else ()
    except MigrationError as error:
        return Inspection(problem=error.message)
    by_itself = mode.kind not in (TransactionKind.NONE, TransactionKind.BATCHED)
    is_transaction = by_itself and script.is_transactional
    causes = () if is_transaction else tuple(str(cause) for cause in mode.causes)
    if not script.is_transactional:
        causes = (f"the settings of {script.file} say so", *causes)
    return Inspection(is_transaction, causes, impacts, is_analysed)
