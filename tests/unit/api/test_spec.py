"""The spec is read as the manifest says it, and a mistake is named by its path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.database import Connection, KeyRef, UrlFrom
from dbmigrate.api.durations import format_duration, parse_duration
from dbmigrate.api.fields import SpecError
from dbmigrate.api.fleet.spec import parse_set_spec
from dbmigrate.api.source import ClaimSource, ConfigMapsSource, ImageMode, ImageSource
from dbmigrate.api.spec import Approval, BackupOptions, MigrationSpec, parse_spec
from dbmigrate.policies import Rollback
from dbmigrate.postgres.identity.identity import parse_identity

pytestmark = pytest.mark.quick

URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
MAPS = {"configMaps": [{"name": "files"}]}


def parse(**fields: Any) -> MigrationSpec:
    return parse_spec({"database": URL, "source": MAPS, **fields})


def test_what_is_left_out_has_the_documented_default() -> None:
    spec = parse()
    assert spec.database.access == UrlFrom(KeyRef("db", "url"))
    assert spec.database.history_table == "schema_migrations"
    assert spec.source == ConfigMapsSource(("files",))
    assert (spec.target, spec.rollback, spec.approval) == (
        "latest",
        Rollback.FORBID,
        Approval.AUTOMATIC,
    )
    assert spec.timeouts.lock == timedelta(seconds=15)
    assert spec.timeouts.statement is None
    assert spec.timeouts.deadline == timedelta(hours=1)
    assert (spec.retry.limit, spec.retry.max_delay) == (10, timedelta(minutes=5))
    assert (spec.history.successful, spec.history.failed) == (3, 3)
    assert not spec.suspend


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        ({}, "needs connection.sslmode"),
        ({"sslmode": "prefer"}, "needs connection.sslmode"),
        ({"sslmode": "require", "passwordFile": "/p"}, "together with a password"),
        ({"sslmode": "require"}, None),
        ({"rootCertificateFrom": {"system": {}}}, None),
    ],
)
def test_an_identity_needs_tls_and_no_password(
    connection: dict[str, object], problem: str | None
) -> None:
    database = {
        "connection": {"host": "h", "dbname": "d", **connection},
        "identity": {"aws": {"region": "eu-west-1", "port": 5433}},
        "role": "team",
    }
    if problem is not None:
        with pytest.raises(SpecError, match=problem):
            parse(database=database)
        return
    spec = parse(database=database).database
    assert spec.cloud_login is not None
    assert spec.cloud_login.argument == "aws:region=eu-west-1,port=5433"
    assert parse_identity(spec.cloud_login.argument).port == 5433
    assert spec.role == "team"
    plain = parse(database={"connection": database["connection"]}).database
    assert spec.identity == plain.identity  # the same history
    assert {"role", "cloud_login"} & set(plain.words) == set()


def test_a_connection_is_read_with_its_references() -> None:
    connection = {
        "host": "h",
        "dbname": "d",
        "userFrom": {"secretKeyRef": {"name": "s", "key": "u"}},
        "rootCertificateFrom": {"configMapKeyRef": {"name": "ca", "key": "crt"}},
    }
    access = parse(database={"connection": connection}).database.access
    assert access == Connection(
        host="h",
        dbname="d",
        user_from=KeyRef("s", "u"),
        root_certificate_from=KeyRef("ca", "crt", "ConfigMap"),
    )


def test_paths_are_kept_inside_their_volume() -> None:
    image = {"reference": "app:1", "path": "/db//migrations/", "mode": "Copy"}
    assert parse(source={"image": image}).source == ImageSource(
        "app:1", "db/migrations", mode=ImageMode.COPY
    )
    claim = {"claimName": "files"}
    assert parse(source={"persistentVolumeClaim": claim}).source == ClaimSource("files", "")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"database": {}}, "spec.database"),
        ({"database": {**URL, "connection": {"host": "h", "dbname": "d"}}}, "spec.database"),
        ({"database": {"connection": {"dbname": "d"}}}, "spec.database.connection.host"),
        ({"database": {"urlFrom": {"secretKeyRef": {"name": "x"}}}}, "secretKeyRef.key"),
        ({"source": {}}, "spec.source"),
        ({"source": {**MAPS, "inline": {"a": "b"}}}, "spec.source"),
        ({"source": {"configMaps": [{"name": "a"}, {"name": "a"}]}}, "spec.source.configMaps"),
        ({"source": {"image": {"reference": "x", "path": "../etc"}}}, "spec.source.image.path"),
        ({"source": {"inline": {"../x": "y"}}}, "spec.source.inline[../x]"),
        ({"source": {"inline": {"1_a.up.sql": "x" * 131072}}}, "spec.source.inline"),
        ({"target": "-1"}, "spec.target"),
        ({"target": "v2"}, "spec.target"),
        ({"target": "-all", "source": {**MAPS, "format": "atlas"}}, "spec.target"),
        ({"target": "1; drop"}, "spec.target"),
        ({"rollback": "Maybe"}, "spec.rollback"),
        ({"timeouts": {"lock": "none"}}, "spec.timeouts.lock"),
        ({"timeouts": {"deadline": "soon"}}, "spec.timeouts.deadline"),
        ({"retry": {"limit": -1}}, "spec.retry.limit"),
        ({"suspend": "yes"}, "spec.suspend"),
        ({"job": {"labels": {"a": 1}}}, "spec.job.labels[a]"),
    ],
)
def test_a_mistake_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(**fields)
    assert caught.value.path.endswith(path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1.5h", 5400), ("1d", 86400)],
)
def test_durations_are_sums_of_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "s", "1 s", "-1s", "1s2", "forever"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["15s", "90s", "500ms", "1h", "5m", "0s"])
def test_a_formatted_duration_means_the_same(text: str) -> None:
    duration = parse_duration(text)
    assert duration is not None
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "3"},
        {"rollback": "Allow"},
        {"outOfOrder": "Apply"},
        {"changedFiles": "Warn"},
        {"source": {"image": {"reference": "app:1"}}},
        {"source": {"image": {"reference": "app:1", "path": "/sql"}}},
        {"source": {"configMaps": [{"name": "files"}], "format": "goose"}},
        {"database": {**URL, "historyTable": "x.y"}},
    ],
)
def test_what_the_database_is_to_become_is_part_of_the_intent(changes: dict[str, Any]) -> None:
    assert parse(**changes).intent("d") != parse().intent("d")
    assert parse().intent("d") != parse().intent("e")


@pytest.mark.parametrize(
    "changes",
    [
        {"suspend": True},
        {"retry": {"limit": 1}},
        {"job": {"image": "x"}},
        {"approval": "Manual"},
        {"rehearse": "BeforeApply"},
        {"backup": {"persistentVolumeClaim": {"claimName": "c"}}},
        {"timeouts": {"deadline": "2h"}},
        {"history": {"failed": 1}},
        {"checkInterval": "1h"},
        {"source": {"configMaps": [{"name": "renamed"}]}},
        {"source": {"configMaps": [{"name": "a"}, {"name": "b"}]}},
    ],
)
def test_how_runs_are_made_is_not(changes: dict[str, Any]) -> None:
    assert parse(**changes).intent("d") == parse().intent("d")


def test_how_an_image_is_pulled_and_read_changes_nothing_in_the_database() -> None:
    image = {"reference": "app:1"}
    intents = {
        parse(source={"image": {**image, **how}}).intent("d")
        for how in ({}, {"pullPolicy": "Never"}, {"mode": "Copy"})
    }
    assert len(intents) == 1


@pytest.mark.parametrize(("keep", "expected"), [({}, None), ({"keep": 0}, None), ({"keep": 3}, 3)])
def test_backups_are_kept_up_to_a_number_or_all(keep: dict[str, int], expected: int | None) -> None:
    claim = {"claimName": "c", "path": "b"}
    spec = parse(backup={"persistentVolumeClaim": claim, **keep})
    assert spec.backup == BackupOptions(ClaimSource("c", "b"), expected)
    assert parse().backup is None


def test_a_version_of_atlas_may_be_a_word() -> None:
    assert parse(target="v2-users", source={**MAPS, "format": "atlas"}).target == "v2-users"


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"guard": "Strict"}, ("spec.guard",)),
        ({"guard": None}, ()),
        ({"timeouts": {"lock": "1s", "network": "5s"}}, ("spec.timeouts.network",)),
        ({"source": {**MAPS, "sign": {"key": "x"}}}, ("spec.source.sign",)),
        ({"source": {"configMaps": [{"name": "a"}, {"name": "b", "optional": True}]}},
         ("spec.source.configMaps[1].optional",)),
        ({"database": {**URL, "pooler": False, "a.b": 1}},
         ("spec.database.a.b", "spec.database.pooler")),
        ({"job": {"resources": {"anything": {"at": "all"}}, "nodeSelector": {"a": "b"}}}, ()),
        ({"backup": {"persistentVolumeClaim": {"claimName": "a", "subPath": "x"}}},
         ("spec.backup.persistentVolumeClaim.subPath",)),
    ],
)  # fmt: skip
def test_a_field_that_is_not_known_is_noticed_wherever_it_stands(
    fields: dict[str, Any], unknown: tuple[str, ...]
) -> None:
    assert parse(**fields).unknown == unknown


@pytest.mark.parametrize(
    ("section", "name", "fits", "beyond"),
    [
        ("timeouts", "deadline", "1s", "999ms"),
        ("timeouts", "lockAcquisition", "24d", "24d1ms"),
        ("timeouts", "statement", "24d", "24d1ms"),
        ("", "checkInterval", "1m", "59s"),
        ("drift", "interval", "10m", "599s"),
    ],
)
def test_a_duration_has_bounds(section: str, name: str, fits: str, beyond: str) -> None:
    parse(**({section: {name: fits}} if section else {name: fits}))
    with pytest.raises(SpecError) as caught:
        parse(**({section: {name: beyond}} if section else {name: beyond}))
    assert caught.value.path == ".".join(filter(None, ("spec", section, name)))


@pytest.mark.parametrize(
    ("drift", "path"),
    [
        ({"schema": False}, "spec.drift.schema"),
        ({"interval": "9m"}, "spec.drift.interval"),
        ({"ignore": "partman.*"}, "spec.drift.ignore"),
        ({"ignore": ["a", 7]}, "spec.drift.ignore[1]"),
        ({"ignore": ["a\n"]}, "spec.drift.ignore[0]"),
        ({"ignore": ["a"] * 65}, "spec.drift.ignore"),
    ],
)
def test_a_mistake_in_drift_is_named(drift: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse(drift=drift)
    assert raised.value.path == path


def test_drift_changes_nothing_of_what_is_to_be_migrated() -> None:
    compared = parse(drift={"schema": "Report", "interval": "none", "ignore": ["a.*"]})
    assert compared.drift.interval is None
    assert compared.intent("one") == parse().intent("one")


def test_a_set_has_no_drift() -> None:
    template = {"source": MAPS, "drift": {"schema": "Report"}}
    found = parse_set_spec(
        {
            "template": template,
            "database": URL,
            "targets": {"items": [{"name": "a", "dbname": "a"}]},
        }
    )
    assert found.unknown == ("spec.template.drift",)
