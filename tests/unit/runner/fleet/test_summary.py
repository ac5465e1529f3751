"""The summary: counts that add up, and equal errors as one whatever the targets are called."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.report import Reason, ReportError
from dbmigrate.runner.fleet.summary import GROUPS_LIMIT, NAMES_LIMIT, Summary
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict


def failed(name: str, message: str, **target: str) -> TargetVerdict:
    error = ReportError(Reason.STATEMENT_FAILED, message, retryable=False)
    return TargetVerdict(FleetTarget(name, **target), TargetOutcome.FAILED, error=error)  # type: ignore[arg-type]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(TargetOutcome), max_size=60), st.integers(0, 20))
def test_each_target_is_counted_once(outcomes: list[TargetOutcome], left: int) -> None:
    summary = Summary(len(outcomes) + left)
    for number, outcome in enumerate(outcomes):
        summary.add(TargetVerdict(FleetTarget(f"t{number}"), outcome))
    counts = summary.to_counts()
    parts = (counts.current, counts.pending, counts.failed, counts.dirty, counts.unreachable)
    assert sum(parts) + counts.skipped == counts.total
    assert counts.migrated <= counts.current
    assert summary.is_good == (counts.current == counts.total)


def test_equal_errors_are_one_group_whatever_the_targets_are_called() -> None:
    summary = Summary(100)
    for number in range(100):
        message = f'can\'t connect to db/tenant_{number}: database "tenant_{number}" is gone'
        summary.add(failed(f"customer {number}", message, dbname=f"tenant_{number}"))
    (group,) = summary.sorted_groups()
    assert group.count == 100
    assert len(group.names) == NAMES_LIMIT
    assert "tenant" not in group.message


def test_ever_new_errors_do_not_make_it_grow() -> None:
    summary = Summary(3 * GROUPS_LIMIT)
    for number in range(3 * GROUPS_LIMIT):
        summary.add(failed(f"t{number}", f"unlike any other: {number * 7919}x"))
    assert len(summary.groups) <= GROUPS_LIMIT + len(Reason)
    assert sum(group.count for group in summary.groups.values()) == 3 * GROUPS_LIMIT
