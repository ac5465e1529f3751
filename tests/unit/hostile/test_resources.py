"""No object that anybody can put into the cluster brings down what reads it.

Objects are drawn from the CRDs' own schemas, at their bounds, and with parts that break
the schema: an older one may have let them in.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dbmigrate.api.action import Action, parse_action, read_action
from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import MigrationResource, parse_identity, parse_migration
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.reconcile import judge_spec
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import ResourceView, Resync
from dbmigrate.controller.jobs.body import Images, build_job
from dbmigrate.controller.writing.status_patch import reduce_status, status_patch
from tests.unit.controller.resources import FILES, NOW, UID, make_migration, make_run, reconcile
from tests.unit.hostile.schema import Drawer, complaints, schema_of, spoil, unsafe

pytestmark = pytest.mark.quick

MIGRATION, ACTION = schema_of("databasemigrations"), schema_of("migrationactions")
SPEC, STATUS = MIGRATION["properties"]["spec"], MIGRATION["properties"]["status"]
IMAGES = Images("runner:1", "postgres:{major}")
HEALTHY = make_migration()
METADATA = {
    "name": "shop",
    "namespace": "team",
    "uid": UID,
    "generation": 1,
    "creationTimestamp": "2026-11-24T11:00:00Z",
    "resourceVersion": "1",
}
URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
thorough = settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # a seed can't be shrunk
)
seeds = st.integers(0, 2**32 - 1)


def draw(random: Random, schema: dict[str, Any]) -> dict[str, Any]:
    """A body as the API server would show it."""
    drawer, parts = Drawer(random), schema["properties"]
    return {
        "metadata": METADATA,
        "spec": drawer.value(parts["spec"]),
        "status": drawer.value(parts["status"]),
    }


def one_of_each(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with one database and one source: rules that the schema has in CEL."""
    spec = {**spec, "database": {**spec["database"]}, "source": {**spec["source"]}}
    database, source = spec["database"], spec["source"]
    if {"urlFrom", "connection"} <= set(database) or not {"urlFrom", "connection"} & set(database):
        database.pop("connection", None)
        database |= deepcopy(URL)
    kinds = [k for k in ("configMaps", "image", "persistentVolumeClaim", "inline") if k in source]
    for kind in kinds[1:]:
        del source[kind]
    if not kinds:
        source["configMaps"] = [{"name": "files"}]
    return spec


def draw_runs(random: Random, migration: MigrationResource) -> tuple[JobRun, ...]:
    """Jobs of the resource, of any age and end."""
    found = []
    for number in range(random.randrange(3)):
        run = make_run(
            migration,
            name=f"job-{number}",
            command=random.choice(list(RunCommand)),
            state=random.choice(list(RunState)),
            attempt=random.choice([1, 2, 2**31 - 1]),
            created_at=NOW - timedelta(minutes=10 * number + 10),
            plan=random.choice([None, "p" * 64]),
        )
        found.append(replace(run, finished_at=None if run.is_active else run.created_at))
    return tuple(found)


def examine(migration: MigrationResource, view: ResourceView) -> None:
    """Decide, build what was decided, and write the status; all of it must be fit to be sent."""
    decision = reconcile(view, NOW)
    if decision.order is not None:
        order = replace(decision.order, rehearsed_on="17")
        job = build_job(migration, order, images=IMAGES, server_version=(1, 36))
        assert json.loads(json.dumps(job, allow_nan=False)) == job
    if decision.look_at is not None:
        assert decision.look_at - NOW < timedelta(days=3000)
    for status in (decision.status, reduce_status(decision.status)):
        check_status(status)


def check_status(status: MigrationStatus) -> None:
    """The schema takes it, nothing of it is lost, and written once it stays."""
    document = status.to_dict()
    assert list(complaints(STATUS, document, "status")) == []
    assert parse_status(json.loads(json.dumps(document, allow_nan=False))).to_dict() == document
    assert list(unsafe(document)) == []
    assert status_patch(document, document) == {}


@thorough
@given(seeds)
def test_what_the_schema_lets_in_is_read_decided_built_and_written(seed: int) -> None:
    random = Random(seed)
    body = draw(random, MIGRATION)
    body["spec"] = one_of_each(body["spec"])
    try:
        migration = parse_migration(body)
    except SpecError as problem:
        check_problem(body, problem)
        return
    assert migration.spec.unknown == ()
    since = NOW - timedelta(days=1)
    view = ResourceView(
        migration,
        random.choice([FILES, SourceFiles(missing="files"), SourceFiles(invalid="x" * 9999)]),
        runs=draw_runs(random, migration),
        resync=Resync(timedelta(minutes=10), since),
        ordered_at=since,
    )
    examine(migration, view)


@thorough
@given(seeds)
def test_what_no_schema_let_in_is_refused_with_its_path_and_hurts_nobody(seed: int) -> None:
    random = Random(seed)
    body = draw(random, MIGRATION)
    body["spec"] = spoil(random, one_of_each(body["spec"]))
    body["status"] = spoil(random, body["status"])
    try:
        migration = parse_migration(body)
    except SpecError as problem:
        check_problem(body, problem)
        return
    examine(migration, ResourceView(migration, FILES))


def check_problem(body: dict[str, Any], problem: SpecError) -> None:
    """A resource that can't be read says so, and where."""
    assert problem.path.startswith("spec")
    status = judge_spec(parse_identity(body), parse_status(body["status"]), str(problem), NOW)
    check_status(status)
    ready = next(c for c in status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "InvalidSpec")


@thorough
@given(seeds, st.booleans())
def test_an_action_is_carried_out_or_refused(seed: int, junk: bool) -> None:
    random = Random(seed)
    body = draw(random, ACTION)
    if junk:
        body = {
            "metadata": METADATA,
            **{part: spoil(random, body[part]) for part in ("spec", "status")},
        }
    action = read_action(body)
    decision = reconcile(ResourceView(HEALTHY, FILES, actions=(action,)), NOW)
    is_refused = any(update.phase == "Refused" for update in decision.updates)
    is_run = decision.order is not None and decision.order.action == action.uid
    assert action.has_ended or is_refused or is_run
    if decision.order is not None:
        build_job(HEALTHY, decision.order, images=IMAGES, server_version=(1, 36))


def test_an_action_that_can_not_be_read_is_refused_with_the_reason() -> None:
    body = {"metadata": METADATA, "spec": {"migration": "../x", "action": "Retry"}}
    with pytest.raises(SpecError, match=r"spec\.migration: must match"):
        parse_action(body)
    action = read_action(body)
    assert isinstance(action, Action)
    assert action.migration == METADATA["name"]
    (update,) = reconcile(ResourceView(HEALTHY, FILES, actions=(action,)), NOW).updates
    assert (update.phase, update.message) == ("Refused", action.problem)
