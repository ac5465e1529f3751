"""Atlas's `migrate status` and `migrate set`, on the rows of its table."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.formats.atlas import AtlasTable
from dbmigrate.postgres.history.formats.atlas_revisions import RESOLVED
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.report import Reason
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.planning.plan import PlanInputs
from dbmigrate.runner.planning.step import step_up
from dbmigrate.runner.planning.up import out_of_order_migrations, pending
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import Version


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
    out_of_order: tuple[Migration, ...] = ()
    """Files below the version that have no row."""


@dataclass(frozen=True, slots=True)
class RevisionsChange:
    """What `set` did: versions with their descriptions."""

    added: tuple[tuple[str, str], ...]
    """Rows that are new, or that a person now declares done."""
    removed: tuple[tuple[str, str], ...]
    current: str | None
    """The version of the last row; None: there is none."""


def read_revisions(request: Request) -> Result[RevisionsState]:
    """Read both; change nothing. Raises MigrationError (ForeignHistory) beside another table."""
    return perform(request, _read, is_locked=False)


def _read(run: Run) -> RevisionsState:
    rows = _rows(run)
    late, coming = _pending(run)
    return RevisionsState(rows, _files(run.source) if rows else coming, coming, late)


def set_revision(request: Request, version: Version | None) -> Result[RevisionsChange]:
    """Say which version the database has; None is that of the last file, or nothing where
    there are no files. Runs nothing."""

    def work(run: Run) -> RevisionsChange:
        before, files = _rows(run), _files(run.source)
        wanted = version
        if wanted is None and not before:
            text = "accepts 1 arg(s), received 0"
            hint = "nothing is applied: name the version, as in `atlas migrate set 20240101120000`"
            raise MigrationError(Reason.MISSING_VERSION, text, hint=hint)
        if wanted is None and files:
            wanted = files[-1].version
        if wanted is not None and all(each.version != wanted for each in files):
            known = f"the last file is of version {files[-1].version}" if files else "no file"
            raise MigrationError(
                Reason.MISSING_VERSION,
                f'migration with version "{wanted}" not found',
                hint=f"name the version of a file in {run.source.location}: {known}",
            )
        set_version(run, "force", wanted)
        return _change(before, _rows(run))

    return perform(request, work)


def _change(before: tuple[RevisionRow, ...], after: tuple[RevisionRow, ...]) -> RevisionsChange:
    kinds = {row.version: row.kind for row in before}
    kept = {row.version for row in after}
    return RevisionsChange(
        tuple((r.version, r.description) for r in after if kinds.get(r.version) != r.kind),
        tuple((r.version, r.description) for r in before if r.version not in kept),
        after[-1].version if after else None,
    )


def _rows(run: Run) -> tuple[RevisionRow, ...]:
    history = run.database.history
    adapter = adapter_for(history.kind)
    if not isinstance(adapter, AtlasTable):
        raise MigrationError(Reason.FOREIGN_HISTORY, "the history is not Atlas's")
    if not history.has_version_table:
        return ()
    (found,) = run.database.on_history(
        history.guarded_reading(adapter.read_all_sql(history.version_table))
    )
    return tuple(
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


def _files(source: Source) -> tuple[Migration, ...]:
    files = (*source.checkpoints, *source.migrations)
    return tuple(sorted(files, key=lambda each: each.version))


def _pending(run: Run) -> tuple[tuple[Migration, ...], tuple[Migration, ...]]:
    """The files that came too late, and those to come."""
    found, inputs = run.database.found, run.inputs
    partial = found.partial
    first: tuple[Migration, ...] = ()
    if partial is not None:
        files = (*run.source.migrations, *run.source.checkpoints)
        first = tuple(each for each in files if each.version == partial.version)[:1]
    if first:
        whole = found.stepped(step_up(first[0], found.version, first[0].version).move)
        inputs = PlanInputs(run.source, read_applied(whole, run.database.log), inputs.stored)
    late = out_of_order_migrations(inputs)
    if run.request.options.out_of_order is OutOfOrder.IGNORE:
        late = ()
    return late, (*first, *pending(inputs, inputs.version))
