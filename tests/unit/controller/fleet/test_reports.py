"""What the Pods of a wave report is counted once, and summed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.api.fleet.status import SetStatus, TargetFailure, Totals, WaveStatus
from dbmigrate.controller.decisions.pods import ContainerEnd, Pod
from dbmigrate.controller.fleet.jobs import ShardPod
from dbmigrate.controller.fleet.reports import read_shards, sum_totals, take_in
from dbmigrate.controller.fleet.shards import format_indexes, parse_indexes
from dbmigrate.report import Outcome, Reason, Report, ReportError
from dbmigrate.report.fleet import FleetCounts, FleetFailure, FleetReport
from tests.unit.controller.resources import NOW, UID

pytestmark = pytest.mark.quick

COUNTS = FleetCounts(
    63, current=1, migrated=1, pending=2, failed=4, dirty=8, unreachable=16, skipped=32
)


def text(counts: FleetCounts = COUNTS, failures: int = 0, **more: object) -> str:
    """The report of a shard."""
    failed = tuple(
        FleetFailure(f"t{n}", "failed", Reason.STATEMENT_FAILED, "m" * 900, "1.sql", n + 1)
        for n in range(failures)
    )
    fleet = FleetReport(counts, failures=failed)
    report = Report(command="fleet", outcome=Outcome.APPLIED, version=None, dirty=None, fleet=fleet)
    return replace(report, **more).to_json()  # type: ignore[arg-type]


def pod(
    shard: int | None, message: str | None, *, code: int = 0, at: int | None = 0, name: str = "p"
) -> ShardPod:
    """A Pod that has ended so many seconds after noon with this message."""
    finished = None if at is None else NOW + timedelta(seconds=at)
    ended = ContainerEnd("dbmigrate", code, "Error", message or "", finished)
    made = Pod("team", name, f"uid-{name}", UID, "job", "Succeeded")
    return ShardPod(made if message is None else replace(made, ended=ended), shard)


def test_of_the_pods_of_a_shard_one_that_is_done_counts_and_else_the_newest() -> None:
    first, second = replace(COUNTS, failed=5), replace(COUNTS, failed=6)
    done = pod(0, text(first), at=1)
    cases = [
        ([done], 5, True),
        ([done, pod(0, text(second), code=1, at=2)], 5, True),
        ([pod(0, text(second), code=1, at=0), done], 5, True),
        ([pod(0, text(second), code=1, at=None), done], 5, True),
        ([pod(0, text(second), code=1, at=2), pod(0, text(first), code=1, at=1)], 6, False),
        ([pod(0, text(first), code=1, at=1), pod(0, text(second), code=1, at=2)], 6, False),
        ([pod(0, text(second), code=1, at=2), pod(0, text(first), code=1, at=None)], 6, False),
    ]
    for pods, failed, is_done in cases:
        told = read_shards(1, pods)[0]
        assert told.report is not None
        assert told.report.fleet is not None
        assert (told.report.fleet.counts.failed, told.is_done) == (failed, is_done)


def test_pods_that_belong_to_no_shard_or_have_not_ended_tell_nothing() -> None:
    pods = [pod(None, text()), pod(2, text()), pod(3, text()), pod(0, None), pod(1, text())]
    assert sorted(read_shards(2, pods)) == [1]
    assert sorted(read_shards(4, pods)) == [1, 2, 3]
    assert sorted(read_shards(4, pods, without={1, 3})) == [2]


NO_FLEET = Report(command="fleet", outcome=Outcome.FAILED, version=None, dirty=None)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (" lost \n", "Pod p left no report (container dbmigrate, exit code 3, Error): lost"),
        (" ", "Pod p left no report (container dbmigrate, exit code 3, Error)"),
        (
            replace(NO_FLEET, error=ReportError(Reason.LOCK_TIMEOUT, "no", False)).to_json(),
            "LockTimeout: no",
        ),
        (NO_FLEET.to_json(), "Pod p left no report (container dbmigrate, exit code 3, Error): {"),
        (
            '{"schemaVersion":2,"toolVersion":"9.9"}',
            "not a report of schema version 1 but of version 2, by runner 9.9: update the operator",
        ),
    ],
)
def test_why_a_shard_has_no_report_is_said(message: str, problem: str) -> None:
    told = read_shards(1, [pod(0, message, code=3)])[0]
    assert (told.report, told.is_done) == (None, False)
    assert told.problem.startswith(problem)
    assert problem.endswith("{") or told.problem == problem


WAVE = WaveStatus("w", shards=3, totals=Totals(total=90))
STATUS = SetStatus(waves=(WaveStatus("before", totals=Totals(7)), WAVE))


def test_each_shard_is_counted_once_and_all_counts_are_added() -> None:
    pods = [pod(0, text()), pod(2, text()), pod(1, None)]
    status, wave = take_in(STATUS, WAVE, pods, is_over=False)
    assert wave.totals == Totals(90, current=2, pending=4, failed=8, dirty=16, unreachable=32)
    assert (wave.migrated, wave.reported) == (2, "0,2")
    assert status.waves == (STATUS.waves[0], wave)
    assert take_in(status, wave, pods, is_over=False) == (status, wave)
    status, wave = take_in(status, wave, [*pods[:2], pod(1, text())], is_over=False)
    assert (wave.totals.current, wave.reported) == (3, "0-2")


def test_a_shard_that_was_interrupted_counts_only_once_no_pod_works_any_more() -> None:
    pods = [pod(0, text(), code=1)]
    assert take_in(STATUS, WAVE, pods, is_over=False) == (STATUS, WAVE)
    _, wave = take_in(STATUS, WAVE, pods, is_over=True)
    assert (wave.totals.failed, wave.reported) == (4, "0")
    assert take_in(STATUS, WAVE, [pod(0, "nothing")], is_over=True) == (STATUS, WAVE)


def test_of_the_failures_the_first_fifty_stay() -> None:
    kept = tuple(TargetFailure(f"old{n}") for n in range(3))
    pods = [pod(0, text(failures=40)), pod(1, text(failures=40))]
    status, _ = take_in(replace(STATUS, failures=kept), WAVE, pods, is_over=False)
    names = [f"old{n}" for n in range(3)] + [f"t{n}" for n in (*range(40), *range(7))]
    assert [each.target for each in status.failures] == names
    first = status.failures[3]
    assert first == TargetFailure(
        "t0", "w", "failed", Reason.STATEMENT_FAILED, "m" * 497 + "...", "1.sql", 1
    )


def test_the_totals_of_the_fleet_are_those_of_its_waves() -> None:
    each = Totals(1, 2, 4, 8, 16, 32)
    assert sum_totals([]) == Totals()
    assert sum_totals([WaveStatus("a", totals=each)]) == each
    twice = sum_totals([WaveStatus("a", totals=each), WaveStatus("b", totals=each)])
    assert all(getattr(twice, at.name) == 2 * getattr(each, at.name) for at in fields(Totals))
    assert each.bad == 8 + 16 + 32


@given(st.frozensets(st.integers(0, 60)))
def test_indexes_read_back_as_they_were_written(indexes: frozenset[int]) -> None:
    written = format_indexes(indexes)
    assert parse_indexes(written, most=60) == indexes
    assert parse_indexes(written, most=30) == {index for index in indexes if index <= 30}


@pytest.mark.parametrize(
    ("indexes", "written"),
    [((), ""), ((3,), "3"), ((1, 2), "1-2"), ((7, 0, 2, 1, 4), "0-2,4,7")],
)
def test_indexes_are_written_as_kubernetes_does(indexes: tuple[int, ...], written: str) -> None:
    assert format_indexes(indexes) == written


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", set()),
        ("x,1", {1}),
        ("3-1", set()),
        (" 2 , 4-5", {2, 4, 5}),
        ("0-9999999", set(range(11))),
        ("11", set()),
        ("12345678", set()),
        ("-1", set()),
    ],
)
def test_of_indexes_what_can_not_be_read_is_left_out(text: str, found: set[int]) -> None:
    assert parse_indexes(text, most=10) == found
