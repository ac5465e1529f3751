"""A refused Job is told by the resource's own fields, whatever of the Job the API server names."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.api.migration import MigrationResource
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.controller.jobs.refused_fields import name_fields, needs_strictness
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick

LISTS: dict[str, list[dict[str, Any]]] = {
    "initContainers": [{"name": "one", "image": "a:1"}, {"name": "two", "image": "b:1"}],
    "volumes": [{"name": "one", "emptyDir": {}}, {"name": "two", "emptyDir": {}}],
    "volumeMounts": [{"name": "one", "mountPath": "/one"}, {"name": "two", "mountPath": "/two"}],
    "hostAliases": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}],
    "tolerations": [{"key": "a"}, {"key": "b"}],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
}
PARTS: dict[str, Any] = {
    "dnsConfig": {"nameservers": ["x"]},
    "runtimeClassName": "gvisor",
    "affinity": {"nodeAffinity": {}},
    "nodeSelector": {"a": "b"},
    "priorityClassName": "high",
    "serviceAccountName": "own",
    "podSecurityContext": {"fsGroup": -1},
}
OF_THE_RUNNER = {"volumeMounts", "env"}
COPY = {"image": {"reference": "app:1", "mode": "Copy"}}


def build(**job: Any) -> tuple[MigrationResource, dict[str, Any]]:
    """A Job with as many parts of our own as it may have."""
    migration = make_migration(
        job=job, source=COPY, backup={"persistentVolumeClaim": {"claimName": "c"}}
    )
    order = RunOrder(RunCommand.GOTO, intent="a", attempt=1, generation=1, rehearsed_on="17")
    images = Images("runner:1", "postgres:{major}")
    return migration, build_job(migration, order, images=images, server_version=(1, 36))


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def holder_of(job: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """Where the API server finds the list, and what it is in."""
    if name in OF_THE_RUNNER:
        return "spec.template.spec.containers[0]", pod_of(job)["containers"][0]
    return "spec.template.spec", pod_of(job)


@pytest.mark.parametrize("name", LISTS)
def test_each_item_is_named_by_its_place_in_the_resource(name: str) -> None:
    migration, job = build(**LISTS)
    path, holder = holder_of(job, name)
    own = 0
    for index, item in enumerate(holder[name]):
        told = name_fields(f"{path}.{name}[{index}].name: Invalid", job, migration.spec.job)
        if item in LISTS[name]:
            assert told == f"spec.job.{name}[{LISTS[name].index(item)}].name: Invalid"
            own += 1
        else:
            assert told == f"{path}.{name}[{index}].name: Invalid"
    assert own == len(LISTS[name])


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_named_as_the_resource_has_it(name: str) -> None:
    migration, job = build(**PARTS)
    field = "securityContext" if name == "podSecurityContext" else name
    assert field in pod_of(job)
    said = f'Job.batch "x" is invalid: spec.template.spec.{field}.x: Invalid value'
    told = name_fields(said, job, migration.spec.job)
    assert told == f'Job.batch "x" is invalid: spec.job.{name}.x: Invalid value'


def test_several_causes_and_other_forms_of_them() -> None:
    migration, job = build(**LISTS)
    count = len(pod_of(job)["initContainers"])
    first = next(i for i in range(count) if pod_of(job)["initContainers"][i]["name"] == "one")
    said = (
        f"[spec.template.spec.initContainers[{first}].image: Required value,"
        f" spec.template.spec.initContainers[{first + 1}].ports[0]: Required value]"
    )
    assert name_fields(said, job, migration.spec.job) == (
        "[spec.job.initContainers[0].image: Required value,"
        " spec.job.initContainers[1].ports[0]: Required value]"
    )
    said = "into Go struct field Container.spec.template.spec.initContainers.ports of type"
    assert name_fields(said, job, migration.spec.job) == (
        "into Go struct field Container.spec.job.initContainers.ports of type"
    )
    said = f'unknown field "spec.template.spec.initContainers[{first}].restartPolcy"'
    assert name_fields(said, job, migration.spec.job) == (
        'unknown field "spec.job.initContainers[0].restartPolcy"'
    )
    said = "spec.template.spec.containers[0].resources.limits: Invalid"
    assert name_fields(said, job, migration.spec.job) == "spec.job.resources.limits: Invalid"
    for said in (
        "spec.template.spec.initContainers[99].x",
        "spec.template.spec.containers[7].env[0]",
    ):
        assert name_fields(said, job, migration.spec.job) == said


@pytest.mark.parametrize(
    "name", ["initContainers", "volumes", "volumeMounts", "hostAliases", "dnsConfig"]
)
def test_unknown_fields_are_refused_only_where_a_resource_has_the_newer_fields(name: str) -> None:
    assert not needs_strictness(make_migration().spec.job)
    older = {k: v for k, v in {**LISTS, **PARTS}.items() if k in {"tolerations", "env", "affinity"}}
    assert not needs_strictness(make_migration(job=older).spec.job)
    assert needs_strictness(make_migration(job={name: {**LISTS, **PARTS}[name]}).spec.job)


def test_a_sets_fields_are_in_its_template() -> None:
    migration, job = build(**LISTS)
    said = "spec.template.spec.dnsConfig.searches[0]: Invalid, spec.template.spec.volumes[99]"
    assert name_fields(said, job, migration.spec.job, within="spec.template.job") == (
        "spec.template.job.dnsConfig.searches[0]: Invalid, spec.template.spec.volumes[99]"
    )
