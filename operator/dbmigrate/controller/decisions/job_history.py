"""Which finished Jobs are kept, and which are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dbmigrate.api.spec import HistoryLimits
from dbmigrate.api.status import LastRun
from dbmigrate.controller.decisions.runs import ASKING, JobRun, RunState

KEPT_QUESTIONS = 1
"""Finished `status` and `plan` runs that stay: the newest answer is still read."""


def choose_discarded(
    runs: Iterable[JobRun], last: LastRun | None, limits: HistoryLimits, now: datetime
) -> tuple[str, ...]:
    """The names of the Jobs beyond the limits, except those whose end is not recorded yet.

    A Job whose runner has ended while other containers of its Pod run on is deleted too:
    only its deletion ends them.
    """
    unrecorded = last.job if last is not None and not last.has_ended else None
    groups: dict[tuple[bool, RunState], list[JobRun]] = {}
    newest = last.job if last is not None else None
    made = sorted(runs, key=lambda r: (r.created_at, r.name == newest, r.attempt), reverse=True)
    for run in made:
        if run.is_active or run.is_deleting or run.name == unrecorded:
            continue
        is_question = run.command in ASKING
        state = RunState.SUCCEEDED if is_question else run.state
        groups.setdefault((is_question, state), []).append(run)
    every = [run for group in groups.values() for run in group]
    discarded = [run for run in every if run.is_leftover(now)]
    discarded += groups.get((True, RunState.SUCCEEDED), [])[KEPT_QUESTIONS:]
    discarded += groups.get((False, RunState.SUCCEEDED), [])[limits.successful :]
    discarded += groups.get((False, RunState.FAILED), [])[limits.failed :]
    return tuple(dict.fromkeys(run.name for run in discarded))
