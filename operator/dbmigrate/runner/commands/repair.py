"""`repair`: finish a step that failed halfway because it cannot be one transaction.

Drops the invalid indexes that the step has left, skips the statements that the log
records as done, and continues with the file as it is now: the statement that failed
may have been corrected, those that are done may not have changed. What the log does not
know (a failure of golang-migrate's own, for example) is for a person to decide, unless the
tool that owns the table has a repair of its own, as Flyway has. Atlas's table records what
is done, so a step that Atlas began can be finished here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.schema.invalid_indexes import drop_sql
from dbmigrate.report import Reason, Step
from dbmigrate.runner.answers import Repair
from dbmigrate.runner.batches.resume import UnfinishedBatches
from dbmigrate.runner.execution.evidence import find_leftovers, is_certain, is_done
from dbmigrate.runner.execution.non_transactional import (
    INTERRUPTED,
    checksum_until,
    run_statements,
)
from dbmigrate.runner.execution.own_statement import run_own
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.history_writing import new_row, prepare_to_write
from dbmigrate.runner.ownership import require_live
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import back_up, carry_out
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.planning.squashed import old_migration, ran_as_squash, where_replaced
from dbmigrate.runner.planning.step import PlannedStep, moves_up, step_up
from dbmigrate.runner.preparation.forced_version import write_history
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Direction, Migration, Script
from dbmigrate.versions import Role, Version

if TYPE_CHECKING:
    from dbmigrate.postgres.history.adapter import Partial


def repair(request: Request) -> Result[Repair]:
    """Finish what is dirty. A clean database is left as it is."""
    return perform(request, _repair)


def _repair(run: Run) -> Repair:
    return finish(run) if run.database.found.dirty else _mend_history(run)


def finish(run: Run) -> Repair:
    """Finish the step that was not. Raises MigrationError (Dirty and others)."""
    if run.unfinished is not None:
        return _finish_batches(run, run.unfinished)
    require_live(run)
    left = find_remainder(run)
    if left is None:
        return _mend_history(run)
    step, text, done, migration = left.step, left.text, left.done, left.migration
    run.target = step.after
    back_up(run)
    dropped = _drop_invalid(run, text, done)
    start = time.monotonic()
    new = new_row(
        run.database, step.direction.value, version=step.version, name=step.name, found=step.before
    )
    new = replace(new, to_version=step.after, checksum=text.checksum)
    down = migration.down if migration else None
    if down and not down.is_template and step.direction is Direction.UP:
        new = replace(new, down_file=down.file, down_script=down.load().decode())
    run.request.observer.step_started(step)
    prepare_to_write(run.database)
    run_statements(run.database, step, text, new, first=done)
    seconds = time.monotonic() - start
    run.steps.append(Step(str(step.version), step.name, step.direction, round(1000 * seconds)))
    run.request.observer.step_finished(step, 0.0, seconds)
    message = (
        f"version {step.version} {step.direction.value}: {done} of {len(text.statements())}"
        " statements were done before, and the others are now"
    )
    return Repair(run.state, dropped, (message,))


def finish_interrupted(run: Run, is_wanted: Callable[[LogRow], bool]) -> bool:
    """Finish the step in which a run was asked to stop, or was killed, if that can be done without
    a person and `is_wanted` accepts its log row.

    Returns whether there was one. Raises MigrationError.
    """
    for row in reversed(run.database.log):
        if row.outcome == "applied":
            return False
        if row.statements is not None:
            break
    else:
        return False
    is_left = row.version is not None and run.database.found.was_left_by(row)
    if not is_left or not is_wanted(row):
        return False
    if row.outcome != INTERRUPTED and not (row.outcome == "running" and _is_certain(run, row)):
        return False
    finish(run)
    run.database.read()
    return True


def _is_certain(run: Run, row: LogRow) -> bool:
    """Whether it is known how far the killed run came in that step."""
    if row.version is None:
        return False
    try:
        step = _step(run, row, row.version)
    except MigrationError:
        return False  # its file is not there
    return is_certain(run.database, row, ScriptText(step.script))


@dataclass(frozen=True, slots=True)
class Remainder:
    """What remains of a step that failed between two of its statements."""

    step: PlannedStep
    text: ScriptText
    done: int
    """Statements that need not run again."""
    migration: Migration | None


def find_remainder(run: Run) -> Remainder | None:
    """The step that left the database dirty; None: the tool's own repair is about its table.

    Changes nothing. Raises MigrationError: Dirty, MissingVersion, ChecksumMismatch.
    """
    partial = run.database.found.partial
    if partial is not None:
        migration = _migration(run, run.database.found.version, partial.version)
        step = _step_of_table(run, partial, migration)
        text = ScriptText(step.script)
        return Remainder(step, text, _count_by_table(run, partial, step, text), migration)
    found = _unfinished(run)
    if found is None:
        return None
    row, version = found
    step = _step(run, row, version)
    text = ScriptText(step.script)
    done = _count_done(run, row, text)
    return Remainder(step, text, done, _migration(run, row.from_version, step.version))


def _mend_history(run: Run) -> Repair:
    """What the tool's own repair would do; the log has no step to finish."""
    database, source = run.database, run.request.source
    moves = None
    if source is not None:
        moves = moves_up((*source.checkpoints, *source.migrations, *source.repeatables))
    wanted, messages = database.found.repaired(moves)
    if not messages:
        return Repair(run.state)
    run.target = wanted.version
    write_history(run, "repair", wanted)
    return Repair(run.state, (), messages)


