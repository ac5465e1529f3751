"""Every Job with every Pod and every set of containers: what the operator makes of it.

Bodies are those of the API server. The expectations are a table of their own: the
container named dbmigrate decides, as soon as it has terminated, whatever state the Job
and the other containers of the Pod are in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from dbmigrate import __version__
from dbmigrate.api.action import Action, ActionKind
from dbmigrate.api.conditions import ConditionType
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL, needs_events
from dbmigrate.controller.decisions.reconcile import reconcile
from dbmigrate.controller.decisions.runs import LINGER, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, ResourceView
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.pod_object import parse_pod
from dbmigrate.report import Reason
from tests.unit.controller.resources import (
    FILES,
    NOW,
    UID,
    failure,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
)

pytestmark = pytest.mark.quick

Document = dict[str, Any]
STARTED, ENDED = "2026-11-24T11:59:50Z", "2026-11-24T11:59:59Z"
JOBS: dict[str, list[Document]] = {
    "active": [],
    "complete": [{"type": "Complete", "status": "True"}],
    "failed": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}],
    "deadline": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}],
}
REPORT, FAILURE = make_report().to_json(), failure(Reason.STATEMENT_FAILED).to_json()


def running() -> Document:
    return {"running": {"startedAt": STARTED}}


def terminated(code: int, message: str = "", reason: str = "Error") -> Document:
    times = {"startedAt": STARTED, "finishedAt": ENDED}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


RUNNERS: dict[str, Document | None] = {
    "no pod": None,
    "pulling": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
    "initializing": {"waiting": {"reason": "PodInitializing"}},
    "running": running(),
    "applied": terminated(0, REPORT, "Completed"),
    "silent": terminated(0, "", "Completed"),
    "rejected": terminated(1, FAILURE),
    "killed": terminated(137, "last words"),
}
"""The container named dbmigrate."""
OTHERS: dict[str, tuple[str, Document] | None] = {
    "none": None,
    "native sidecar at work": ("init istio-proxy", running()),
    "native sidecar ended": ("init istio-proxy", terminated(143, "drained")),
    "plain sidecar at work": ("zz-proxy", running()),
    "plain sidecar failed": ("aa-proxy", terminated(1, "no route")),
    "plain sidecar ended": ("zz-proxy", terminated(0, "{}", "Completed")),
    "injected init failed": ("init vault-agent", terminated(2, "sealed")),
    "copy failed": ("init copy-migrations", terminated(1, "cp: no such file")),
    "scratch server ended": ("init rehearsal", terminated(137)),
}
ENDS = {"applied", "silent", "rejected", "killed"}


@dataclass(frozen=True)
class Cell:
    job: str
    runner: str
    other: str

    @property
    def failing(self) -> str | None:
        """The other container that failed."""
        found = OTHERS[self.other]
        name = found[0].removeprefix("init ") if found else ""
        is_failure = found is not None and found[1].get("terminated", {}).get("exitCode")
        return name if is_failure and name != "rehearsal" else None


CELLS = [
    Cell(*names)
    for names in product(JOBS, RUNNERS, OTHERS)
    # Without a Pod there is no other container.
    if names[1] != "no pod" or names[2] == "none"
]


def make_job(conditions: list[Document], **annotations: str) -> Document:
    owner = {"uid": UID, "controller": True}
    migration = make_migration()
    return {
        "metadata": {
            "name": "shop-1",
            "namespace": "team",
            "uid": "job-1",
            "creationTimestamp": "2026-11-24T11:59:45Z",
            "labels": {"dbmigrate.dev/migration-uid": UID, "dbmigrate.dev/command": "goto"},
            "annotations": {
                "dbmigrate.dev/generation": "1",
                "dbmigrate.dev/intent": migration.spec.intent(FILES.digest),
                "dbmigrate.dev/attempt": "1",
                **annotations,
            },
            "ownerReferences": [owner],
        },
        "spec": {"activeDeadlineSeconds": 3600},
        "status": {"startTime": STARTED, "conditions": conditions, "completionTime": ENDED},
    }


def make_pod_body(cell: Cell, state: Document) -> Document:
    statuses: dict[str, list[Document]] = {
        "initContainerStatuses": [],
        "containerStatuses": [{"name": "dbmigrate", "state": state}],
    }
    other = OTHERS[cell.other]
    if other is not None:
        name, found = other
        kind = "initContainerStatuses" if name.startswith("init ") else "containerStatuses"
        statuses[kind].append({"name": name.removeprefix("init "), "state": found})
        statuses[kind].sort(key=lambda each: str(each["name"]))  # a kubelet sorts them
    phase = {"pulling": "Pending", "initializing": "Pending"}.get(cell.runner, "Running")
    if cell.job != "active" and phase == "Running" and cell.runner != "running":
        phase = "Succeeded" if cell.job == "complete" else "Failed"
    labels = {"dbmigrate.dev/migration-uid": UID, "batch.kubernetes.io/job-name": "shop-1"}
    return {
        "metadata": {"name": "shop-1-x", "namespace": "team", "uid": "pod-1", "labels": labels},
        "spec": {"nodeName": "node-7"},
        "status": {"phase": phase, **statuses},
    }


def view_of(cell: Cell, **spec: Any) -> ResourceView:
    run = parse_run(make_job(JOBS[cell.job]))
    state = RUNNERS[cell.runner]
    pods = () if state is None else (parse_pod(make_pod_body(cell, state)),)
    return look(make_migration(**spec), runs=(run,), pods=pods)


def ready(decision: Decision) -> tuple[str, str]:
    found = decision.status.condition(ConditionType.READY)
    assert found is not None
    return found.reason, found.message


def expected(cell: Cell) -> tuple[str, str, RunCommand | None]:
    """Ready's reason, a word of its message, and the run that is to be started."""
    by_runner = {
        "applied": ("Applied", "version 2", None),
        "silent": ("ReadingDatabase", "asking the database", RunCommand.STATUS),
        "rejected": ("StatementFailed", "it failed with StatementFailed", None),
    }
    if cell.runner in by_runner:
        return by_runner[cell.runner]
    if cell.runner == "killed":
        if cell.job == "deadline":
            return "Interrupted", "deadline", None
        return "Interrupted", "last words", None
    if cell.job == "active":
        words = {"pulling": ("ImagePullFailed", "no such image", None)}
        return words.get(cell.runner, ("Running", "at work", None))
    if cell.runner == "running":
        return "WaitingForRun", "Pod shop-1-x is still running", None
    if cell.job == "complete":
        return "ReadingDatabase", "asking the database", RunCommand.STATUS
    if cell.job == "deadline":
        return "Interrupted", "deadline", None
    if cell.failing == "copy-migrations":
        return "SourceInvalid", "cp: no such file", None
    return "Interrupted", cell.failing or "", None


