"""Every example of a connection is one that the API server takes, and so is the Job made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dbmigrate.api.migration import parse_migration
from dbmigrate.controller.decisions.runs import RunCommand
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
