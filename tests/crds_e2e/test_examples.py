"""Every example of a connection or of a fleet is one that the API server takes, and so are the Jobs
made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dbmigrate.api.fleet.resource import parse_set
from dbmigrate.api.migration import parse_migration
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from tests.cluster import Namespace

pytestmark = pytest.mark.cluster

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "connections").glob("*.yaml"))
ORDER = RunOrder(RunCommand.GOTO, intent="abc", attempt=1, generation=1, rehearsed_on="17")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_and_its_job_are_taken(path: Path, namespace: Namespace) -> None:
    api, documents = namespace.cluster.api, list(yaml.safe_load_all(path.read_text()))
    (example,) = (each for each in documents if each["kind"] == "DatabaseMigration")
    for other in documents:
        if other is not example:
            namespace.apply(other)
    made = api.post(namespace.path("dbm"), example, dryRun="All", fieldValidation="Strict")
    migration = parse_migration(made)
    assert migration.spec.unknown == ()
    job = build_job(migration, ORDER, images=Images("r:1", "p:{major}"), server_version=(1, 36))
    api.post(namespace.path("job"), job, dryRun="All", fieldValidation="Strict")


FLEETS = sorted((Path(__file__).parents[2] / "examples" / "fleets").glob("*.yaml"))


@pytest.mark.parametrize("path", FLEETS, ids=lambda path: path.stem)
def test_an_example_of_a_fleet_and_its_jobs_are_taken(path: Path, namespace: Namespace) -> None:
    api = namespace.cluster.api
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] != "DatabaseMigrationSet":
            namespace.apply(document)
            continue
        made = api.post(namespace.path("dbmset"), document, dryRun="All", fieldValidation="Strict")
        resource = parse_set(made)
        assert resource.spec.unknown == ()
        orders = [FleetOrder("i", 1, 1), FleetOrder("i", 1, 1, rehearsed_on="17")]
        orders += [FleetOrder("i", 1, 1, wave=each, shards=40) for each in resource.spec.waves]
        for order in orders:
            job = build_fleet_job(
                resource,
                order,
                images=Images("r:1", "p:{major}"),
                server_version=(1, 36),
                cluster="here",
                names_ids=True,
            )
            api.post(namespace.path("job"), job, dryRun="All", fieldValidation="Strict")
