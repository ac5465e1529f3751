"""What happens to a plan: checks, lint, rehearsal, backup, and then its steps.

Each part is imported when it is needed: most runs find nothing to do, and start without them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dbmigrate.errors import MigrationError
from dbmigrate.policies import LintPolicy
from dbmigrate.report import Reason
from dbmigrate.runner.ownership import require_live
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Direction

_BATCHED = b"dbmigrate:batched"
KEPT = 8 << 20
"""Bytes of scripts that stay in memory from one reading to the next."""


def carry_out(run: Run, plan: Plan) -> None:
    """Run the steps of a plan. Raises MigrationError."""
    run.begin(plan)
    require_live(run, plan)
    wanted = run.request.options.plan_checksum
    if wanted is not None:
        from dbmigrate.runner.planning.plan_checksum import require_plan

        require_plan(wanted, plan.steps, run.database.applied_steps())
    if len(plan.steps) > 1 or run.request.options.backup is not None:
        plan = look_at_files(run, plan)
    if plan.steps:
        from dbmigrate.runner.steps import run_steps

        try_out(run, plan)
        back_up(run)
        run_steps(run, plan.steps)
    if plan.short:
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"limit {plan.short} short",
            hint=f"all migrations that were left have run: {len(plan.steps)}",
        )


def look_at_files(run: Run, plan: Plan) -> Plan:
    """Read all scripts of a plan before its backup and its first step, so that none is found to
    be missing, unreadable or a wrong step in batches after these. The plan with those that
    need not be read again.

    Raises MigrationError: SourceInvalid, and StatementFailed for a first step in batches whose
    key leaves rows out.
    """
    steps, room = [], KEPT
    for index, step in enumerate(plan.steps):
        script = step.script
        if script is not None and not step.is_stored:
            content = script.load()
            if _BATCHED in content:
                from dbmigrate.runner.batches.run import check_batched

                check_batched(run.database, step, is_first=index == 0)
            room -= len(content)
            if room >= 0 and script.load_template is None:
                script = replace(script, load=partial(bytes, content))
                step = replace(step, script=script)  # noqa: PLW2901
        steps.append(step)
    return replace(plan, steps=tuple(steps))


def try_out(run: Run, plan: Plan) -> None:
    """Lint the up steps and rehearse them, as requested; nothing is changed.

    Raises MigrationError: LintRejected, RehearsalFailed, RehearsalUnavailable.
    """
    options = run.request.options
    steps = [step for step in plan.steps if step.direction is Direction.UP]
    if steps and options.lint is not LintPolicy.OFF:
        from dbmigrate.runner.preparation.lint_gate import lint_steps

        lint_steps(run, steps)
    if steps and options.rehearsal_server is not None:
        from dbmigrate.runner.rehearsal.gate import rehearse_before

        run.rehearsal = rehearse_before(run, plan.steps, options.rehearsal_server)


def back_up(run: Run) -> None:
    """Make the requested backup; it has to exist before anything changes.

    Raises MigrationError (BackupFailed).
    """
    order = run.request.options.backup
    if order is None or run.backup is not None:
        return
    from dbmigrate.runner.preparation.backup_file import back_up_before

    run.backup = back_up_before(run.request, order, run.database, run.started_at)
