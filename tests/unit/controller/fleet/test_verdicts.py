"""What is said of a set: in its conditions, and of a rollout that works or has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.fleet.status import (
    RolloutStatus,
    RolloutTrigger,
    SetRollback,
    SetStatus,
    TargetFailure,
    Totals,
    WavePhase,
    WaveStatus,
)
from dbmigrate.controller.decisions.verdict import Standing
from dbmigrate.controller.fleet.progress import at_work, conclude_rollout, lasting_verdict
from dbmigrate.controller.fleet.verdicts import (
    describe_failure,
    describe_totals,
    is_ready,
    same_as_before,
    set_conditions,
)
from dbmigrate.report import Reason
from tests.unit.controller.fleet.world import World, make_set
from tests.unit.controller.resources import NOW

pytestmark = pytest.mark.quick

ROLLOUT = RolloutStatus("intent", finished_at=NOW)
BACK = SetRollback("2", "undo")


@pytest.mark.parametrize(
    ("totals", "text"),
    [
        (Totals(), "0 of 0 targets are current"),
        (Totals(3, current=3), "3 of 3 targets are current"),
        (
            Totals(1200, current=1100, failed=9, unreachable=1),
            "1,100 of 1,200 targets are current, 9 failed, 1 unreachable",
        ),
        (
            Totals(9, pending=1, failed=2, dirty=3, unreachable=3),
            "0 of 9 targets are current, 1 pending, 2 failed, 3 dirty, 3 unreachable",
        ),
        (Totals(2000, pending=2000), "0 of 2,000 targets are current, 2,000 pending"),
    ],
)
def test_totals_in_a_sentence(totals: Totals, text: str) -> None:
    assert describe_totals(totals) == text


FAILURE = TargetFailure("t1", reason=Reason.STATEMENT_FAILED, message="no")


@pytest.mark.parametrize(
    ("failures", "text"),
    [
        ((), ""),
        ((FAILURE,), "; the first: t1: StatementFailed: no"),
        ((replace(FAILURE, line=3),), "; the first: t1: StatementFailed: no"),
        ((replace(FAILURE, file="1.sql"),), "; the first: t1: StatementFailed at 1.sql: no"),
        (
            (replace(FAILURE, file="1.sql", line=3), replace(FAILURE, target="t2")),
            "; the first: t1: StatementFailed at 1.sql:3: no",
        ),
    ],
)
def test_the_first_failure_in_a_sentence(failures: tuple[TargetFailure, ...], text: str) -> None:
    assert describe_failure(failures) == text


def ready(truth: Truth, reason: str) -> SetStatus:
    return SetStatus(conditions=(Condition(ConditionType.READY, truth, reason, "said", 1, NOW),))


@pytest.mark.parametrize(
    ("totals", "truth", "reason", "message"),
    [
        (None, Truth.UNKNOWN, "NotKnown", "no target has been asked yet"),
        (Totals(2, failed=2), Truth.FALSE, "Clean", ""),
        (Totals(2, dirty=1), Truth.TRUE, "Dirty", "1 target has a step that was begun and not"),
        (Totals(1200, dirty=1200), Truth.TRUE, "Dirty", "1,200 targets have a step that was"),
    ],
)
def test_whether_a_set_is_dirty(
    totals: Totals | None, truth: Truth, reason: str, message: str
) -> None:
    verdict = same_as_before(ready(Truth.TRUE, "AllCurrent"))
    assert verdict is not None
    made = set_conditions(verdict, SetStatus(targets=totals), generation=1, now=NOW)
    (found,) = (each for each in made if each.type is ConditionType.DIRTY)
    assert (found.status, found.reason) == (truth, reason)
    assert found.message.startswith(message)
    assert bool(found.message) is bool(message)


RESYNC = RolloutStatus("intent", trigger=RolloutTrigger.RESYNC)


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (SetStatus(), None),
        (ready(Truth.TRUE, "AllCurrent"), Standing.READY),
        (ready(Truth.TRUE, "RolledBack"), Standing.READY),
        (ready(Truth.FALSE, "RolledBack"), Standing.PAUSED),
        (ready(Truth.FALSE, "TargetsFailed"), None),
        (ready(Truth.UNKNOWN, "Surveying"), None),
    ],
)
def test_a_verdict_stays_while_a_fleet_that_is_well_is_only_looked_at_again(
    status: SetStatus, standing: Standing | None
) -> None:
    verdict = same_as_before(status)
    assert (verdict and verdict.standing) == standing
    assert (verdict and verdict.message) == (standing and "said")
    assert is_ready(status) is (standing is Standing.READY)
    well = WaveStatus("a", totals=Totals(2, current=1, pending=1))
    bad = WaveStatus("b", totals=Totals(1, unreachable=1))
    assert lasting_verdict(replace(status, rollout=RESYNC, waves=(well,))) == verdict
    assert lasting_verdict(replace(status, rollout=RESYNC, waves=(well, bad))) is None
    change = replace(RESYNC, trigger=RolloutTrigger.CHANGE)
    assert lasting_verdict(replace(status, rollout=change, waves=(well,))) is None
    assert lasting_verdict(replace(status, waves=(well,))) is None


def waves(*sizes: int) -> tuple[WaveStatus, ...]:
    return tuple(
        WaveStatus(f"w{n}", totals=Totals(size, current=size)) for n, size in enumerate(sizes)
    )


@pytest.mark.parametrize(
    ("rollout", "sizes", "standing", "text"),
    [
        (ROLLOUT, (), Standing.READY, "the list of targets is empty"),
        (ROLLOUT, (1, 0), Standing.READY, "its one target is current"),
        (ROLLOUT, (1, 1), Standing.READY, "all 2 targets are current"),
        (ROLLOUT, (1000, 200), Standing.READY, "all 1,200 targets are current"),
        (
            replace(ROLLOUT, rollback=BACK),
            (1000, 200),
            Standing.PAUSED,
            "rolled back to version 2 by MigrationAction undo: all 1,200 targets are there",
        ),
        (
            replace(ROLLOUT, reason=Reason.ALREADY_DONE.value, message="done"),
            (1,),
            Standing.IN_PROGRESS,
            "done: the targets are looked at again",
        ),
        (
            replace(ROLLOUT, reason="RolledBack", message="held"),
            (1,),
            Standing.PAUSED,
            "held",
        ),
        (
            replace(ROLLOUT, reason="WaveFailed", message="no"),
            (1,),
            Standing.IN_PROGRESS,
            "no (to be tried again)",
        ),
        (
            replace(ROLLOUT, reason="WaveFailed", message="no", failures_in_a_row=5),
            (1,),
            Standing.IN_PROGRESS,
            "no (to be tried again)",
        ),
        (
            replace(ROLLOUT, reason="WaveFailed", message="no", failures_in_a_row=6),
            (1,),
            Standing.STALLED,
            "no",
        ),
        (replace(ROLLOUT, reason="TargetsFailed", message="no"), (1,), Standing.STALLED, "no"),
        (replace(ROLLOUT, reason="TlsFailed", message="no"), (1,), Standing.STALLED, "no"),
    ],
)
def test_the_verdict_on_a_rollout_that_has_ended(
    rollout: RolloutStatus, sizes: tuple[int, ...], standing: Standing, text: str
) -> None:
    view = World(make_set(template=TEMPLATE), {}).view()
    found = conclude_rollout(view, SetStatus(rollout=rollout, waves=waves(*sizes)), NOW)
    assert (found.verdict.standing, found.verdict.message) == (standing, text)
    assert found.look_at == NOW


TEMPLATE = {"source": {"configMaps": [{"name": "files"}]}, "retry": {"limit": 6}}


def test_the_wave_at_work_is_named_with_its_place() -> None:
    first, second, third = waves(1, 1, 1)
    running = replace(second, phase=WavePhase.RUNNING, job="job-1")
    said = at_work(SetStatus(waves=(first, running, third))).message
    assert said == "wave w1 (2 of 3) is at work: Job job-1"
    assert at_work(SetStatus(waves=(first,))).message == "a wave is at work"
