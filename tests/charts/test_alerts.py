"""When the alert for a resource that is not ready fires, by the series of real statuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.verdict import (
    Verdict,
    in_progress,
    paused,
    ready,
    stalled,
    unknown,
    write_conditions,
)
from dbmigrate.controller.metrics import Metrics
from tests.charts.helm import render

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SELECTOR = re.compile(r"^(?P<name>\w+)\{(?P<matchers>.*)\} == 1$")
MATCHER = re.compile(r'(\w+)(=~?)"([^"]*)"')


def is_met(selector: str, metrics: Metrics) -> bool:
    """Whether a series that `name{label="...", ...} == 1` selects is there with that value."""
    found = SELECTOR.match(selector.strip())
    assert found is not None, selector
    matchers = MATCHER.findall(found["matchers"])
    return any(
        sample.value == 1
        and all(
            re.fullmatch(value, sample.labels[label])
            if operator == "=~"
            else sample.labels[label] == value
            for label, operator, value in matchers
        )
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == found["name"]
    )


@pytest.mark.parametrize(
    ("verdict", "fires"),
    [
        (ready("UpToDate", "at version 2"), False),
        (paused("Suspended", "spec.suspend is set"), False),
        (paused("AwaitingApproval", "a plan waits"), False),
        (paused("RolledBack", "by a MigrationAction"), False),
        (unknown("Unreachable", "no answer"), False),
        (in_progress("ConnectionRefused", "to be tried again"), True),
        (stalled("SqlError", "line 3"), True),
    ],
    ids=lambda each: each.reason if isinstance(each, Verdict) else None,
)
def test_what_waits_for_a_person_is_no_alert(verdict: Verdict, fires: bool) -> None:
    metrics, status = Metrics("1"), MigrationStatus(version="2", dirty=False)
    conditions = tuple(write_conditions(verdict, status, generation=1, now=NOW))
    metrics.observe(("team", "shop"), status, MigrationStatus(conditions=conditions))
    rules = next(
        each["spec"]["groups"][0]["rules"]
        for each in render({"metrics.prometheusRule.enabled": True})
        if each["kind"] == "PrometheusRule"
    )
    asked = next(r["expr"] for r in rules if r["alert"] == "DatabaseMigrationNotReady")
    alternatives = [part.split("and on (namespace, name)") for part in asked.split(" or ")]
    assert len(alternatives) == 2
    met = [all(is_met(each, metrics) for each in selectors) for selectors in alternatives]
    assert any(met) is fires
