"""No set that anybody can put into the cluster brings down what reads it."""

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

from dbmigrate.api.action import read_action
from dbmigrate.api.fields import SpecError
from dbmigrate.api.fleet.resource import SetResource, parse_set, parse_set_identity
from dbmigrate.api.fleet.status import SetStatus, parse_set_status
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.pods import ContainerEnd, Pod
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.decide import decide, judge_set_spec
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.fleet.view import FleetOrder, SetView
from dbmigrate.controller.jobs.body import Images
from dbmigrate.controller.writing.status_patch import reduce_set_status, set_status_patch
from tests.unit.controller.resources import FILES, NOW, UID
from tests.unit.hostile.schema import Drawer, complaints, schema_of, spoil, unsafe
from tests.unit.hostile.test_resources import METADATA, one_of_each

pytestmark = pytest.mark.quick

SET, ACTION = schema_of("databasemigrationsets"), schema_of("migrationactions")
SPEC, STATUS = SET["properties"]["spec"], SET["properties"]["status"]
IMAGES = Images("runner:1", "postgres:{major}")
thorough = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
seeds = st.integers(0, 2**32 - 1)
REPORT = (
    '{"schemaVersion":1,"command":"fleet up","outcome":"Failed","fleet":{"counts":{'
    '"total":2147483647,"current":2147483647,"failed":2147483647},"waves":[{"name":"a","targets":2147483647}],'
    '"failures":[{"name":"\\u001b[31m","outcome":"x","reason":"Nobody","message":"\\u202e"}]}}'
)


def draw(random: Random) -> dict[str, Any]:
    """A set as the API server would show it, by its rules in CEL as well."""
    drawer, parts = Drawer(random), SET["properties"]
    spec = drawer.value(parts["spec"])
    template, database = spec["template"], spec["database"]
    whole = one_of_each({"database": database, "source": template["source"]})
    spec["database"], template["source"] = whole["database"], whole["source"]
    kinds = [kind for kind in ("query", "configMap", "items") if kind in spec["targets"]]
    for kind in kinds[1:]:
        del spec["targets"][kind]
    if not kinds:
        spec["targets"] = {"query": {"sql": "SELECT 1"}}
    for wave in spec.get("waves", [])[-1:]:
        wave.pop("share", None)
        wave.pop("selector", None)
    return {"metadata": METADATA, "spec": spec, "status": drawer.value(parts["status"])}


def draw_jobs(random: Random, resource: SetResource) -> SetView:
    """Jobs that the status names, in any state, and Pods that say anything."""
    names = [wave.job for wave in resource.status.waves if wave.job]
    if resource.status.rollout is not None:
        names.append(resource.status.rollout.survey)
    jobs = []
    pods = []
    for name in names:
        state = random.choice(list(RunState))
        shards = random.choice([1, 3, 1000])
        jobs.append(FleetJob("team", name, "u", UID, UID, None, "i", 1, state, NOW, shards=shards))
        for shard in (None, 0, 1, 999):
            message = random.choice(["", "x" * 4096, REPORT, REPORT[:-1], "[" * 1000])
            code = random.choice([0, 1, 4])
            ended = ContainerEnd("dbmigrate", code, "Error", message, random.choice([None, NOW]))
            pod = Pod("team", f"{name}-{shard}", "p", UID, name, "Failed", ended=ended)
            pods.append(ShardPod(pod, shard))
    return SetView(resource, FILES, tuple(jobs), tuple(pods), resync=timedelta(minutes=10))


def examine(view: SetView) -> None:
    """Decide, build what was decided, and write the status; all of it must be fit to be sent."""
    decision = decide(view, NOW)
    orders = [FleetOrder("i", 1, 1, wave=wave) for wave in view.resource.spec.waves]
    for order in (decision.order, FleetOrder("i", 1, 1), *orders):
        if order is not None:
            job = build_fleet_job(
                view.resource,
                order,
                images=IMAGES,
                server_version=(1, 36),
                cluster="here",
                names_ids=True,
            )
            assert json.loads(json.dumps(job, allow_nan=False)) == job
            annotations = job["spec"]["template"]["metadata"]["annotations"]
            assert sum(len(k) + len(v.encode()) for k, v in annotations.items()) < 2 * 1024 * 1024
    for status in (decision.status, reduce_set_status(decision.status)):
        check_status(status)


def check_status(status: SetStatus) -> None:
    """The schema takes it, nothing of it is lost, and written once it stays."""
    document = status.to_dict()
    assert list(complaints(STATUS, document, "status")) == []
    assert parse_set_status(json.loads(json.dumps(document, allow_nan=False))).to_dict() == document
    assert set_status_patch(document, document) == {}
    assert list(unsafe({k: v for k, v in document.items() if k == "conditions"})) == []


@thorough
@given(seeds)
def test_what_the_schema_lets_in_is_read_decided_built_and_written(seed: int) -> None:
    random = Random(seed)
    body = draw(random)
    try:
        resource = parse_set(body)
    except SpecError as problem:
        check_problem(body, problem)
        return
    assert resource.spec.unknown == ()
    view = draw_jobs(random, resource)
    files = random.choice([FILES, SourceFiles(missing="files"), SourceFiles(invalid="x" * 9999)])
    examine(replace(view, files=files))
    # What was decided is what the next look finds.
    status = parse_set_status(decide(view, NOW).status.to_dict())
    examine(replace(view, resource=replace(resource, status=status)))


@thorough
@given(seeds)
def test_what_no_schema_let_in_is_refused_with_its_path_and_hurts_nobody(seed: int) -> None:
    random = Random(seed)
    body = draw(random)
    body["spec"] = spoil(random, deepcopy(body["spec"]))
    body["status"] = spoil(random, body["status"])
    try:
        resource = parse_set(body)
    except SpecError as problem:
        check_problem(body, problem)
        return
    examine(draw_jobs(random, resource))


def check_problem(body: dict[str, Any], problem: SpecError) -> None:
    """A set that can't be read says so, and where."""
    assert problem.path.startswith("spec")
    before = parse_set_status(body["status"])
    status = judge_set_spec(parse_set_identity(body), before, str(problem), NOW)
    check_status(status)
    ready = next(c for c in status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "InvalidSpec")


@thorough
@given(seeds, st.booleans())
def test_an_order_is_answered_or_waits_for_its_rollout(seed: int, junk: bool) -> None:
    random = Random(seed)
    drawer, parts = Drawer(random), ACTION["properties"]
    body = {part: drawer.value(parts[part]) for part in ("spec", "status")}
    body["spec"].pop("migration", None)
    body["spec"]["set"] = "shop"
    if junk:
        body = {part: spoil(random, body[part]) for part in body}
    action = replace(read_action({"metadata": METADATA, **body}), is_for_set=True)
    spec = {
        "template": {"source": {"configMaps": [{"name": "files"}]}},
        "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        "targets": {"query": {"sql": "SELECT 1"}},
    }
    resource = parse_set({"metadata": METADATA, "spec": spec})
    decision = decide(SetView(resource, FILES, actions=(action,)), NOW)
    is_answered = any(update.phase in {"Refused", "Running"} for update in decision.updates)
    assert action.has_ended or is_answered or action.kind == "Retry"
