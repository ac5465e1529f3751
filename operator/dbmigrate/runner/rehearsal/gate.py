"""A rehearsal before a run: the steps are first run on a copy of the target's schema.

It runs on a scratch server that serves nothing else, of the target's major version,
while the run holds the migration lock: what is rehearsed is what will be run. A step
that fails there, or is not undone by its down script, stops the run before it has
changed anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import (
    PRIVILEGE_HINT,
    ConnectionBroken,
    ServerFailure,
)
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.pg_tools import find_program
from dbmigrate.postgres.scratch.roles import ServerRoles, read_server_roles
from dbmigrate.report import RETRYABLE, Reason
from dbmigrate.report.preparation import RehearsalSummary
from dbmigrate.runner.observer import SILENT, Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.rehearsal.impersonation import Impersonation
from dbmigrate.runner.rehearsal.round_trip import open_stage
from dbmigrate.runner.rehearsal.schema_copy import await_server, copy_schema
from dbmigrate.runner.request import Request
from dbmigrate.runner.run import Run
from dbmigrate.runner.scratch.database import ScratchSpace, open_session
from dbmigrate.sources.migration import Direction, Migration

PURPOSE = "rehearsal"
_WHO = (
    "SELECT pg_catalog.current_setting('server_version_num'),"
    " pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
)
"""No two servers were started in the same microsecond."""
_OURS = frozenset({Reason.REHEARSAL_FAILED, Reason.REHEARSAL_UNAVAILABLE, Reason.INTERRUPTED})
_NOT_DONE = RETRYABLE | {Reason.BACKUP_FAILED}
"""The rehearsal could not take place, or not to its end; pg_dump's failures are among them."""


def rehearse_before(
    run: Run, steps: Sequence[PlannedStep], server: ConnectionTarget
) -> RehearsalSummary:
    """Rehearse these steps: each up step there and back; a down step, with which `redo` begins,
    once.

    Raises MigrationError: RehearsalFailed, RehearsalUnavailable where there is no scratch server
    that would do, and Interrupted.
    """
    started = time.monotonic()
    observer = run.request.observer
    count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    observer.notice(Notice("INFO", f"rehearsing {count} on {server.display}"))
    around = read_server_roles(run.database.session)
    imitation = Impersonation(run.database, around)
    try:
        _require_pg_dump(run.database.server_version)
        server = await_server(server, run.request.stop)
        without_down = _play(run, steps, server, around, imitation)
    except MigrationError as error:
        raise _explain(error, imitation) from error
    except (ServerFailure, ConnectionBroken) as error:
        raise _unavailable(f"the scratch server failed: {error}") from error
    milliseconds = round(1000 * (time.monotonic() - started))
    text = f"rehearsed {count} in {milliseconds}ms: nothing is left after the ways down"
    observer.notice(Notice("INFO", text))
    return RehearsalSummary(len(steps), without_down, milliseconds)


def _play(
    run: Run,
    steps: Sequence[PlannedStep],
    server: ConnectionTarget,
    around: ServerRoles,
    imitation: Impersonation,
) -> int:
    """How many of the steps have no down script."""
    request = run.request
    with open_session(server, PURPOSE) as session:
        found, started = session.query(_WHO)[0][0]
    if (found, started) == run.database.session.query(_WHO)[0][0]:
        raise _failed(
            f"{server.display} is the server of the database itself",
            hint="what a script does to a whole server, such as CREATE ROLE, would be done to it:"
            " start a server for the rehearsal alone",
        )
    _require_same_major(run.database.server_version, int(found or 0))
    space = ScratchSpace(server, is_ours=True)
    with space.database(request.target, PURPOSE, around) as scratch:
        with open_session(scratch, PURPOSE) as reader:
            acting = _prepare(run, steps, scratch, reader, imitation)
            with open_stage(request, acting, reader, observer=SILENT) as stage:
                stage.play(steps)
    return sum(step.down_milliseconds is None for step in stage.steps)


