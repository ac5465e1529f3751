"""`rehearse`: each pending step up, down and up again, in a scratch database.

The scratch database is created for it and dropped afterwards, on a named server or on a
temporary one. It starts empty, or as a copy of the target's schema (never its data) at the
target's version. The target itself is only read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.scratch.roles import ServerRoles, read_server_roles
from dbmigrate.report import Outcome, Reason, Step
from dbmigrate.runner.answers import Rehearsal, RehearsedStep
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.perform import make_report
from dbmigrate.runner.planning.step import steps_up
from dbmigrate.runner.rehearsal.round_trip import open_stage
from dbmigrate.runner.rehearsal.schema_copy import copy_schema
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.scratch.database import open_session, scratch_space
from dbmigrate.sources.migration import Direction, Migration
from dbmigrate.versions import Version

PURPOSE = "rehearsal"


@dataclass(frozen=True, slots=True)
class RehearsalOrder:
    """Where to rehearse, and from which version on."""

    server: ConnectionTarget | None = None
    """A server on which databases may be created; None: one of our own."""
    copies_target: bool = False
    """Start with the target's schema at its version; otherwise with nothing."""


def rehearse(request: Request, order: RehearsalOrder) -> Result[Rehearsal]:
    """Rehearse all steps that are pending. Errors: those of the steps, and
    IrreversibleMigration for a down script that does not undo its up script."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    steps: list[RehearsedStep] = []
    error = None
    try:
        with scratch_space(order.server) as space:
            # Roles belong to a whole server: only a temporary one gets the target's.
            copies_roles = space.is_ours and order.copies_target
            around = _read_surroundings(request) if copies_roles else None
            with space.database(request.target, PURPOSE, around) as scratch:
                here = None
                if order.copies_target:
                    here = _copy_target(request, scratch, with_roles=copies_roles)
                with (
                    open_session(scratch, PURPOSE) as reader,
                    open_stage(request, scratch, reader) as stage,
                ):
                    steps = stage.steps
                    stage.play(steps_up(_find_pending(request, here), here))
    except MigrationError as raised:
        error = raised
    except (ServerFailure, ConnectionBroken) as raised:
        error = MigrationError(Reason.CONNECTION_LOST, f"the scratch database failed: {raised}")
    outcome = Outcome.FAILED if error is not None else Outcome.UP_TO_DATE
    report = make_report(
        request, outcome, started_at=started_at, seconds=time.monotonic() - started, error=error
    )
    done = tuple(Step(str(s.version), s.name, Direction.UP, s.up_milliseconds) for s in steps)
    report = replace(report, steps=done, steps_total=len(done))
    return Result(report, value=Rehearsal(tuple(steps)), error=error)


def _find_pending(request: Request, here: Version | None) -> tuple[Migration, ...]:
    source = request.source
    if source is None or not (source.migrations or source.repeatables):
        raise MigrationError(
            Reason.SOURCE_INVALID, "there is nothing to rehearse: no migration files were found"
        )
    return (*source.above(here), *source.repeatables)


def _read_surroundings(request: Request) -> ServerRoles:
    with open_session(request.target, PURPOSE) as session:
        return read_server_roles(session)


def _copy_target(
    request: Request, scratch: ConnectionTarget, *, with_roles: bool
) -> Version | None:
    """The target's schema in the scratch database, and its version."""
    state = version(request).unwrap()
    if state is None:
        return None
    if state.dirty:
        raise MigrationError(
            Reason.DIRTY,
            f"the database is dirty at version {state.version}: its schema is unknown",
            hint="`dbmigrate repair` first",
        )
    copy_schema(request, scratch, with_roles=with_roles)
    if state.version is not None:
        has_baselines = adapter_for(request.target.history.kind).has_baselines
        declare = baseline if has_baselines else force
        declare(replace(request, target=scratch), state.version).unwrap()
    return state.version
