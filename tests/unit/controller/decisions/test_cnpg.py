"""Whether CloudNativePG's objects are ready, by the status that it writes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.controller.decisions.cnpg import judge_cluster, judge_database

pytestmark = pytest.mark.quick
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def cluster(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "pg"}, "status": status}


def database(name: str = "shop", of: str = "pg", **status: Any) -> dict[str, Any]:
    spec = {"name": name, "cluster": {"name": of}}
    return {"metadata": {"name": "shop-db", "generation": 2}, "spec": spec, "status": status}


READY = [{"type": "Ready", "status": "True"}]
NOT_READY = [{"type": "Ready", "status": "False"}]


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": READY},
        {
            "conditions": NOT_READY,
            "phase": "Waiting for the instances to become active",
            "currentPrimary": "pg-1",
            "targetPrimary": "pg-1",
            "instancesStatus": {"healthy": ["pg-2", "pg-1"], "failed": ["pg-3"]},
        },
    ],
)
def test_a_cluster_with_a_healthy_primary_is_ready(status: dict[str, Any]) -> None:
    assert judge_cluster(cluster(**status)) is None


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": NOT_READY, "phase": "Setting up primary"},
        {
            "currentPrimary": "pg-1",
            "targetPrimary": "pg-1",
            "instancesStatus": {"failed": ["pg-1"]},
        },
        {
            "phase": "Failing over",
            "currentPrimary": "pg-1",
            "targetPrimary": "pg-2",
            "instancesStatus": {"healthy": ["pg-1", "pg-2"]},
        },
    ],
)
def test_a_cluster_that_is_made_or_fails_over_is_waited_for(status: dict[str, Any]) -> None:
    said = judge_cluster(cluster(**status)) or ""
    assert said.startswith("CloudNativePG's Cluster pg is not ready")
    assert said.endswith(status.get("phase", "not ready"))


def test_a_database_is_waited_for_until_this_generation_of_it_is_applied() -> None:
    statuses: tuple[dict[str, Any], ...] = (
        {},
        {"applied": False, "observedGeneration": 2, "message": "role nobody does not exist"},
        {"applied": True, "observedGeneration": 1},
    )
    for status in statuses:
        said = judge_database([database(**status)], "pg", "shop") or ""
        assert said.startswith("CloudNativePG's Database shop-db is not applied")
        assert status.get("message", "") in said
    applied: dict[str, Any] = {"applied": True, "observedGeneration": 2}
    assert judge_database([database(**applied)], "pg", "shop") is None
    assert judge_database([database("other"), database(of="other")], "pg", "shop") is None
    assert judge_database([], "pg", "shop") is None


def test_what_is_said_is_bounded_and_on_one_line() -> None:
    said = judge_cluster(cluster(phase="\x1b[31m" + "x" * 9000)) or ""
    assert len(said) < 400
    assert "\x1b" not in said


@given(JSON, JSON)
def test_no_document_is_more_than_not_ready(status: Any, spec: Any) -> None:
    judge_cluster({"metadata": {"name": "pg"}, "status": status})
    body = {"metadata": spec, "spec": spec, "status": status}
    judge_database([body, {"spec": {"name": "shop", "cluster": spec}}], "pg", "shop")
