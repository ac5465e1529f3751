"""A Job that was not offered since another operator leads counts as no refusal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.spec import JobOptions
from dbmigrate.controller.cluster import Cluster, Fenced, Unavailable
from dbmigrate.controller.config import read_config
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.job_creation import JobCreation
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.controller.jobs.job_object import parse_run
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick

ORDER = RunOrder(RunCommand.GOTO, intent="abc", attempt=1, generation=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Jobs:
    """Stands where the API server does."""

    def __init__(self, *problems: Exception) -> None:
        self._problems = list(problems)
        self.made: list[dict[str, Any]] = []

    async def create_job(self, body: dict[str, Any], *, is_strict: bool) -> dict[str, Any]:
        self.was_strict = is_strict
        if self._problems:
            raise self._problems.pop(0)
        self.made.append(body)
        metadata = {**body["metadata"], "uid": "j", "creationTimestamp": "2026-01-01T00:00:00Z"}
        return {**body, "metadata": metadata}


def creation(jobs: Jobs, *arguments: str) -> JobCreation:
    defaults = read_config(["run", *arguments], {}).job_defaults
    return JobCreation(cast("Cluster", jobs), defaults, clock=lambda: NOW)


def create(creation: JobCreation, migration: MigrationResource) -> Document | Rejection:
    """Offer its Job, as the reconciler does."""

    def build(options: JobOptions) -> Document:
        return build_job(
            replace(migration, spec=replace(migration.spec, job=options)),
            ORDER,
            images=Images("runner"),
            server_version=(1, 36),
            names_ids=True,
            cluster="here",
        )

    key = (migration.identity.namespace, migration.identity.name)
    name = ORDER.name_for(migration)
    return asyncio.run(creation.create(key, name, migration.spec.job, build))


def test_a_fenced_offer_is_made_again_at_once_and_a_failed_one_is_not() -> None:
    jobs = Jobs(Fenced("another operator leads"), Unavailable("away"))
    made_by = creation(jobs)
    with pytest.raises(Fenced):
        create(made_by, make_migration())
    failed = create(made_by, make_migration())
    assert isinstance(failed, Rejection)
    assert "away" in failed.message
    assert create(made_by, make_migration()) == failed
    assert jobs.made == []


def test_defaults_are_filled_in_when_the_job_is_made() -> None:
    jobs = Jobs()
    defaults = '--job-defaults={"nodeSelector": {"pool": "jobs"}, "labels": {"a": "1", "b": "1"}}'
    own = make_migration(job={"labels": {"a": "2"}})
    made = create(creation(jobs, defaults), own)
    assert not isinstance(made, Rejection)
    assert isinstance(parse_run(made), JobRun)
    pod = jobs.made[0]["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "jobs"}
    assert (pod["metadata"]["labels"]["a"], pod["metadata"]["labels"]["b"]) == ("2", "1")
