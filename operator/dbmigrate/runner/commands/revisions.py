"""Atlas's `migrate status`: the rows of its table, and the pending files."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.atlas import AtlasTable
from dbmigrate.postgres.history.atlas_revisions import RESOLVED
from dbmigrate.postgres.history.registry import adapter_for
from dbmigrate.report import Reason
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.planning.plan import PlanInputs, out_of_order_migrations, pending, step_up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One row of atlas_schema_revisions."""

    version: str
    description: str
    kind: int
    applied: int
    total: int
    executed_at: str
    """RFC 3339, with microseconds."""
    nanoseconds: int
    error: str
    statement: str
    operator: str

    @property
    def is_partial(self) -> bool:
        """Whether its file stopped halfway and has not been marked as resolved."""
        return self.applied != self.total and not self.kind & RESOLVED


@dataclass(frozen=True, slots=True)
class RevisionsState:
    """The table and the files together."""

    rows: tuple[RevisionRow, ...]
    available: tuple[Migration, ...]
    """All files, in the order of their names."""
    pending: tuple[Migration, ...]
    """In the order in which they would run; a file that stopped halfway is the first."""


def read_revisions(request: Request) -> Result[RevisionsState]:
    """Read both; change nothing. Raises MigrationError (ForeignHistory) beside another table."""
    return perform(request, _read, is_locked=False)


def _read(run: Run) -> RevisionsState:
    history, source = run.database.history, run.source
    adapter = adapter_for(history.kind)
    if not isinstance(adapter, AtlasTable):
        raise MigrationError(Reason.FOREIGN_HISTORY, "the history is not Atlas's")
    rows: tuple[RevisionRow, ...] = ()
    if history.has_version_table:
        (found,) = run.database.session.query(
            history.guarded_reading(adapter.read_all_sql(history.version_table))
        )
        rows = tuple(
            RevisionRow(
                version=row[0] or "",
                description=row[1] or "",
                kind=int(row[2] or 0),
                applied=int(row[3] or 0),
                total=int(row[4] or 0),
                executed_at=row[5] or "",
                nanoseconds=int(row[6] or 0),
                error=row[7] or "",
                statement=row[8] or "",
                operator=row[9] or "",
            )
            for row in found
        )
    available = sorted((*source.checkpoints, *source.migrations), key=lambda each: each.version)
    return RevisionsState(rows, tuple(available), _pending(run))


def _pending(run: Run) -> tuple[Migration, ...]:
    found, ground = run.database.found, run.ground
    partial = found.partial
    first: tuple[Migration, ...] = ()
    if partial is not None:
        files = (*run.source.migrations, *run.source.checkpoints)
        first = tuple(each for each in files if each.version == partial.version)[:1]
    if first:
        whole = found.stepped(step_up(first[0], found.version, first[0].version).move)
        ground = PlanInputs(run.source, read_applied(whole, run.database.log), ground.stored)
    late = out_of_order_migrations(ground)
    if run.request.options.out_of_order is OutOfOrder.IGNORE:
        late = ()
    return (*first, *late, *pending(ground, ground.version))
