"""One place guards what is computed from a resource: a fault there is that resource's condition."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from dbmigrate.api.action import Action, ActionKind, ActionPhase
from dbmigrate.api.fields import Document
from dbmigrate.api.names import UID_LABEL
from dbmigrate.api.status import parse_status
from dbmigrate.controller import reconciler as subject
from dbmigrate.controller.cluster import Cluster, Refused
from dbmigrate.controller.config import Config
from dbmigrate.controller.decisions.view import ActionUpdate, Decision, ResourceView
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.reconciler import Reconciler
from dbmigrate.controller.watches.observed import Observed
from tests.unit.controller.resources import (
    FILES,
    NOW,
    UID,
    finished,
    make_migration,
    make_pod,
    make_report,
    make_run,
    merge,
    reconcile,
)

pytestmark = pytest.mark.quick

KEY = ("team", "shop")


class Store:
    """The API server as far as one look needs it: one resource, and no Jobs."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        """Keys of a status that are not taken."""
        self.writes = 0
        self.events: list[tuple[str, str]] = []
        self.body: Document = {
            "metadata": {
                "name": "shop",
                "namespace": "team",
                "uid": UID,
                "generation": 1,
                "creationTimestamp": "2026-11-24T11:00:00Z",
                "resourceVersion": "1",
            },
            "spec": {
                "database": {"urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}},
                "source": {"image": {"reference": "app:1"}},
            },
        }

    async def find_migration(self, namespace: str, name: str) -> Document:
        assert (namespace, name) == KEY
        return self.body

    async def patch_status(self, *call: Any) -> Document:
        patch: Document = call[-1]
        self.writes += 1
        if set(self.refused) & set(patch["status"]):
            raise Refused("status.history: not here", is_final=True)
        self.body = merge(self.body, patch)
        return self.body

    async def list_jobs(self, *_: str) -> list[Document]:
        return []

    async def list_pods(self, *_: str) -> list[Document]:
        return []

    async def patch_action(self, *_: Any) -> None:
        pass

    async def create_event(self, body: Document) -> None:
        self.events.append((body["reason"], body["message"]))

    def ready(self) -> tuple[str, str, str]:
        found = next(c for c in self.body["status"]["conditions"] if c["type"] == "Ready")
        return found["status"], found["reason"], found["message"]


def make(store: Store) -> Reconciler:
    return Reconciler(
        cast(Cluster, store),
        Observed(),
        Config(),
        clock=lambda: NOW,
        server_version=(1, 36),
        cluster_name="here",
        metrics=Metrics("1"),
    )


def decide_on(status: Any) -> Any:
    def decide(*_: object) -> Decision:
        return Decision(status)

    return decide


def test_a_fault_of_ours_is_told_in_the_condition_with_its_trace_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: object) -> Decision:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(subject, "reconcile", stumble)
    store = Store()
    reconciler = make(store)
    for _ in range(3):
        again = asyncio.run(reconciler.look(KEY, True))
        assert again is not None
        assert again > NOW
    assert store.ready()[:2] == ("False", "InvalidSpec")
    assert "OverflowError: date value out of range" in store.ready()[2]
    assert store.writes == 1
    assert [r.exc_info is not None for r in caplog.records if r.levelname == "ERROR"] == [True]


@pytest.mark.parametrize(
    ("phase", "level"), [("Refused", "WARNING"), ("Failed", "WARNING"), ("Succeeded", "INFO")]
)
def test_what_becomes_of_an_order_is_logged_by_its_gravity(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, phase: str, level: str
) -> None:
    action = Action("team", "act", "uid-2", NOW, "shop", ActionKind.RETRY)
    update = ActionUpdate(action, ActionPhase(phase), "so it is")
    status = make_migration().status
    monkeypatch.setattr(subject, "reconcile", lambda *_: Decision(status, updates=(update,)))
    with caplog.at_level("INFO"):
        asyncio.run(make(Store()).look(KEY, True))
    told = [r for r in caplog.records if r.getMessage() == f"action act: {phase}: so it is"]
    assert [record.levelname for record in told] == [level]


def test_a_refused_status_is_written_without_its_details_and_not_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migration = make_migration()
    run = finished(make_run(migration))
    view = ResourceView(migration, FILES, (run,), (make_pod(run, make_report()),))
    whole = reconcile(view, NOW).status
    assert whole.history
    monkeypatch.setattr(subject, "reconcile", decide_on(whole))
    store = Store("history")
    reconciler = make(store)
    for _ in range(3):
        assert asyncio.run(reconciler.look(KEY, True)) is None
    status, _reason, message = store.ready()
    assert status == "True"
    assert "status.history: not here" in message
    stored = parse_status(store.body["status"])
    assert (stored.version, stored.dirty, stored.history) == ("2", False, ())
    assert stored.last_run is not None
    assert stored.last_run.has_succeeded
    assert store.writes == 4  # the whole, the smaller one, and the whole at each look


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("timeouts", {"deadline": "9" * 30 + "d"}, "spec.timeouts.deadline"),
        ("database", [], "spec.database: must be an object"),
        ("source", "x", "spec.source: must be an object"),
        ("target", {}, "spec.target: must be a string"),
    ],
)
def test_of_one_that_takes_no_status_at_all_an_event_tells_once(
    field: str, value: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store("conditions")
    store.body["spec"][field] = value
    reconciler = make(store)
    for _ in range(3):
        assert asyncio.run(reconciler.look(KEY, True)) is None
    assert "status" not in store.body
    ((reason, message),) = store.events
    assert reason == "InvalidSpec"
    assert message.startswith(problem)
    assert sum(problem in record.getMessage() for record in caplog.records) == 1


def test_a_job_that_goes_while_it_is_listed_does_not_come_back() -> None:
    """The stream shows its end once, and perhaps before an answer in which it was still there."""
    run = make_run(make_migration())
    observed = Observed()
    asked: list[int] = []

    class Cut(Store):
        async def list_jobs(self, *_: Any) -> list[Document]:
            asked.append(len(asked))
            return [{"metadata": {"labels": {UID_LABEL: UID}}}] if len(asked) == 1 else []

        async def list_pods(self, *_: Any) -> list[Document]:
            if len(asked) == 1:
                observed.forget_run(run)
            return []

    reconciler = make(Cut())
    reconciler._observed = observed
    observed.see_run(run)
    asyncio.run(reconciler._read_runs(make_migration().identity))
    assert len(asked) == 2
    assert observed.find_runs(UID) == ()