def combinations() -> Iterator[tuple[Cell, Decision]]:
    for cell in CELLS:
        yield cell, reconcile(view_of(cell), NOW)


def test_the_container_of_the_runner_decides_in_every_state() -> None:
    for cell, decision in combinations():
        reason, word, command = expected(cell)
        assert ready(decision)[0] == reason, cell
        assert word in ready(decision)[1], cell
        assert (decision.order and decision.order.command) == command, cell
        # kubectl prints reason and message side by side.
        assert not ready(decision)[1].lower().startswith(ready(decision)[0].lower()), cell


def test_no_container_but_the_copying_one_is_told_as_it() -> None:
    for cell, decision in combinations():
        if cell.other == "injected init failed":
            assert "copied out of the image" not in ready(decision)[1], cell


def test_a_runner_at_work_is_never_disturbed_and_one_that_never_began_makes_way() -> None:
    for cell in CELLS:
        changed = view_of(cell, generation=2, target="1", rollback="Allow")
        decision = reconcile(changed, NOW)
        if cell.job != "active":
            continue
        if cell.runner in ENDS - {"silent"}:
            assert decision.order is not None, cell
            assert (decision.order.command, decision.order.generation) == (RunCommand.GOTO, 2)
            assert decision.withdraw == (), cell
        elif cell.runner == "running":
            assert (decision.order, decision.withdraw) == (None, ()), cell
            assert ready(decision)[0] == "WaitingForRun"
        elif cell.runner != "silent":
            assert (decision.order, decision.withdraw) == (None, ("shop-1",)), cell
            assert decision.rests_on_absence, cell


def test_what_outlives_the_runner_is_ended_after_a_while() -> None:
    for cell in CELLS:
        if cell.job != "active" or cell.runner not in ENDS:
            continue
        early = reconcile(view_of(cell), NOW)
        assert early.discard == (), cell
        assert early.look_at is not None, cell
        assert early.look_at <= NOW + LINGER, cell
        late = reconcile(view_of(cell), NOW + LINGER)
        assert late.discard == (() if cell.runner == "silent" else ("shop-1",)), cell


@pytest.mark.parametrize(
    ("container", "reason"), [("rehearsal", "PodNotStarting"), ("istio-proxy", "Running")]
)
def test_a_runner_at_work_waits_for_its_scratch_server_and_for_no_other_container(
    container: str, reason: str
) -> None:
    body = make_pod_body(Cell("active", "running", "none"), running())
    message = f"back-off 10s restarting failed container={container}"
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    body["status"]["initContainerStatuses"] = [{"name": container, "state": waiting}]
    view = look(make_migration(), runs=(parse_run(make_job([])),), pods=(parse_pod(body),))
    assert ready(reconcile(view, NOW))[0] == reason


