"""`diff`: from the migrations that are there and the schema that is wanted to new migrations.

Both are made in scratch databases; the target is not asked. What leads from one to
the other is planned by dbmigrate.diff, and proven before anything is written: the new
files, as they will lie in the directory, are run one after the other, up and down
again, and each time the catalog has to be what it should be. The catalog is read by
postgres/catalog.py, which knows nothing of how the plan was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.renames import Rename, RenameCandidate, find_renames
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.catalog import Catalog, read_catalog
from dbmigrate.postgres.failures import ConnectionBroken, ServerFailure
from dbmigrate.postgres.target import ConnectionTarget, HistoryKind, HistoryTable
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.desired import Desired
from dbmigrate.runner.drafting import group_changes, name_groups
from dbmigrate.runner.make_schema import ROLE, make_desired, migrate, request_on
from dbmigrate.runner.proof import Proof, Step, require_same
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import make_report
from dbmigrate.runner.scratch import ScratchSpace, open_session, scratch_space
from dbmigrate.sources.drafts import next_versions
from dbmigrate.sources.migration import Source
from dbmigrate.sources.new_files import write_files

SHOWN = 10
"""Objects that an error names."""

Choose = Callable[[Sequence[RenameCandidate]], Sequence[Rename]]
"""Which of the candidates are renames. May raise MigrationError if nobody can say."""


@dataclass(frozen=True, slots=True)
class DiffOrder:
    """What is wanted, and how."""

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
    """What came of it."""

    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    """The new migrations; none if it was only to be found out whether there is a difference."""
    paths: tuple[Path, ...] = ()
    """What was written."""


def diff(request: Request, order: DiffOrder) -> Result[Diff]:
    """Make the migrations. Errors: what is not handled, what can't be made, a plan that
    does not hold what it promises."""
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
    # In a schema of its own the history would bring that schema with it.
    history = replace(request.target.history, schema=None)
    like = replace(request.target, history=history)
    with ExitStack() as stack:
        space = stack.enter_context(scratch_space(order.server))
        scratch = stack.enter_context(space.database(like, "diff"))
        wanted, goal = _read_desired(stack, space, like, request, order)
        here = request_on(scratch, request, source)
        if source.migrations:
            migrate(here, space, what="the migrations can't be run")
        reader = stack.enter_context(open_session(scratch, ROLE))

        def read(renames: Sequence[Rename] = ()) -> Schema:
            return read_schema(reader, without=history, renames=renames)

        before = _require_handled(read(), "the migrations make")
        before, renames = _rename(before, wanted, order, read)
        changes = plan_changes(before, wanted, online=order.online)
        if order.is_check or not changes:
            if not changes:
                require_same(goal, read_catalog(reader, without=history), "the desired schema")
            return Diff(changes)
        groups = group_changes(changes)
        versions = next_versions(
            Path(source.location), len(groups), wanted=source.format, seq=order.seq, now=order.now
        )
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="dbmigrate-diff-")))
        proof = Proof(here, source, directory, reader, renames)
        proof.go_up(groups, versions, name_groups(order.name, groups))
        proof.require(wanted, goal)
        proof.go_down()
        files = {
            Path(source.location).absolute() / name: text
            for step in proof.steps
            for name, text in step.files.items()
        }
        paths = () if order.is_dry_run else tuple(write_files(files))
        return Diff(changes, tuple(proof.steps), paths)


def _read_desired(
    stack: ExitStack,
    space: ScratchSpace,
    like: ConnectionTarget,
    request: Request,
    order: DiffOrder,
) -> tuple[Schema, Catalog]:
    """Make what is desired in a database of its own, and read it."""
    history = _history_of(order.desired, like.history)
    scratch = stack.enter_context(space.database(replace(like, history=history), "desired"))
    make_desired(scratch, order.desired, request, space)
    with open_session(scratch, ROLE) as reader:
        schema = _require_handled(read_schema(reader, without=history), "the desired schema has")
        return schema, read_catalog(reader, without=history)


def _history_of(desired: Sequence[Desired], default: HistoryTable) -> HistoryTable:
    """Migrations of another format bring another history table, which is no part of a schema."""
    kinds = [HistoryKind(each.format) for each in desired if isinstance(each, Source)]
    return default.of(kinds[0]) if kinds and kinds[0] is not default.kind else default


def _require_handled(schema: Schema, who: str) -> Schema:
    if not schema.unhandled:
        return schema
    shown = ", ".join(map(str, schema.unhandled[:SHOWN]))
    more = f", and {len(schema.unhandled) - SHOWN} more" if len(schema.unhandled) > SHOWN else ""
    raise MigrationError(
        Reason.SOURCE_INVALID,
        f"{who} what diff does not handle: {shown}{more}",
        hint="write the migrations of these by hand, and keep them in a directory of their own",
    )


def _rename(
    before: Schema,
    wanted: Schema,
    order: DiffOrder,
    read: Callable[[Sequence[Rename]], Schema],
) -> tuple[Schema, tuple[Rename, ...]]:
    """The schema as if renamed, and the renames that people have said yes to.

    A table that is known to be renamed may show columns that are: they are asked for again.
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
