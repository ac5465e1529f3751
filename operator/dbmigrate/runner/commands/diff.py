"""`diff`: new migrations from the existing migrations and a desired schema.

Both schemas are made in scratch databases (runner/diffing/sides.py); the target is not used.
dbmigrate.diff plans the statements that lead from one to the other. They are verified before
anything is written (runner/diffing/verification.py): the new files, as they will be in the
directory, are run up and down again, and each time the catalog has to be the expected one.
The catalog is read by postgres/schema/catalog.py, which does not know how the plan was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.diff.change import Change
from dbmigrate.diff.names import unquoted
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.renames import Rename, RenameCandidate, find_renames
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.tables import Column
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.schema.catalog import read_catalog
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.diffing.desired import Desired
from dbmigrate.runner.diffing.drafting import group_changes, name_groups
from dbmigrate.runner.diffing.sides import make_sides
from dbmigrate.runner.diffing.verification import NewMigration, Proof, require_same
from dbmigrate.runner.perform import make_report
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.drafts import next_versions
from dbmigrate.sources.listing import list_directory
from dbmigrate.sources.migration import Source
from dbmigrate.sources.new_files import write_files
from dbmigrate.sources.sums import has_sum, renew_sum
from dbmigrate.temporary import temporary_directory

Choose = Callable[[Sequence[RenameCandidate]], Sequence[Rename]]
"""Which of the candidates are renames. May raise MigrationError if that is unknown."""


@dataclass(frozen=True, slots=True)
class DiffOrder:
    """What is expected, and how."""

    name: str
    """Of the first new migration."""
    desired: tuple[Desired, ...]
    choose: Choose
    renames: tuple[Rename, ...] = ()
    """Those that are known beforehand."""
    server: ConnectionTarget | None = None
    """A server on which databases may be created; None: one of our own."""
    seq: bool | None = None
    """Sequential versions, or by time; None: as the others are."""
    online: bool = True
    """Forms that let the application work on."""
    is_check: bool = False
    """Only find out whether there is a difference."""
    is_dry_run: bool = False
    """Do all but write the files."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Diff:
    """The result."""

    changes: tuple[Change, ...] = ()
    steps: tuple[NewMigration, ...] = ()
    """The new migrations; none if it was only to be found out whether there is a difference."""
    paths: tuple[Path, ...] = ()
    """What was written."""
    warnings: tuple[str, ...] = ()
    """What fails where tables have rows, and what was not tried with rows."""
    types: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Of the columns that the first of the changes find, by table and column."""


def diff(request: Request, order: DiffOrder) -> Result[Diff]:
    """Make the migrations. Errors: objects that are not handled, a schema that cannot be made,
    a plan that fails its verification."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    found, error = None, None
    try:
        found = _diff(request, order)
    except MigrationError as raised:
        error = raised
    except (ServerFailure, ConnectionBroken) as raised:
        error = MigrationError(Reason.INTERNAL, f"a scratch database failed: {raised}")
        error.__cause__ = raised
    outcome = Outcome.FAILED if error is not None else Outcome.UP_TO_DATE
    seconds = time.monotonic() - started
    report = make_report(request, outcome, started_at=started_at, seconds=seconds, error=error)
    return Result(report, value=found, error=error)


def _diff(request: Request, order: DiffOrder) -> Diff:
    source = request.source
    if source is None:
        raise MigrationError(Reason.SOURCE_INVALID, "this command needs the migration files")
    with ExitStack() as stack:
        here, wanted = make_sides(stack, request, source, order.desired, order.server)
        before, renames = _rename(here.schema, wanted.schema, order, here.read)
        changes = plan_changes(before, wanted.schema, online=order.online)
        if not changes:
            found = read_catalog(here.reader, without=here.request.target.history)
            require_same(wanted.catalog, found, "the desired schema")
        if order.is_check or not changes:
            return Diff(changes)
        groups = group_changes(changes)
        versions = next_versions(
            Path(source.location), len(groups), wanted=source.format, seq=order.seq, now=order.now
        )
        directory = stack.enter_context(temporary_directory("dbmigrate-diff-"))
        proof = Proof(here, source, directory, wanted.schema, renames)
        proof.go_up(groups, versions, name_groups(order.name, groups))
        proof.require(wanted.catalog)
        proof.go_down()
        warnings = proof.try_with_rows()
        files = {
            Path(source.location).absolute() / name: text
            for step in proof.steps
            for name, text in step.files.items()
        }
        paths = () if order.is_dry_run else (*write_files(files), *_renew_sum(source))
        return Diff(changes, tuple(proof.steps), paths, warnings, _types(before))


def _types(before: Schema) -> Mapping[tuple[str, str], str]:
    return {
        (each.relation, unquoted(each.column)): each.type
        for each in before.objects.values()
        if isinstance(each, Column)
    }


def _renew_sum(source: Source) -> tuple[Path, ...]:
    """atlas.sum, where the files need one."""
    if not has_sum(list_directory(source.location), source.format):
        return ()
    return (renew_sum(source.location, source.format),)


def _rename(
    before: Schema,
    wanted: Schema,
    order: DiffOrder,
    read: Callable[[Sequence[Rename]], Schema],
) -> tuple[Schema, tuple[Rename, ...]]:
    """The schema as if renamed, and the renames that were confirmed.

    A table that is known to be renamed may show renamed columns: those are asked for again.
    """
    renames = order.renames
    if renames:
        before = read(renames)
    declined: set[Rename] = set()
    while True:
        candidates = [each for each in find_renames(before, wanted) if each.rename not in declined]
        if not candidates:
            return before, renames
        chosen = tuple(order.choose(candidates))
        declined |= {each.rename for each in candidates} - set(chosen)
        if chosen:
            renames = (*renames, *chosen)
            before = read(renames)
