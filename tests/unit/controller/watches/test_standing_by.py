"""An operator that stands by remembers what there is, and keeps no bodies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.watches.events import Watch
from dbmigrate.controller.watches.observed import Observed
from dbmigrate.controller.watches.work_queue import WorkQueue

pytestmark = pytest.mark.quick

BODY = {
    "metadata": {
        "namespace": "team",
        "name": "shop",
        "uid": "u",
        "generation": 1,
        "resourceVersion": "5",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        "source": {"configMaps": [{"name": "files"}]},
    },
}
KEY = ("team", "shop")


@pytest.mark.parametrize("is_leading", [True, False])
def test_bodies_are_kept_by_the_leader_alone(is_leading: bool) -> None:
    observed = Observed()
    wakes = WorkQueue(
        NotImplemented,
        clock=lambda: datetime.now(UTC),
        on_error=lambda *_: None,
        on_end=lambda *_: None,
        workers=1,
    )
    watch = Watch(observed, wakes, is_leading=lambda: is_leading)
    observed.see_body(BODY)
    watch.on_migration(BODY, is_gone=False)
    assert (observed.find_body(KEY) is not None) is is_leading
    assert observed.list_keys() == (KEY,)
    assert list(observed.users_of(("team", "files"))) == [KEY]


def test_series_of_resources_come_from_the_leader_alone() -> None:
    metrics = Metrics("1")

    def names() -> set[str]:
        return {
            sample.name
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.labels.get("name") == "shop"
        }

    metrics.lead(True)
    metrics.observe(KEY, MigrationStatus(), MigrationStatus(version="1", pending=0, dirty=False))
    metrics.answered(KEY, datetime.now(UTC))
    assert {"dbmigrate_migration_info", "dbmigrate_migration_dirty"} <= names()
    assert metrics.registry.get_sample_value("dbmigrate_leader") == 1
    metrics.lead(False)
    assert names() == set()
    assert metrics.registry.get_sample_value("dbmigrate_leader") == 0
