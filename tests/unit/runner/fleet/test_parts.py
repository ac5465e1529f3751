"""Shards and waves: each target is in exactly one, whoever else comes or goes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.runner.fleet.shards import Shard, hash_name, parse_shard
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.waves import (
    FailureLimit,
    Wave,
    check_waves,
    parse_failure_limit,
    read_wave,
    wave_of,
)

NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable())


def test_the_hash_is_one_that_anybody_can_compute() -> None:
    assert hash_name("acme") == int(hashlib.sha256(b"acme").hexdigest()[:16], 16)


@settings(derandomize=True, deadline=None)
@given(NAMES, st.integers(1, 1000))
def test_a_target_is_in_exactly_one_shard(name: str, count: int) -> None:
    assert sum(Shard(index, count).has(name) for index in range(count)) == 1


@settings(derandomize=True, deadline=None)
@given(NAMES, st.lists(st.integers(0, 25), min_size=1, max_size=4))
def test_waves_with_shares_and_a_rest_take_each_target_once(name: str, shares: list[int]) -> None:
    waves = [Wave(str(index), share=share / 100) for index, share in enumerate(shares)]
    waves.append(Wave("rest"))
    taken = wave_of(FleetTarget(name), waves)
    assert taken in waves
    # A wave that is added behind moves no target out of an earlier one.
    assert wave_of(FleetTarget(name), [*waves, Wave("later")]) == taken


def test_a_share_takes_about_its_part_of_the_fleet() -> None:
    waves = [Wave("canary", share=0.01), Wave("half", share=0.5), Wave("rest")]
    found = [wave_of(FleetTarget(f"tenant_{n}"), waves) for n in range(20_000)]
    assert 130 < found.count(waves[0]) < 270
    assert 9_600 < found.count(waves[1]) < 10_400


def test_a_selector_takes_the_targets_with_its_labels_alone() -> None:
    waves = [Wave("eu", {"region": "eu"}), Wave("free", {"tier": "free"})]
    assert wave_of(FleetTarget("a", labels={"region": "eu", "tier": "free"}), waves) is waves[0]
    assert wave_of(FleetTarget("b", labels={"region": "us", "tier": "free"}), waves) is waves[1]
    assert wave_of(FleetTarget("c", labels={"region": "us"}), waves) is None


@pytest.mark.parametrize(
    "text", ["", "3", "3/", "/3", "3/3", "0/0", "-1/3", "1/3 ", "a/b", "1/9e9"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|counted from 0"):
        parse_shard(text)


def test_a_limit_of_failures_is_a_number_or_a_share() -> None:
    assert parse_failure_limit("0") == FailureLimit(number=0)
    assert parse_failure_limit("5%").is_exceeded(6, 100)
    assert not parse_failure_limit("5%").is_exceeded(5, 100)
    assert parse_failure_limit("0").is_exceeded(1, 10)
    for text in ("", "-1", "101%", "5 of 10", "1e3", "5%%", "nan%"):
        with pytest.raises(ValueError, match="expected"):
            parse_failure_limit(text)


def test_waves_are_read_with_what_is_the_operators_and_no_other_words() -> None:
    row = {"name": "canary", "share": "1%", "maxFailures": "0", "pause": "10m", "parallelism": "1"}
    assert read_wave(row, "list") == Wave("canary", {}, 0.01, None, FailureLimit(number=0))
    for wrong in ({"name": ""}, {"name": "a", "shares": "1%"}, {"name": "a", "share": "much"}):
        with pytest.raises(MigrationError, match="list"):
            read_wave(wrong, "list")
    with pytest.raises(MigrationError, match="more than 100%"):
        check_waves([Wave("a", share=0.6), Wave("b", share=0.6)], "list")
    with pytest.raises(MigrationError, match="two waves are called a"):
        check_waves([Wave("a"), Wave("a")], "list")
