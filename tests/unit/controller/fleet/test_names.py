"""Names that Kubernetes derives from those of a set's Jobs: each is valid, whatever the set is
called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.fleet.status import SetRollback
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.body import Images
from dbmigrate.controller.jobs.naming import job_name
from tests.unit.controller.fleet.world import make_set

pytestmark = pytest.mark.quick

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

parts = st.text(ALPHABET + "-", min_size=1, max_size=63).filter(
    lambda part: part[0] != "-" and part[-1] != "-"
)
names = st.lists(parts, min_size=1, max_size=8).map(".".join).filter(lambda name: len(name) <= 253)
"""Subdomains of DNS, as Kubernetes requires it of the name of any resource of ours."""


def make_named(name: str, uid: str = "uid") -> SetResource:
    resource = make_set()
    return replace(resource, identity=replace(resource.identity, name=name, uid=uid))


def orders_of(resource: SetResource, shards: int) -> list[FleetOrder]:
    first = FleetOrder("intent", 1, 1)
    moves = [first, *(replace(first, wave=wave, shards=shards) for wave in resource.spec.waves)]
    back = [replace(each, rollback=SetRollback("4", "act")) for each in moves]
    return [*moves, *back, replace(first, rehearsed_on="17"), replace(first, attempt=2)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(names, st.integers(1, MOST_SHARDS))
def test_every_name_of_a_set_gives_valid_and_distinct_names(name: str, shards: int) -> None:
    resource = make_named(name)
    made = []
    for order in orders_of(resource, shards):
        job = build_fleet_job(
            resource,
            order,
            images=Images("runner:1", "postgres:{major}"),
            server_version=(1, 36),
            cluster="here",
            names_ids=True,
        )
        made.append(job["metadata"]["name"])
        # The API server checks the host of the last index when it takes an Indexed Job.
        for index in (0, shards - 1, 999_999):
            assert DNS_LABEL.fullmatch(f"{made[-1]}-{index}"), made[-1]
        for value in job["metadata"]["labels"].values():
            assert LABEL_VALUE.fullmatch(value), value
    assert len(set(made)) == len(made)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(names, min_size=2, max_size=6, unique=True))
def test_two_sets_never_have_a_job_of_one_name(found: list[str]) -> None:
    order = FleetOrder("intent", 1, 1)
    made = {order.name_for(make_named(name, uid=f"uid-{name}")) for name in found}
    assert len(made) == len(found)


@pytest.mark.parametrize(
    "name", ["tenants.eu", "tenants-eu", "f" * 50, "f" * 51, "f" * 63, "a" * 253, "a." * 126 + "a"]
)
def test_names_that_were_refused_are_valid(name: str) -> None:
    resource = make_named(name)
    for order in orders_of(resource, MOST_SHARDS):
        assert DNS_LABEL.fullmatch(f"{order.name_for(resource)}-999999")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(parts.filter(lambda part: len(part) <= 45))
def test_jobs_of_short_names_keep_the_names_that_they_have_had(name: str) -> None:
    """An operator that is updated in the middle of a rollout finds the Jobs of before."""
    resource = make_named(name)
    for order in orders_of(resource, 1):
        wave = f"wave/{order.wave.name}" if order.wave else order.purpose
        back = f"/rollback/{order.rollback.version}" if order.rollback else ""
        former = job_name(
            name, uid="uid", command=wave + back, generation=1, intent="intent", n=order.attempt
        )
        assert order.name_for(resource) == former
