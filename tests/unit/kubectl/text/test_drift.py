"""What a drift check has found is shown, or it is said why there is nothing to show."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.kubectl.resource import Resource
from dbmigrate.kubectl.text.advice import advise
from dbmigrate.kubectl.text.description import describe
from dbmigrate.kubectl.text.drift import NoDrift, describe_drift, find_drift
from tests.unit.kubectl.bodies import BEFORE, NOW, make_condition, make_resource, text_of

pytestmark = pytest.mark.quick

FOUND: dict[str, Any] = {
    "job": "shop-2",
    "startedAt": BEFORE,
    "checkedAt": BEFORE,
    "intent": "one",
    "version": "12",
    "differencesTotal": 3,
    "differences": [
        {
            "change": "changed",
            "kind": "column",
            "name": "public.users.age",
            "details": "type is bigint, and was integer",
            "undo": "ALTER TABLE public.users ALTER COLUMN age TYPE integer",
        },
        {"change": "added", "kind": "table", "name": "public.by_hand"},
    ],
}


def compared(truth: str, reason: str, message: str = "m", **status: Any) -> Resource:
    conditions = [make_condition("SchemaDrifted", truth, reason, message)]
    return make_resource("Applied", truth="True", conditions=conditions, **status)


def shown(resource: Resource) -> str:
    return text_of(describe_drift(resource, find_drift(resource), NOW))


def test_each_difference_is_shown_with_its_undoing_and_what_is_left_out() -> None:
    assert shown(compared("True", "SchemaDiffers", drift=FOUND)) == (
        "3 objects differ from what the migrations up to 12 make, checked 3m ago\n"
        "  changed column public.users.age\n"
        "    type is bigint, and was integer\n"
        "    undo: ALTER TABLE public.users ALTER COLUMN age TYPE integer;\n"
        "  added table public.by_hand\n"
        "  ... and 1 more, which the status does not hold: kubectl dbmigrate logs shop --job shop-2"
    )


def test_a_schema_without_differences_is_said_to_be_so() -> None:
    same = {**FOUND, "differencesTotal": 0, "differences": []}
    text = shown(compared("False", "SchemaMatches", drift=same))
    assert text == "nothing differs from what the migrations up to 12 make, checked 3m ago"


def test_a_check_that_failed_since_stands_below_the_last_answer() -> None:
    failed = {**FOUND, "reason": "ConnectionLost", "error": "gone", "unanswered": 1}
    text = shown(compared("True", "SchemaDiffers", drift=failed))
    assert text.splitlines()[1] == "the newest check could not be made: ConnectionLost: gone"


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (make_resource("Applied", truth="True"), "spec.drift.schema is not Report"),
        (compared("Unknown", "NotChecked", "later"), "was not compared yet: NotChecked: later"),
    ],
)
def test_why_there_is_nothing_is_said(resource: Resource, text: str) -> None:
    with pytest.raises(NoDrift, match=text):
        find_drift(resource)


def test_the_status_has_a_line_and_leads_to_the_differences() -> None:
    resource = compared("True", "SchemaDiffers", "3 objects differ", drift=FOUND)
    text = text_of(describe(resource, NOW))
    assert "Drift:      True, SchemaDiffers: 3 objects differ" in text
    assert advise(resource) == ("kubectl dbmigrate drift -n team shop",)
    assert advise(compared("False", "SchemaMatches", drift=FOUND)) == ()
    assert "Drift:" not in text_of(describe(make_resource("Applied", truth="True"), NOW))