def _finish_batches(run: Run, unfinished: UnfinishedBatches) -> Repair:
    """Nothing is dirty: continue, as the next `up` or `down` would, with this one step."""
    step = _step(run, unfinished.row, unfinished.version)
    carry_out(run, Plan((step,), step.after))
    message = f"version {step.version} {step.direction.value} is finished"
    return Repair(run.state, (), (message,))


def _unfinished(run: Run) -> tuple[LogRow, Version] | None:
    """The log row of the step that left the database dirty, and that step's version.

    None: the log does not know it, but the tool has a repair for its table.
    """
    found = run.database.found
    for row in reversed(run.database.log):
        if row.outcome == "applied":
            break
        if row.statements is None:
            continue
        if row.version is not None and found.was_left_by(row):
            return row, row.version
        break
    if found.repaired(None)[1]:
        return None
    raise MigrationError(
        Reason.DIRTY,
        f"Dirty database version {found.stored}. Fix and force version.",
        detail="the log does not know what made it dirty: it was not dbmigrate",
        hint=f"look at what version {found.stored} has left, fix it, then"
        f" `dbmigrate force {found.stored}` (or the version below)",
    )


def _step(run: Run, row: LogRow, version: Version) -> PlannedStep:
    direction = Direction(row.direction)
    migration = _migration(run, row.from_version, version)
    script = _script(run, direction, version, migration)
    if script is None:
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"version {version} ({row.name}) was not finished, and its"
            f" {direction.value} file is not there",
            hint=_way_on(run, version),
        )
    text = migration.text if migration else str(version)
    before, after = row.from_version, row.to_version
    return PlannedStep(
        version,
        row.name,
        direction,
        script,
        before,
        after,
        text=text,
        role=migration.role if migration else Role.VERSIONED,
        description=migration.description if migration else "",
    )


def _way_on(run: Run, version: Version) -> str:
    file = where_replaced(run.source, version) or "put the file back"
    return (
        f"{file}; or look at what version {version} has left, fix it, then `dbmigrate force"
        f" {version}` (or the version below)"
    )


def _step_of_table(run: Run, partial: Partial, migration: Migration | None) -> PlannedStep:
    if migration is None or migration.up is None:
        name = partial.description
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"version {partial.version} ({name}) was not finished, and its file is not there",
            hint=_way_on(run, partial.version),
        )
    before = run.database.found.version
    after = partial.version if before is None else max(before, partial.version)
    return step_up(migration, before, after)


def _count_by_table(run: Run, partial: Partial, step: PlannedStep, text: ScriptText) -> int:
    """How many statements need not run again, by the checksums that the tool has recorded."""
    sums = step.move.statement_sums
    planned = tuple(sums()) if sums else ()
    for index, kept in enumerate(partial.sums[: partial.done]):
        if planned[index : index + 1] != (kept,):
            raise MigrationError(
                Reason.CHECKSUM_MISMATCH,
                f"history changed: statement {index + 1} from file {text.file} changed:"
                f" it is one of the {partial.done} that are done",
                location=text.locate(),
                hint="restore them, and change only statements that are not done yet",
            )
    if partial.has_failed:
        return partial.done
    row = run.database.log[-1] if run.database.log else None
    is_ours = row is not None and row.version == partial.version
    return _count_uncounted(run, row if is_ours else None, text, partial.done)


def _migration(run: Run, before: Version | None, version: Version) -> Migration | None:
    """The files of the step. Where nothing was applied, it is a checkpoint."""
    source = run.request.source
    if source is None:
        return None
    others = [*(source.checkpoints if before is None else ()), *source.repeatables]
    fitting = [migration for migration in others if migration.version == version]
    if fitting:
        return fitting[0]
    found = source.find(version)
    if found is None or found.replaces is None or before is None:
        return found
    # A squashed file begins with nothing: what has begun with something is another one.
    is_squashed = ran_as_squash(run.database.applied.row(version))
    return found if is_squashed else old_migration(source, version)


def _script(
    run: Run, direction: Direction, version: Version, migration: Migration | None
) -> Script | None:
    script = migration.script(direction) if migration else None
    if script is not None or direction is Direction.UP:
        return script
    applied = run.database.applied.row(version)
    return run.database.stored_script(applied) if applied and applied.has_down else None


def _count_done(run: Run, row: LogRow, text: ScriptText) -> int:
    """How many statements need not run again."""
    done = row.statements_done or 0
    sql, statements = text.read(), text.statements()
    if done > len(statements) or checksum_until(sql, statements, done) != row.done_checksum:
        raise MigrationError(
            Reason.CHECKSUM_MISMATCH,
            f"the first {done} statements of {text.file} are done, and were edited since",
            location=text.locate(),
            hint="restore them, and change only statements that are not done yet",
        )
    return _count_uncounted(run, row, text, done) if row.outcome == "running" else done


def _count_uncounted(run: Run, row: LogRow | None, text: ScriptText, done: int) -> int:
    """Count the statement that was running as well, if the database shows that it is done."""
    return done + 1 if is_done(run.database, row, text, done) else done


def _drop_invalid(run: Run, text: ScriptText, done: int) -> tuple[str, ...]:
    found = find_leftovers(run.database.session, text, done)
    for index in found:
        run_own(run.database, drop_sql(index), f"can't drop the invalid index {index}")
    return found
