"""One resource in full, and what is advised."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.kubectl.text.advice import advise
from dbmigrate.kubectl.text.description import describe
from tests.unit.kubectl.bodies import (
    BEFORE,
    NOW,
    PLAN,
    TRIAL,
    make_condition,
    make_resource,
    text_of,
)

pytestmark = pytest.mark.quick

FAILED_RUN = {
    "job": "shop-1",
    "command": "goto latest",
    "outcome": "Failed",
    "attempts": 2,
    "milliseconds": 41,
    "finishedAt": BEFORE,
    "error": {
        "reason": "StatementFailed",
        "sqlstate": "42P01",
        "file": "2_price.up.sql",
        "line": 3,
        "column": 7,
        "message": 'relation "itms" does not exist',
        "excerpt": "ALTER TABLE itms\n            ^",
        "hint": "look again",
    },
}
HISTORY = [
    {
        "version": str(n),
        "name": f"step_{n}",
        "direction": "up",
        "milliseconds": n,
        "finishedAt": BEFORE,
    }
    for n in range(9, 0, -1)
]


def described(*reason: str, **more: Any) -> str:
    return text_of(describe(make_resource(*reason, **more), NOW))


def test_a_failed_run_is_shown_with_its_place_and_its_line() -> None:
    text = described(
        "StatementFailed", "it failed", is_stalled=True, version="1", target="2", pending=1,
        lastRun=FAILED_RUN,
    )  # fmt: skip
    assert "Ready:      False, StatementFailed, for 3m\nMessage:    it failed\n" in text
    assert "Version:    1, target 2, 1 pending\n" in text
    assert "Last run:   goto latest: Failed, attempt 2, 41 ms, 3m ago\n" in text
    assert (
        "Error:      StatementFailed (SQLSTATE 42P01) at 2_price.up.sql:3:7\n"
        '            relation "itms" does not exist\n'
        "            ALTER TABLE itms\n"
        "                        ^\n"
        "            look again\n"
    ) in text
    assert "Next:       kubectl dbmigrate logs -n team shop\n" in text


def test_findings_and_the_rehearsal_stand_with_their_run() -> None:
    run = {**FAILED_RUN, **TRIAL}
    text = described("StatementFailed", "it failed", lastRun=run, serverVersion="17.10")
    assert "PostgreSQL: 17.10\n" in text
    assert (
        "            Job shop-1\n"
        "Rehearsal:  3 steps went well in 812 ms, 1 without a down script\n"
        "Findings:   error index-blocks-writes at 9_add_phone.up.sql:3: a: CREATE INDEX blocks\n"
        "            ... and 2 more, which the status does not hold\n"
        "Error:      StatementFailed"
    ) in text


def test_the_owner_of_the_database_is_shown() -> None:
    """By its log: that of a resource that is refused with DatabaseConflict is another one."""
    owner = "5f0c1d8e/shop/users#b1946ac9"
    text = described("DatabaseConflict", "it is migrated by 5f0c1d8e/shop/users", owner=owner)
    assert f"Owner:      {owner}\n" in text
    assert "Owner:" not in described("Applied", truth="True")


def test_the_newest_steps_are_a_table() -> None:
    text = described("Applied", truth="True", version="9", history=HISTORY)
    assert (
        "  VERSION   NAME     DIRECTION   TOOK   AGE\n  9         step_9   up          9 ms   3m"
        in (text)
    )
    assert "step_5" in text
    assert "step_4" not in text


def test_a_status_about_an_older_spec_is_marked() -> None:
    text = described("Applied", truth="True", generation=3)
    assert "this refers to generation 1; the operator has not seen 3" in text
    assert "this refers to" not in described("Applied", truth="True")


def test_where_no_operator_has_looked_the_question_is_asked() -> None:
    assert "no operator has reconciled it in 3m; does one run for this namespace?" in described()


def test_a_retry_to_come_is_shown_with_its_time() -> None:
    text = described("LockTimeout", nextRetryAt="2026-11-24T12:00:40Z")
    assert "Next try:   in 40s" in text
    assert "Next try:   now" in described("LockTimeout", nextRetryAt=BEFORE)


def test_a_plan_is_shown_with_its_hash_and_its_approval() -> None:
    text = described("AwaitingApproval", plan=PLAN)
    assert "Plan:       0123456789ab: 3 steps, 1 destructive, not approved" in text
    approved = [make_condition("Approved", "True", "Approved")]
    assert "1 destructive, approved" in described("Running", plan=PLAN, conditions=approved)


@pytest.mark.parametrize(
    ("reason", "more", "verbs"),
    [
        ("Applied", {"truth": "True"}, []),
        ("Running", {}, []),
        ("AwaitingApproval", {}, ["approve", "plan"]),
        ("RolledBack", {}, ["retry"]),
        ("StatementFailed", {"is_stalled": True}, ["logs", "retry"]),
        ("StatementFailed", {"is_stalled": True, "dirty": True}, ["logs", "repair", "force"]),
        ("AuthenticationFailed", {"is_stalled": True}, ["logs", "retry"]),
        ("DatabaseConflict", {"is_stalled": True}, []),
        ("InvalidSpec", {"is_stalled": True}, []),
    ],
)
def test_what_a_person_can_do_is_a_command(
    reason: str, more: dict[str, Any], verbs: list[str]
) -> None:
    commands = advise(make_resource(reason, **more))
    assert [command.split()[:5] for command in commands] == [
        ["kubectl", "dbmigrate", verb, "-n", "team"] for verb in verbs
    ]


def test_a_step_in_batches_is_no_damage_and_no_repair_is_advised() -> None:
    unfinished = {"version": "2", "name": "fill", "direction": "up", "rows": 2000, "batches": 2}
    parts: dict[str, Any] = {"dirty": True, "unfinished": unfinished, "lastRun": FAILED_RUN}
    text = described("Interrupted", "stopped", **parts)
    assert "Dirty:      true: version 2 is run in batches: 2000 rows are done in 2" in text
    assert "Next:" not in text
    stalled = described("StatementFailed", "it failed", is_stalled=True, **parts)
    assert "continues after the last batch" in stalled
    assert "repair" not in stalled
    assert "force" not in stalled
