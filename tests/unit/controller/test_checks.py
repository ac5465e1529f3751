"""Checks of a migrated database: which verdict holds after each sequence of answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import parse_status
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.reconcile import reconcile
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, ResourceView, Resync
from dbmigrate.controller.writing.notices import build_event, has_moved
from dbmigrate.report import Reason, Report
from tests.unit.controller.resources import (
    NOW,
    failure,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
)

pytestmark = pytest.mark.quick

LOST = None
"""The check succeeded, and nobody read its report."""
ANSWERS: dict[str, Report | None] = {
    "same": make_report(command="status", steps=()),
    "moved": make_report(command="status", steps=(), version="1", pending=1),
    "dirty": make_report(command="status", steps=(), dirty=True),
    "foreign": replace(failure(Reason.FOREIGN_HISTORY), version=None, dirty=None),
    "refused": failure(Reason.CONNECTION_REFUSED),
    "password": replace(failure(Reason.AUTHENTICATION_FAILED), version=None, dirty=None),
    "lost": LOST,
}
SILENT = {"refused", "password", "lost"}


class Resource:
    """A migrated resource whose database is checked again and again."""

    def __init__(self, unreachable_after: int = 3) -> None:
        self._resync = Resync(
            timedelta(minutes=10), NOW - timedelta(days=1), unreachable_after=unreachable_after
        )
        self.migration: MigrationResource = make_migration()
        run = finished(make_run(self.migration))
        self.runs: tuple[JobRun, ...] = (run,)
        self.pods: tuple[Pod, ...] = (make_pod(run, make_report()),)
        self.checks = 0
        self.decide()

    @property
    def now(self) -> datetime:
        return NOW + timedelta(minutes=10 * self.checks)

    def decide(self, now: datetime | None = None) -> Decision:
        """A look; its status is written, and read back as the API server would give it."""
        view = look(self.migration, runs=self.runs, pods=self.pods)
        view = replace(view, resync=self._resync)
        decision = reconcile(view, now or self.now)
        status = parse_status(decision.status.to_dict())
        self.migration = replace(self.migration, status=status)
        return decision

    def begin_check(self) -> Decision:
        """A check is at work; of the one before only the status is left."""
        self.checks += 1
        run = make_run(
            self.migration,
            name=f"check-{self.checks}",
            command=RunCommand.STATUS,
            created_at=self.now,
            attempt=1,
        )
        self.runs, self.pods = (run,), ()
        return self.decide()

    def end_check(self, answer: Report | None) -> Decision:
        """The check at work ends with this report."""
        (run,) = self.runs
        is_error = answer is not None and answer.error is not None
        state = RunState.FAILED if is_error else RunState.SUCCEEDED
        run = replace(run, state=state, finished_at=self.now)
        self.runs, self.pods = (run,), (make_pod(run, answer),)
        return self.decide()


def verdict(decision: Decision) -> tuple[str, str, str]:
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    return ready.status.value, ready.reason, ready.message


def expected(names: tuple[str, ...], unreachable_after: int) -> tuple[str, str]:
    """What Ready says after these answers: the last one counts, unless too many are missing."""
    silent = 0
    for name in reversed(names):
        if name not in SILENT:
            break
        silent += 1
    if silent >= unreachable_after:
        return "Unknown", "Unreachable"
    answered = [name for name in names if name not in SILENT]
    if not answered or answered[-1] == "same":
        return "True", "Applied"
    return "False", "Drifted"


@pytest.mark.parametrize(
    ("unreachable_after", "kinds", "length"),
    [(1, ANSWERS, 2), (2, ANSWERS, 3), (3, ("same", "moved", "refused"), 4)],
)
def test_the_last_answer_holds_until_there_is_a_newer_one(
    unreachable_after: int, kinds: Collection[str], length: int
) -> None:
    for names in product(kinds, repeat=length):
        resource = Resource(unreachable_after)
        before = resource.decide()
        for count, name in enumerate(names, start=1):
            at_work = resource.begin_check()
            assert at_work.status.conditions == before.status.conditions, names[:count]
            before = resource.end_check(ANSWERS[name])
            wanted = expected(names[:count], unreachable_after)
            assert verdict(before)[:2] == wanted, names[:count]
            again = resource.decide()
            assert again.status == before.status, names[:count]


def test_the_verdict_outlives_the_job_that_found_it() -> None:
    resource = Resource()
    resource.begin_check()
    drifted = resource.end_check(ANSWERS["moved"])
    resource.runs, resource.pods = (), ()
    later = resource.decide()
    assert verdict(later) == verdict(drifted)
    assert verdict(later)[1] == "Drifted"


def test_a_check_that_finds_nothing_new_writes_nothing() -> None:
    resource = Resource()
    before = resource.decide().status
    resource.begin_check()
    assert resource.end_check(ANSWERS["same"]).status == before


def test_the_first_unanswered_check_is_followed_by_the_next_one_sooner() -> None:
    resource = Resource()
    resource.begin_check()
    silent = resource.end_check(ANSWERS["password"])
    due = silent.look_at
    assert due is not None
    assert timedelta(seconds=20) < due - resource.now <= timedelta(seconds=30)
    assert resource.decide(due - timedelta(seconds=1)).order is None
    order = resource.decide(due).order
    assert order is not None
    assert order.command is RunCommand.STATUS


def test_an_unreachable_database_is_named_with_the_time_and_the_reason() -> None:
    resource = Resource(2)
    resource.begin_check()
    first = resource.now
    resource.end_check(ANSWERS["password"])
    resource.begin_check()
    decision = resource.end_check(ANSWERS["refused"])
    status, reason, message = verdict(decision)
    assert (status, reason) == ("Unknown", "Unreachable")
    assert f"since {first:%Y-%m-%dT%H:%M:%SZ}: ConnectionRefused" in message
    reconciling = decision.status.condition(ConditionType.RECONCILING)
    assert reconciling is not None
    assert reconciling.status is Truth.TRUE
    assert decision.answered_at == NOW - timedelta(seconds=1)


def test_the_same_drift_is_an_event_each_time_that_it_comes() -> None:
    resource = Resource()
    names = set()
    before = resource.migration.status
    for answer in ("moved", "same", "moved", "dirty"):
        resource.begin_check()
        after = resource.end_check(ANSWERS[answer]).status
        assert has_moved(before, after), answer
        event = build_event(resource.migration.identity, after, now=resource.now, instance="a")
        assert event is not None
        names.add(event["metadata"]["name"])
        before = after
    assert len(names) == 4


def test_a_status_that_calls_the_database_dirty_is_never_ready() -> None:
    resource = Resource()
    dirty = replace(resource.migration.status, dirty=True)
    view: ResourceView = look(replace(resource.migration, status=dirty))
    assert verdict(reconcile(view, NOW))[:2] == ("False", "Drifted")


@pytest.mark.parametrize(
    ("own", "interval"),
    [
        (None, timedelta(minutes=10)),
        ("1h", timedelta(hours=1)),
        ("1m", timedelta(minutes=1)),
        ("none", None),
    ],
)
def test_a_resource_may_say_how_often_it_is_checked(
    own: str | None, interval: timedelta | None
) -> None:
    resource = Resource()
    spec = (make_migration(checkInterval=own) if own else make_migration()).spec
    resource.migration = replace(resource.migration, spec=spec)
    due = resource.decide(NOW).look_at
    if interval is None:
        assert due is None
        return
    assert due is not None
    assert interval <= due - NOW + timedelta(seconds=1) < 1.2 * interval
    order = resource.decide(due).order
    assert order is not None
    assert order.command is RunCommand.STATUS


def test_too_short_an_interval_is_refused() -> None:
    with pytest.raises(SpecError, match="at least 1m"):
        make_migration(checkInterval="59s")
