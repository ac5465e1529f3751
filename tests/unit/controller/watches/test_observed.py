"""The cache: what it keeps, what it lets go, and who stands back for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.migration import MigrationResource
from dbmigrate.controller.decisions.files import ConfigMapFiles
from dbmigrate.controller.watches.observed import Observed
from tests.unit.controller.resources import UID, make_migration, make_pod, make_run

pytestmark = pytest.mark.quick


def other(name: str, *, younger: bool, **spec: Any) -> MigrationResource:
    migration = make_migration(**spec)
    identity = migration.identity
    age = timedelta(hours=1 if younger else -1)
    identity = replace(identity, name=name, uid=name, created_at=identity.created_at + age)
    return replace(migration, identity=identity)


def test_the_older_of_two_on_one_database_is_the_elder() -> None:
    observed, migration = Observed(), make_migration()
    observed.see_migration(migration)
    assert observed.find_older(migration) is None
    observed.see_migration(other("younger", younger=True))
    assert observed.find_older(migration) is None
    observed.see_migration(other("older", younger=False))
    older = observed.find_older(migration)
    assert older is not None
    assert older.name == "older"


def test_those_who_stood_back_are_named_when_the_elder_goes() -> None:
    observed, migration = Observed(), make_migration()
    observed.see_migration(migration)
    observed.see_migration(other("older", younger=False))
    assert observed.forget_migration(("team", "older"), "older") == [("team", "shop")]
    assert observed.find_older(migration) is None


def test_those_on_both_databases_are_named_when_the_elder_is_led_to_another() -> None:
    observed, migration = Observed(), make_migration()
    elsewhere = {"urlFrom": {"secretKeyRef": {"name": "other", "key": "url"}}}
    observed.see_migration(other("older", younger=False))
    observed.see_migration(migration)
    there = other("there", younger=True, database=elsewhere)
    observed.see_migration(there)
    assert observed.find_older(migration) is not None
    moved = other("older", younger=False, database=elsewhere)
    assert observed.see_migration(moved) == [("team", "shop"), ("team", "there")]
    assert observed.see_migration(moved) == []
    assert observed.find_older(migration) is None
    assert observed.find_older(there) is not None
    assert observed.forget_migration(("team", "older"), "older") == [("team", "there")]


def test_another_history_table_is_another_history() -> None:
    observed, migration = Observed(), make_migration()
    database = {
        "urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}},
        "historyTable": "billing.schema_migrations",
    }
    observed.see_migration(other("older", younger=False, database=database))
    assert observed.find_older(migration) is None


def test_a_config_map_knows_its_users() -> None:
    observed = Observed()
    observed.see_migration(make_migration())
    assert list(observed.users_of(("team", "shop-migrations"))) == [("team", "shop")]
    observed.see_migration(make_migration(source={"configMaps": [{"name": "elsewhere"}]}))
    assert list(observed.users_of(("team", "shop-migrations"))) == []
    assert list(observed.users_of(("other", "elsewhere"))) == []


def test_an_older_body_does_not_replace_a_newer_one() -> None:
    observed = Observed()

    def body(version: str, uid: str = UID) -> dict[str, Any]:
        return {
            "metadata": {
                "namespace": "team",
                "name": "shop",
                "uid": uid,
                "resourceVersion": version,
            }
        }

    observed.see_body(body("100"))
    observed.see_body(body("99"))
    assert observed.find_body(("team", "shop")) == body("100")
    observed.see_body(body("7", uid="made again"))
    assert observed.find_body(("team", "shop")) == body("7", uid="made again")


def test_the_last_words_of_a_pod_are_kept_as_long_as_its_job() -> None:
    observed, run = Observed(), make_run(make_migration())
    observed.see_run(run)
    observed.see_pod(make_pod(run))
    observed.see_pod(make_pod(run, is_gone=True))
    assert [pod.is_gone for pod in observed.find_pods(UID)] == [True]
    observed.replace_runs(UID, [run], [])
    assert len(observed.find_pods(UID)) == 1
    observed.forget_run(run)
    assert observed.find_pods(UID) == ()
    assert observed.find_runs(UID) == ()


def test_a_pod_that_vanished_unseen_is_marked_gone() -> None:
    observed, run = Observed(), make_run(make_migration())
    observed.see_run(run)
    observed.see_pod(make_pod(run))
    observed.replace_runs(UID, [run], [])
    assert [pod.is_gone for pod in observed.find_pods(UID)] == [True]


def test_a_job_made_again_under_the_same_name_is_not_forgotten_with_the_old_one() -> None:
    observed, run = Observed(), make_run(make_migration())
    observed.see_run(replace(run, uid="new"))
    observed.forget_run(run)
    assert len(observed.find_runs(UID)) == 1


def test_config_maps_come_and_go() -> None:
    observed, files = Observed(), ConfigMapFiles(frozenset({"1_a.up.sql"}), "digest")
    observed.see_config_map(("team", "x"), files)
    assert observed.find_config_map(("team", "x")) == files
    observed.forget_config_map(("team", "x"))
    assert observed.find_config_map(("team", "x")) is None
