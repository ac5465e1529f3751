"""`drift`: the live schema against the one that the applied migrations make.

The applied migrations are run in a scratch database, with the search path of the target's session
and the settings that decide what their statements mean. The target is only read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from dbmigrate.diff.drift import DriftDifference, IgnoreRules, find_drift
from dbmigrate.diff.names import unquoted
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Reason
from dbmigrate.report.bounds import DIFFERENCES_LIMIT
from dbmigrate.report.drift import ReportedDifference, ReportedDrift
from dbmigrate.runner.diffing.build import migrate, request_on
from dbmigrate.runner.diffing.live_schema import LiveSchema, read_live_schema
from dbmigrate.runner.diffing.other_histories import find_history_tables
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.squashed import is_replaced
from dbmigrate.runner.rehearsal.schema_copy import await_server
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.runner.scratch.database import ScratchSpace, open_session, scratch_space
from dbmigrate.sources.migration import Source

PURPOSE = "drift"
_NO_SCHEMA = "no schema"
"""In what is said of a search path that leads nowhere, by the runner and by the server."""


@dataclass(frozen=True, slots=True)
class DriftOrder:
    """Where the applied migrations are run, and what is not compared."""

    server: ConnectionTarget | None = None
    """A server on which databases may be created; None: the request's scratch server, which
    serves nothing else, or one of our own."""
    rules: IgnoreRules = field(default_factory=IgnoreRules)


@dataclass(frozen=True, slots=True)
class Drift:
    """The result."""

    version: str | None
    differences: tuple[DriftDifference, ...]


def drift(request: Request, order: DriftOrder) -> Result[Drift]:
    """Compare them. Errors: an unknown or dirty history, applied versions without a file,
    migrations that no longer run, a scratch server of another major version, a migration that
    takes place meanwhile."""

    def work(run: Run) -> Drift:
        source = _applied_files(run)
        with open_session(request.target, PURPOSE) as session:
            live = read_live_schema(session, request)
        _require_unmoved(run)
        with _scratch_space(request, order) as space:
            made = _make(request, source, live, space)
        found = _without_history(live.schema, made, request)
        rules = replace(order.rules, histories=find_history_tables(found, made))
        for pattern in rules.find_idle(found, made):
            text = f"-ignore {pattern} names nothing: names have their schema, as public.{pattern}"
            request.observer.notice(Notice("WARNING", text))
        differences = find_drift(found, made, rules)
        version = run.database.applied.version
        run.drift = summarize(differences)
        return Drift(None if version is None else str(version), differences)

    return perform(request, work, is_locked=False)


def summarize(differences: Sequence[DriftDifference]) -> ReportedDrift:
    """What a report says of them."""
    digest = hashlib.sha256()
    for each in differences:
        digest.update("\0".join((each.change, str(each.object), *each.details, "\n")).encode())
    shown = tuple(
        ReportedDifference(
            each.change,
            each.object.kind,
            each.object.name,
            details="; ".join(each.details) or None,
            undo="; ".join(each.undo) or None,
        )
        for each in differences[:DIFFERENCES_LIMIT]
    )
    return ReportedDrift(len(differences), digest.hexdigest(), shown)


@contextmanager
def _scratch_space(request: Request, order: DriftOrder) -> Iterator[ScratchSpace]:
    beside = request.options.rehearsal_server
    if order.server is None and beside is not None:
        yield ScratchSpace(await_server(beside, request.stop), is_ours=True)
        return
    with scratch_space(order.server) as space:
        yield space


def _require_unmoved(run: Run) -> None:
    """Raise MigrationError if the database was migrated while its schema was read."""
    before = (run.state, run.database.applied.repeated)
    run.database.read()
    if (run.state, run.database.applied.repeated) != before:
        raise MigrationError(
            Reason.INTERRUPTED,
            "the database was migrated while its schema was read",
            hint="run it again when the migration has ended",
        )


def _applied_files(run: Run) -> Source:
    """The files of the applied migrations alone. Raises MigrationError."""
    state = run.state
    if state is None or run.database.applied.version is None:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            "the database has no history: the migrations of its schema are unknown",
            hint="`dbmigrate up` or `dbmigrate baseline` first",
        )
    if state.dirty:
        raise MigrationError(
            Reason.DIRTY,
            f"the database is dirty at version {state.version}: its schema is unknown",
            hint="`dbmigrate repair` first",
        )
    applied, source = run.database.applied, run.source
    missing = [
        version
        for version in applied.recorded
        if applied.needs_file(version)
        and source.find(version) is None
        and not is_replaced(source, version, applied.version)
    ]
    if missing:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"the applied version {missing[0]} has no file: its schema is unknown",
            hint="use the files that were applied",
        )
    base = applied.base
    migrations = tuple(
        each
        for each in source.migrations
        if applied.covers(each.version) or (base is not None and each.version <= base)
    )
    repeated = tuple(each for each in source.repeatables if each.version in applied.repeated)
    return replace(source, migrations=migrations, repeatables=repeated)


def _make(request: Request, source: Source, live: LiveSchema, space: ScratchSpace) -> Schema:
    """What the migrations make. Schemas of the search path that they do not make are there first.

    Whether they make them is known at the end: then they are run again.
    """
    options = live.options(request.target.conninfo.get("options", ""))
    like = replace(
        request.target,
        conninfo={**request.target.conninfo, "options": options},
        history=replace(request.target.history, schema=None),
    )
    try:
        made = _make_in(request, source, live, space, like, ())
    except MigrationError as error:
        missing = tuple(name for name in live.schemas if name != "public")
        if _NO_SCHEMA not in error.message or not missing:
            raise
    else:
        there = {unquoted(name.name) for name in made.objects if name.kind == "schema"}
        missing = tuple(name for name in live.schemas if name not in there)
        if not missing:
            return made
    return _make_in(request, source, live, space, like, missing)


def _make_in(
    request: Request,
    source: Source,
    live: LiveSchema,
    space: ScratchSpace,
    like: ConnectionTarget,
    schemas: tuple[str, ...],
) -> Schema:
    around = live.around if space.is_ours else None
    with space.database(like, PURPOSE, around, name=live.database) as scratch:
        with open_session(scratch, PURPOSE) as session:
            _require_same_major(session, live)
            for name in schemas:
                session.command(f"CREATE SCHEMA IF NOT EXISTS {identifier(name)}")
        there = request_on(scratch, request, source)
        if source.migrations or source.repeatables:
            migrate(there, space, what="the applied migrations can't be run again")
        with open_session(scratch, PURPOSE) as session:
            return read_schema(session, without=there.target.history)


def _require_same_major(session: Session, live: LiveSchema) -> None:
    here, there = session.server_version // 10000, live.schema.ways.version // 10000
    if here != there:
        raise MigrationError(
            Reason.REHEARSAL_UNAVAILABLE,
            f"the scratch server is PostgreSQL {here}, and the database's is {there}: they"
            " print the same schema differently",
            hint="name a server of the same major version with -dev-url",
        )


def _without_history(live: Schema, made: Schema, request: Request) -> Schema:
    """Without a schema that exists only for the history."""
    for name in live.objects:
        is_its = name.kind == "schema" and unquoted(name.name) == request.target.history.schema
        if is_its and name not in made.objects and not live.dependents.get(name):
            return live.without(name)
    return live