def _prepare(
    run: Run,
    steps: Sequence[PlannedStep],
    scratch: ConnectionTarget,
    session: Session,
    imitation: Impersonation,
) -> ConnectionTarget:
    """Make the scratch database like the target; returns it as the role that runs the steps."""
    obstacle = imitation.find_obstacle(session)
    copy_schema(run.request, scratch, with_roles=True, with_history=obstacle is None)
    if obstacle is None:
        imitation.prepare(session, scratch.conninfo["dbname"])
    else:
        text = f"the rehearsal does not find out what {imitation.user} may not do: {obstacle}"
        run.request.observer.notice(Notice("WARNING", text))
    acting = scratch if obstacle is not None else imitation.act_on(scratch)
    version = steps[0].before
    # With its history's rows it is at the target's version, unless that is within a step.
    if version is not None and (obstacle is not None or run.database.found.dirty):
        history = _request_for_history(run, steps, acting)
        perform(history, lambda forced: set_version(forced, "force", version)).unwrap()
    return acting


def _request_for_history(
    run: Run, steps: Sequence[PlannedStep], scratch: ConnectionTarget
) -> Request:
    """To make a history like the target's: a version that was jumped over is not in it."""
    version, source = steps[0].before, run.source
    undone = {step.version for step in steps if step.direction is Direction.DOWN}
    pending = {step.version for step in steps} - undone
    done = [m for m in source.migrations if m.version not in pending]
    if version is not None and source.find(version) is None:
        done = [m for m in done if m.version < version]
        done.append(Migration(version, "", text=str(version)))
    history = replace(source, migrations=tuple(done))
    return replace(run.request, target=scratch, source=history, observer=SILENT)


def _require_pg_dump(server_version: int) -> None:
    try:
        program = find_program("pg_dump")
    except MigrationError as error:
        raise _failed(error.message, hint=error.hint) from error
    major = server_version // 10000
    remedy = program.remedy_for(major)
    if remedy is not None:
        raise _failed(
            f"{program.name} {program.major} can't read a database of PostgreSQL {major}",
            hint=remedy,
        )


def _require_same_major(target: int, scratch: int) -> None:
    if target // 10000 != scratch // 10000:
        raise _unavailable(
            f"the scratch server is PostgreSQL {scratch // 10000}, the database"
            f" {target // 10000}: a rehearsal needs the same major version"
        )


def _explain(error: MigrationError, imitation: Impersonation) -> MigrationError:
    if error.reason in _OURS:
        return error
    if error.reason is Reason.BACKUP_FAILED and "permission denied" in error.message:
        return _failed(
            error.message,
            hint="pg_dump has to look at every table: grant the role SELECT on them,"
            " or do without a rehearsal",
            like=error,
        )
    if error.reason in _NOT_DONE:
        return _unavailable(error.message, like=error)
    hint = error.hint
    if imitation.is_had and hint == PRIVILEGE_HINT:
        hint = f"the steps are rehearsed with the rights that {imitation.user} has in the database"
    return _failed(error.message, hint=hint, like=error)


def _failed(
    message: str, *, hint: str | None, like: MigrationError | None = None
) -> MigrationError:
    return MigrationError(
        Reason.REHEARSAL_FAILED,
        f"the rehearsal failed, nothing was changed: {message}",
        location=like.location if like else None,
        sqlstate=like.sqlstate if like else None,
        detail=like.detail if like else None,
        hint=hint,
    )


def _unavailable(message: str, *, like: MigrationError | None = None) -> MigrationError:
    return MigrationError(
        Reason.REHEARSAL_UNAVAILABLE,
        f"the rehearsal could not take place, nothing was changed: {message}",
        sqlstate=like.sqlstate if like else None,
        detail=like.detail if like else None,
        hint="a scratch server of the database's major version is needed, that serves nothing"
        " else; in a cluster its log tells more: container `rehearsal` of the Pod",
    )
