"""The rules of a set's spec that its schema can't tell, and what is computed from it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.fields import SpecError
from dbmigrate.api.fleet.resource import parse_set
from dbmigrate.api.fleet.spec import SetSpec, parse_set_spec
from dbmigrate.api.fleet.status import SetStatus, Totals
from dbmigrate.api.fleet.targets import ITEMS_SIZE_LIMIT, ConfigMapTargets, ItemTargets
from dbmigrate.api.fleet.waves import WaveSpec, dump_waves

pytestmark = pytest.mark.quick

URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
MAPS = {"configMaps": [{"name": "files"}]}
LAST = {"name": "rest"}


def parse(**fields: Any) -> SetSpec:
    given = {"template": {"source": MAPS}, "database": URL, "targets": {"items": [{"name": "a"}]}}
    return parse_set_spec({**given, **fields})


def test_a_set_without_waves_has_one_of_all_targets() -> None:
    assert parse().waves == (WaveSpec("all"),)
    assert parse().waves[0].allowed_failures(10) is None


def test_a_wave_is_read_with_its_defaults() -> None:
    first = {
        "name": "first",
        "selector": {"matchLabels": {"tier": "free"}},
        "share": "2.5%",
        "parallelism": 3,
        "concurrency": 5,
        "maxFailures": "10%",
        "pause": "1h",
    }
    assert parse(
        waves=[first, {"name": "second", "share": "1%", "pause": "Manual"}, LAST]
    ).waves == (
        WaveSpec("first", {"tier": "free"}, "2.5%", 3, 5, "10%", timedelta(hours=1)),
        WaveSpec("second", share="1%", max_failures="0", is_manual=True),
        WaveSpec("rest"),
    )


@pytest.mark.parametrize(
    ("limit", "targets", "allowed"),
    [
        (0, 9, 0),
        (5, 9, 5),
        ("5", 9, 5),
        ("10%", 29, 2),
        ("0.1%", 999, 0),
        ("0.1%", 1000, 1),
        ("100%", 7, 7),
    ],
)
def test_so_many_targets_of_a_wave_may_fail(limit: object, targets: int, allowed: int) -> None:
    (wave,) = parse(waves=[{"name": "a", "maxFailures": limit}]).waves
    assert wave.allowed_failures(targets) == allowed


@pytest.mark.parametrize(
    ("waves", "problem"),
    [
        ([{"name": "a", "share": "1%"}, {"name": "a"}], "spec.waves: names a wave twice"),
        ([{"name": "a", "share": "60%"}, {"name": "b", "share": "40.1%"}, LAST],
         "spec.waves: the shares are more than 100%"),
        ([{"name": "a", "share": "1%"}], "spec.waves: the last wave takes all targets"),
        ([{"name": "a", "selector": {"matchLabels": {"a": "b"}}}],
         "spec.waves: the last wave takes all targets"),
        ([{"name": "a", "maxFailures": "100.1%"}], r"spec.waves\[0\].maxFailures: must be at most"),
        ([{"name": "a", "maxFailures": True}], r"spec.waves\[0\].maxFailures: must be a string"),
        ([{"name": "a", "pause": "none"}], r"spec.waves\[0\].pause: must be a duration, not none"),
    ],
)  # fmt: skip
def test_waves_that_do_not_fit_together_are_refused(waves: list[Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        parse(waves=waves)


def test_shares_may_be_all_of_the_fleet() -> None:
    assert (
        len(parse(waves=[{"name": "a", "share": "60%"}, {"name": "b", "share": "40%"}, LAST]).waves)
        == 3
    )


def test_the_runner_reads_which_targets_each_wave_takes() -> None:
    waves = (WaveSpec("é", {"a": "b"}, "1%", 3, 5, "0"), WaveSpec("rest"))
    assert dump_waves(waves) == (
        '{"waves":[{"name":"é","selector":{"a":"b"},"share":"1%"},{"name":"rest"}]}'
    )


@pytest.mark.parametrize(
    ("targets", "shards"), [(0, 1), (1, 1), (7, 1), (8, 2), (14, 2), (15, 3), (10**9, 1000)]
)
def test_a_wave_has_so_many_shards(targets: int, shards: int) -> None:
    assert parse(shardSize=7).shards_for(targets) == shards


@pytest.mark.parametrize("key", ["a.yaml", "a.yml", "a.json", "a.csv"])
def test_a_list_is_a_key_whose_name_tells_its_format(key: str) -> None:
    assert parse(targets={"configMap": {"name": "m", "key": key}}).targets == (
        ConfigMapTargets("m", key)
    )


def test_items_are_bounded_in_bytes() -> None:
    listed = [{"name": f"{n:03}", "searchPath": "\u00fc"} for n in range(100)]
    free = ITEMS_SIZE_LIMIT - len(ItemTargets(tuple(listed)).to_json().encode())
    for number, each in enumerate(listed):
        each["searchPath"] += "s" * (free // 100 + (number < free % 100))
    targets = parse(targets={"items": listed}).targets
    assert isinstance(targets, ItemTargets)
    assert len(targets.to_json().encode()) == ITEMS_SIZE_LIMIT
    listed[0]["searchPath"] += "s"
    with pytest.raises(SpecError, match=f"holds {ITEMS_SIZE_LIMIT + 1} bytes"):
        parse(targets={"items": listed})


def test_an_item_is_passed_to_the_runner_with_what_it_sets() -> None:
    full = {
        "name": "a", "host": "h", "dbname": "d", "user": "u", "schema": "s", "searchPath": "s, t",
        "historyTable": "x.y", "port": 5433, "labels": {"tier": "free"},
    }  # fmt: skip
    targets = parse(targets={"items": [full, {"name": "b", "port": 0, "labels": {}}]}).targets
    assert isinstance(targets, ItemTargets)
    assert json.loads(targets.to_json()) == {"targets": [{**full, "port": "5433"}, {"name": "b"}]}


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        ({"items": []}, "spec.targets.items: must hold a target"),
        ({"items": [{"name": "a"}, {"name": "a"}]}, "spec.targets.items: names a target twice"),
        ({"configMap": {"name": "m", "key": "a.txt"}}, "must end in one of .yaml, .yml"),
        ({}, "spec.targets: must have exactly one of query, configMap, items"),
    ],
)
def test_a_list_that_can_not_be_one_is_refused(targets: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        parse(targets=targets)


CATALOG = {"urlFrom": {"secretKeyRef": {"name": "catalog", "key": "url"}}}
CHANGES: list[tuple[dict[str, Any], bool]] = [
    ({"catalog": CATALOG}, True),
    ({"targets": {"items": [{"name": "b"}]}}, True),
    ({"template": {"source": MAPS, "target": "3"}}, True),
    ({"database": {"cnpg": {"cluster": "pg"}}}, True),
    ({"waves": [{"name": "first", "share": "1%"}, LAST]}, True),
    ({"waves": [{"name": "all", "parallelism": 2, "maxFailures": 3}]}, False),
    ({"shardSize": 7}, False),
    ({"results": {"table": "results"}}, False),
    ({"checkInterval": "1h"}, False),
    ({"suspend": True}, False),
    ({"template": {"source": MAPS, "retry": {"limit": 1}}}, False),
]


@pytest.mark.parametrize(("fields", "changes"), CHANGES)
def test_the_intent_is_what_the_fleet_is_to_become(fields: dict[str, Any], changes: bool) -> None:
    assert (parse(**fields).intent("d") != parse().intent("d")) is changes


def test_two_lists_of_one_content_are_two_intents() -> None:
    queried = parse(targets={"query": {"sql": "SELECT 1"}})
    assert queried.intent("d") != parse(targets={"query": {"sql": "SELECT 2"}}).intent("d")
    assert queried.intent("d") != queried.intent("e")
    assert parse(catalog=CATALOG).catalog is not None
    assert parse(results={"table": "r"}).results == "r"


def test_a_set_is_read_as_a_whole() -> None:
    metadata = {"namespace": "n", "name": "a", "uid": "u", "creationTimestamp": "2026-11-24"}
    spec = {"template": {"source": MAPS}, "database": URL, "targets": {"items": [{"name": "a"}]}}
    body: dict[str, Any] = {"metadata": metadata, "spec": spec}
    found = parse_set(body)
    assert (found.identity.kind, found.spec) == ("DatabaseMigrationSet", parse())
    assert found.status == SetStatus()
    assert parse_set({**body, "status": {"observedGeneration": 7}}).status.observed_generation == 7
    with pytest.raises(SpecError):
        parse_set({"metadata": metadata})


def test_what_failed_is_dirty_or_was_not_reached_counts_for_the_limit() -> None:
    assert Totals(total=99, current=8, pending=16, failed=1, dirty=2, unreachable=4).bad == 7


def test_a_set_makes_no_backups() -> None:
    backup = {"persistentVolumeClaim": {"claimName": "c"}}
    with pytest.raises(SpecError, match=r"spec\.template\.backup: a set makes no backups"):
        parse(template={"source": MAPS, "backup": backup})
