"""The Jobs of a set: each field of the resource has its place, and no Secret's value is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmigrate.api.fields import SpecError
from dbmigrate.api.fleet.resource import SetResource, parse_set
from dbmigrate.api.fleet.status import SetRollback
from dbmigrate.api.spec import Approval, Rehearse
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.body import Images
from docs.build_set_schema import TARGET, TEMPLATE_FIELDS
from tests.unit.controller.fleet.world import make_set

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[4]
IMAGES = Images("runner:1", "postgres:{major}")
SOURCE = {"source": {"configMaps": [{"name": "files"}]}}
ONE: dict[str, Any] = {"waves": [{"name": "all"}]}


def build(resource: SetResource, *, survey: bool = False, **more: Any) -> dict[str, Any]:
    wave = None if survey else resource.spec.waves[-1]
    order = FleetOrder("intent", 1, 1, wave=wave, **more)
    return build_fleet_job(
        resource, order, images=IMAGES, server_version=(1, 36), cluster="here", names_ids=True
    )


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def words(job: dict[str, Any]) -> str:
    return " ".join(pod_of(job)["containers"][0]["args"])


def test_a_wave_is_an_indexed_job_with_a_shard_for_each_index() -> None:
    job = build(make_set(), shards=40, allowed_failures=12)
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 40, 2)
    assert spec["backoffLimitPerIndex"] == 3
    assert spec["maxFailedIndexes"] == 4
    assert spec["podReplacementPolicy"] == "Failed"
    actions = [rule["action"] for rule in spec["podFailurePolicy"]["rules"]]
    assert actions == ["FailJob", "Ignore"]
    # 20 Pods after one another at most, each of them tried four times.
    assert spec["activeDeadlineSeconds"] == 20 * 4 * 3600
    assert pod_of(job)["activeDeadlineSeconds"] == 3600
    said = words(job)
    assert "fleet goto latest -targets-query SELECT name FROM tenants" in said
    assert "-wave rest -shard $(JOB_COMPLETION_INDEX)/40 -concurrency 8" in said
    assert said.endswith("-tolerate-failures -max-failures 12")
    assert job["metadata"]["ownerReferences"][0]["kind"] == "DatabaseMigrationSet"


def test_a_survey_is_one_pod_that_is_not_started_again() -> None:
    job = build(make_set(), survey=True)
    assert (job["spec"]["completions"], job["spec"]["backoffLimit"]) == (1, 0)
    assert job["spec"]["activeDeadlineSeconds"] == 3600
    assert words(job).endswith("-waves /targets/waves.json")
    assert "survey" in words(job)


def test_what_a_query_says_of_variables_is_not_replaced_by_the_kubelet() -> None:
    resource = make_set(targets={"query": {"sql": "SELECT '$(DBMIGRATE_DATABASE)' AS name"}})
    assert "SELECT '$$(DBMIGRATE_DATABASE)' AS name" in words(build(resource))


def test_items_and_waves_travel_with_the_pod_as_a_snapshot() -> None:
    items = [{"name": "a", "port": 5433, "labels": {"tier": "internal"}}, {"name": "b"}]
    waves = [{"name": "first", "selector": {"matchLabels": {"tier": "internal"}}}, {"name": "rest"}]
    job = build(make_set(targets={"items": items}, waves=waves))
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    listed = json.loads(annotations["targets.dbmigrate.dev/items"])
    assert listed["targets"][0] == {
        "name": "a",
        "port": "5433",
        "labels": {"tier": "internal"},
    }
    assert json.loads(annotations["targets.dbmigrate.dev/waves"]) == {
        "waves": [{"name": "first", "selector": {"tier": "internal"}}, {"name": "rest"}]
    }
    (volume,) = [each for each in pod_of(job)["volumes"] if each["name"] == "targets"]
    paths = [each["path"] for each in volume["projected"]["sources"][0]["downwardAPI"]["items"]]
    assert paths == ["waves.json", "items.json"]
    assert "-targets /targets/items.json" in words(job)


SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "catalog": (
        {"catalog": {"urlFrom": {"secretKeyRef": {"name": "other", "key": "dsn"}}}},
        '"name": "DBMIGRATE_FLEET_CATALOG", "valueFrom": {"secretKeyRef": {"name": "other"',
    ),
    "targets.query.sql": ({"targets": {"query": {"sql": "TABLE t"}}}, '"TABLE t"'),
    "targets.configMap.name": (
        {"targets": {"configMap": {"name": "list", "key": "a.csv"}}},
        '"configMap": {"name": "list", "items": [{"key": "a.csv", "path": "a.csv"}]}',
    ),
    "targets.configMap.key": (
        {"targets": {"configMap": {"name": "list", "key": "a.csv"}}},
        '"-targets", "/targets/a.csv"',
    ),
    "targets.items": ({"targets": {"items": [{"name": "x"}]}}, '{\\"name\\":\\"x\\"}'),
    "results.table": ({"results": {"table": "a.b"}}, '"-results", "a.b"'),
    "waves": (
        {"waves": [{"name": "w", "parallelism": 3, "concurrency": 5}]},
        '"-concurrency", "5"',
    ),
}
BY_THE_OPERATOR: dict[str, tuple[dict[str, Any], str, Any]] = {
    "shardSize": ({"shardSize": 7}, "shard_size", 7),
    "checkInterval": ({"checkInterval": "1h"}, "check_interval", timedelta(hours=1)),
    "suspend": ({"suspend": True}, "suspend", True),
}


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    whole = {"catalog", "template", "database"}
    if path in whole or not schema.get("properties"):
        yield path
        return
    for name, field in schema["properties"].items():
        yield from leaves(field, f"{path}.{name}" if path else name)


def test_every_field_of_the_schema_has_its_place() -> None:
    crd = yaml.safe_load(TARGET.read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    known = {*SAMPLES, *BY_THE_OPERATOR, "template", "database"}
    assert set(leaves(spec)) == known


@pytest.mark.parametrize("name", SAMPLES)
def test_a_field_is_in_the_job(name: str) -> None:
    spec, said = SAMPLES[name]
    assert said not in json.dumps(build(make_set(**ONE)))
    shown = json.dumps(build(make_set(**{**ONE, **spec}), shards=9))
    assert said in shown


@pytest.mark.parametrize("name", BY_THE_OPERATOR)
def test_a_field_is_the_operators_own(name: str) -> None:
    spec, attribute, value = BY_THE_OPERATOR[name]
    assert getattr(make_set(**spec).spec, attribute) == value


TEMPLATES: dict[str, tuple[dict[str, Any], str]] = {
    "source": ({"source": {"configMaps": [{"name": "others"}]}}, '"name": "others"'),
    "target": ({"target": "3"}, '"survey", "3"'),
    "rollback": ({"rollback": "Allow"}, '"-rollback", "allow"'),
    "outOfOrder": ({"outOfOrder": "Apply"}, '"-out-of-order", "apply"'),
    "changedFiles": ({"changedFiles": "Warn"}, '"-changed-files", "warn"'),
    "takeOver": ({"takeOver": "a/b/c"}, '"DBMIGRATE_TAKE_OVER", "value": "a/b/c"'),
    "approval": ({"approval": "Manual"}, '"-samples"'),
    "rehearse": ({"rehearse": "BeforeApply"}, '"-samples"'),
    "timeouts": ({"timeouts": {"deadline": "5s"}}, '"activeDeadlineSeconds": 5'),
    "job": ({"job": {"image": "own:1"}}, '"image": "own:1"'),
}


@pytest.mark.parametrize("name", [name for name in TEMPLATE_FIELDS if name != "retry"])
def test_a_field_of_the_template_is_in_the_job(name: str) -> None:
    template, said = TEMPLATES[name]
    assert said not in json.dumps(build(make_set(), survey=True))
    resource = make_set(template={**SOURCE, **template})
    assert said in json.dumps(build(resource, survey=True))


def test_the_template_is_read_as_a_migration_is() -> None:
    template = {**SOURCE, "approval": "Manual", "rehearse": "BeforeApply", "retry": {"limit": 3}}
    spec = make_set(template=template).spec.template
    assert (spec.approval, spec.rehearse, spec.retry.limit) == (
        Approval.MANUAL,
        Rehearse.BEFORE_APPLY,
        3,
    )


def test_a_rehearsal_has_a_scratch_server_of_the_targets_version_beside_it() -> None:
    resource = make_set(template={**SOURCE, "rehearse": "BeforeApply"})
    job = build(resource, survey=True, rehearsed_on="17")
    (beside,) = pod_of(job)["initContainers"]
    assert beside["image"] == "postgres:17"
    assert "-rehearse-on host=/rehearsal" in words(job)
    assert words(build(resource, plans=("a" * 64, "b" * 64))).count("-plans") == 1
    assert build(resource, survey=True)["metadata"]["name"] != job["metadata"]["name"]


def test_a_backup_in_the_template_is_refused_by_its_name() -> None:
    backup = {"persistentVolumeClaim": {"claimName": "backups"}}
    with pytest.raises(SpecError, match=r"spec\.template\.backup: a set makes no backups"):
        make_set(template={**SOURCE, "backup": backup})


def test_a_wave_goes_to_the_templates_version_and_keeps_what_was_rolled_back() -> None:
    job = build(make_set(template={**SOURCE, "target": "7"}), held_intent="wanted")
    assert "-rollback forbid fleet goto 7" in words(job)
    found = variables(job)
    assert found["DBMIGRATE_INTENT"] == "wanted"
    assert "DBMIGRATE_ORDER" not in found
    assert "DBMIGRATE_INTENT" not in variables(build(make_set()))


def test_a_rollback_goes_to_its_own_version_by_samples_of_the_way() -> None:
    back = SetRollback("2", "undo")
    resource = make_set(template={**SOURCE, "target": "7"})
    wave = build(resource, rollback=back, held_intent="wanted")
    assert "-rollback allow fleet goto 2" in words(wave)
    assert variables(wave)["DBMIGRATE_ORDER"] == "MigrationAction undo"
    survey = build(resource, survey=True, rollback=back)
    assert "-rollback allow fleet survey 2" in words(survey)
    assert "-samples" in words(survey)
    assert {"DBMIGRATE_ORDER", "DBMIGRATE_INTENT"}.isdisjoint(variables(survey))
    # An order that no target is known to have carried out is asked about; later it holds.
    name = "MigrationAction team/undo: rollback 2"
    new = build(resource, survey=True, rollback=back, is_new=True)
    assert variables(new)["DBMIGRATE_ORDER_ID"] == variables(wave)["DBMIGRATE_ORDER_ID"] == name
    assert "DBMIGRATE_ORDER_ID" not in variables(survey)


def variables(job: dict[str, Any]) -> dict[str, str]:
    (container,) = pod_of(job)["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_the_name_of_a_job_says_what_it_is_for_and_nothing_else() -> None:
    resource = make_set()
    first, last = resource.spec.waves
    orders = [
        FleetOrder("i", 1, 1),
        FleetOrder("i", 2, 1),
        FleetOrder("i", 1, 2),
        FleetOrder("j", 1, 1),
        FleetOrder("i", 1, 1, rehearsed_on="17"),
        FleetOrder("i", 1, 1, rollback=SetRollback("2", "undo")),
        FleetOrder("i", 1, 1, wave=first, rollback=SetRollback("2", "undo")),
        FleetOrder("i", 1, 1, wave=first),
        FleetOrder("i", 1, 1, wave=last),
    ]
    names = {order.name_for(resource) for order in orders}
    assert len(names) == len(orders)
    again = replace(orders[-1], shards=9, allowed_failures=3)
    assert again.name_for(resource) in names


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "fleets").glob("*.yaml")))
def test_an_example_is_read_and_has_jobs(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] != "DatabaseMigrationSet":
            continue
        more = {"namespace": "n", "uid": "u", "creationTimestamp": "2026-11-24T11:00:00Z"}
        resource = parse_set({**document, "metadata": {**document["metadata"], **more}})
        assert resource.spec.unknown == ()
        assert build(resource, shards=3)["spec"]["completions"] == 3