def test_events_are_read_of_a_job_without_a_pod_and_of_a_pod_that_is_being_created() -> None:
    creating = {"waiting": {"reason": "ContainerCreating"}}
    for state, age, uid in (
        (None, 4, None),
        (None, 5, "job-1"),
        (creating, 19, None),
        (creating, 20, "pod-1"),
        (RUNNERS["pulling"], 300, None),
        (running(), 300, None),
    ):
        run = parse_run(make_job([]))
        cell = Cell("active", "no pod", "none")
        pods = () if state is None else (parse_pod(make_pod_body(cell, state)),)
        now = run.runs_since + timedelta(seconds=age)
        assert needs_events(run, pods, now) == uid, (state, age)


def test_a_job_that_the_job_controller_has_not_come_to_has_no_events_to_read() -> None:
    view = view_of(Cell("active", "no pod", "none"))
    run = replace(view.runs[0], started_at=None)
    for age in (0, 5, 300):
        now = run.created_at + timedelta(seconds=age)
        assert needs_events(run, (), now) is None, age
        assert reconcile(replace(view, runs=(run,)), now).look_at == now + LOOK_INTERVAL, age


def test_a_job_without_a_pod_says_why_as_its_events_tell() -> None:
    view = view_of(Cell("active", "no pod", "none"))
    created = view.runs[0].runs_since
    for age, following in ((0, 5), (5, 20), (19, 20), (20, 80), (300, 360)):
        now = created + timedelta(seconds=age)
        assert reconcile(view, now).look_at == created + timedelta(seconds=following), age
    told = replace(view, troubles={"shop-1": "exceeded quota: limits.cpu"})
    reason, message = ready(reconcile(told, NOW))
    assert reason == "PodNotStarting"
    assert "exceeded quota: limits.cpu" in message


@pytest.mark.parametrize("deleted", [None, "2026-11-24T11:58:00Z"])
def test_a_lost_node_is_named_with_the_deadline(deleted: str | None) -> None:
    body = make_pod_body(Cell("active", "running", "none"), running())
    if deleted is None:
        body["status"]["conditions"] = [
            {"type": "Ready", "status": "False"},
            {"type": "ContainersReady", "status": "True"},
        ]
    else:
        body["metadata"]["deletionTimestamp"] = deleted
    run = parse_run(make_job([]))
    view = look(make_migration(), runs=(run,), pods=(parse_pod(body),))
    reason, message = ready(reconcile(view, NOW))
    assert reason == "NodeLost"
    assert "node node-7 does not answer" in message
    assert "deadline is 2026-11-24T12:59:50Z" in message
    later = reconcile(view, NOW + timedelta(hours=2))
    assert "deadline was" in ready(later)[1]
    assert later.order is None
    gone = replace(view, pods=(replace(view.pods[0], is_gone=True),))
    gone = replace(gone, runs=(parse_run(make_job(JOBS["deadline"])),))
    assert ready(reconcile(gone, NOW))[0] == "Interrupted"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schemaVersion": 2}, "schema version 1 but of version 2"),
        ({"outcome": "Paused"}, "'Paused'"),
    ],
)
def test_a_report_from_the_future_is_named_as_such(changes: Document, words: str) -> None:
    raw = {**json.loads(REPORT), "toolVersion": "9.9", **changes}
    body = make_pod_body(Cell("complete", "applied", "none"), terminated(0, json.dumps(raw)))
    run = parse_run(make_job(JOBS["complete"]))
    decision = reconcile(look(make_migration(), runs=(run,), pods=(parse_pod(body),)), NOW)
    reason, message = ready(decision)
    assert reason == "Internal"
    assert "runner 9.9" in message
    assert words in message
    assert f"operator {__version__}" in message
    assert decision.order is None


@pytest.mark.parametrize(("version", "reason"), [("1", "RolledBack"), ("2", "Interrupted")])
def test_a_rollback_that_left_no_report_is_settled_by_asking(version: str, reason: str) -> None:
    migration = make_migration()
    action = Action("team", "back", "uid-1", NOW, "shop", ActionKind.ROLLBACK, version="1")
    down = finished(
        make_run(migration, command=RunCommand.ROLLBACK, action="uid-1"), RunState.FAILED
    )
    view = look(migration, runs=(down,), actions=(action,))
    unread = reconcile(view, NOW)
    assert unread.order is not None
    assert unread.order.command is RunCommand.STATUS
    asked = make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW)
    asked = finished(asked)
    answer = make_pod(asked, make_report(command="status", version=version, steps=()))
    answered = replace(view, runs=(down, asked), pods=(answer,))
    answered = replace(answered, migration=replace(migration, status=unread.status))
    assert ready(reconcile(answered, NOW))[0] == reason
