"""The hash by which a Job made from other settings is found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from dbmigrate.api.job_defaults import fill_in, read_job_defaults
from dbmigrate.api.migration import MigrationResource
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.template import hash_template, note_template, with_options
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick


def hashed(
    migration: MigrationResource, *, defaults: str = "", images: Images | None = None, **more: Any
) -> str:
    images = images or Images("runner:1", "postgres:{major}")
    build = partial(build_job, images=images, **{"server_version": (1, 36), **more})
    options = fill_in(migration.spec.job, read_job_defaults(defaults))
    return hash_template(with_options(migration, options), build)


@pytest.mark.parametrize(
    "change",
    [
        {"images": Images("runner:2", "postgres:{major}")},
        {"defaults": '{"nodeSelector": {"disk": "fast"}}'},
        {"defaults": '{"tolerations": [{"key": "db"}]}'},
        {"defaults": '{"env": [{"name": "A", "value": "b"}]}'},
        {"names_ids": False},
        {"cluster": "other"},
    ],
)
def test_each_setting_of_the_operator_changes_it(change: dict[str, Any]) -> None:
    migration = make_migration()
    assert hashed(migration, **change) != hashed(migration)


def test_a_setting_that_the_resource_does_not_use_does_not() -> None:
    own = make_migration(job={"image": "mine:1", "nodeSelector": {"disk": "slow"}})
    other = Images("runner:2", "scratch:{major}")
    assert hashed(own, images=other, defaults='{"nodeSelector": {"disk": "fast"}}') == hashed(own)
    rehearsed = make_migration(job={"image": "mine:1"}, rehearse="BeforeApply")
    assert hashed(rehearsed, images=other) != hashed(rehearsed)


def test_the_state_of_the_resource_does_not() -> None:
    migration = make_migration()
    later = replace(migration, status=replace(migration.status, format="goose", version="7"))
    assert hashed(later) == hashed(migration)


def test_a_job_carries_it() -> None:
    migration = make_migration()
    build = partial(build_job, images=Images("runner:1"), server_version=(1, 36))
    body = build(migration, RunOrder(RunCommand.GOTO, "intent", 1, 1))
    made = note_template(body, hash_template(migration, build))
    made["metadata"] |= {"uid": "job", "creationTimestamp": "2026-11-24T12:00:00Z"}
    assert parse_run(made).template == hash_template(migration, build)
    assert "template" not in str(made["spec"]["template"]["metadata"]["annotations"])
