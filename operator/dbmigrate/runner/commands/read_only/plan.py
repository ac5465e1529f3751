"""`plan`: the steps that a run would take, with their SQL.

Changes nothing: no lock, no table, no row. The answer holds for the time at which the
history was read.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.impacts import read_impacts
from dbmigrate.report import Outcome, Step
from dbmigrate.runner.answers import Preview, PreviewStep
from dbmigrate.runner.commands.goto import make_plan
from dbmigrate.runner.ownership import require_live, require_new_order
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import try_out
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.planning.plan_checksum import checksum_of
from dbmigrate.runner.preparation.flyway_baseline import begin
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version

EXCERPT_LIMIT = 160
"""Characters: a report has to fit into a termination message with many steps."""


def preview(request: Request, version: Version | None = None) -> Result[Preview]:
    """The steps to a version, None being the latest; fails as `goto` would."""

    def work(run: Run) -> Preview:
        run.require_resumable()
        begin(run, is_preview=True)
        plan = make_plan(run, version)
        run.require_first(plan)
        require_live(run, plan)
        if plan.steps:
            require_new_order(run)
        try_out(run, plan)
        unfinished = None if run.unfinished is None else str(run.unfinished)
        return make_preview(run, plan, unfinished)

    return as_planned(perform(request, work, is_locked=False))


def make_preview(run: Run, plan: Plan, unfinished: str | None = None) -> Preview:
    """The steps of a plan with their SQL."""
    steps = tuple(
        PreviewStep(step, step.script.show() if step.script else None) for step in plan.steps
    )
    return Preview(run.state, plan.target, steps, checksum_of(plan.steps), unfinished)


def as_planned(found: Result[Preview]) -> Result[Preview]:
    """With a report that lists the steps."""
    if found.value is None:
        return found
    steps = tuple(_describe(step) for step in found.value.steps)
    outcome = Outcome.WAITING if steps else Outcome.UP_TO_DATE
    report = replace(
        found.report,
        outcome=outcome,
        steps=steps,
        steps_total=len(steps),
        plan_checksum=found.value.checksum,
    )
    return replace(found, report=report)


def _describe(preview: PreviewStep) -> Step:
    """A step of the plan in the report, with its effects."""
    step, sql = preview.step, preview.sql or b""
    lines = sql.decode("utf-8", "replace").splitlines()
    losing = []
    if step.script is not None:
        try:
            losing = [i.line for i in read_impacts(sql, step.script.file) if i.is_destructive]
        except MigrationError:
            losing = []  # a script that cannot be split: the run will report it
    words = [lines[number - 1] for number in losing] or lines
    said = " ".join(line.strip() for line in words if not line.lstrip().startswith("--")).strip()
    if len(said) > EXCERPT_LIMIT:
        said = said[: EXCERPT_LIMIT - 3] + "..."
    return Step(
        version=str(step.version),
        name=step.name,
        direction=step.direction,
        milliseconds=0,
        destructive=bool(losing),
        excerpt=said or None,
    )
