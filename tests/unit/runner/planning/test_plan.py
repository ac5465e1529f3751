"""The steps from one version to another, decided without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, VersionSet
from dbmigrate.postgres.history.formats.goose import GooseTable
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied_number import Applied
from dbmigrate.runner.planning.applied_rows import AppliedSet
from dbmigrate.runner.planning.down import plan_down, plan_down_to, plan_redo
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import Plan, PlanInputs
from dbmigrate.runner.planning.up import pending, plan_up, plan_up_to
from dbmigrate.sources.migration import Direction, Migration, Script
from dbmigrate.versions import Role, Version, repeatable
from tests.runner.arrange import migration, source, tables
from tests.unit.runner.planning.test_applied_number import row

REJECT = OutOfOrder.REJECT


def inputs(*versions: int, at: int | None = None, log: tuple[int, ...] | None = None) -> PlanInputs:
    """These files, a database at that version; `log`: the versions it has recorded one by one."""
    rows, before = [], None
    for index, version in enumerate(log or ()):
        rows.append(row(index, "up", version, before, version))
        before = version
    applied = Applied(rows)
    applied.settle(at)
    return PlanInputs(tables(*versions), applied, stored)


def stored(entry: LogRow) -> Script:
    return Script(f"stored {entry.version}", Direction.DOWN, lambda: b"")


def steps(plan: Plan) -> list[tuple[Version, str, Version | None, Version | None]]:
    """Version, direction, and the version row before and after."""
    return [(step.version, step.direction, step.before, step.after) for step in plan.steps]


def test_up_leads_from_version_to_version() -> None:
    plan = plan_up(inputs(1, 2, 5, at=1), None, REJECT)
    assert steps(plan) == [(2, "up", 1, 2), (5, "up", 2, 5)]
    assert [step.move.is_up for step in plan.steps] == [True, True]
    assert (plan.target, plan.short) == (5, 0)


def test_a_limit_counts_what_is_missing() -> None:
    plan = plan_up(inputs(1, 2), 3, REJECT)
    assert [step.version for step in plan.steps] == [1, 2]
    assert plan.short == 1


def test_down_leads_to_the_version_below_and_at_last_to_none() -> None:
    plan = plan_down(inputs(1, 2, 5, at=5), None, None)
    assert steps(plan) == [(5, "down", 5, 2), (2, "down", 2, 1), (1, "down", 1, None)]
    assert plan.target is None
    assert [step.move.is_up for step in plan.steps] == [False, False, False]
    assert plan_down(inputs(1, 2, 5, at=5), 9, None).short == 6


@pytest.mark.parametrize(
    ("at", "highest", "expected"),
    [
        (None, 4, [(1, "up", None, 1), (3, "up", 1, 3)]),
        (1, 5, [(3, "up", 1, 3), (5, "up", 3, 5)]),
        (3, 1, []),
        (3, 4, []),
        (1, 99, [(3, "up", 1, 3), (5, "up", 3, 5)]),
    ],
)
def test_up_to_a_version_needs_none_of_that_name(
    at: int | None, highest: int, expected: list[tuple[object, ...]]
) -> None:
    plan = plan_up_to(inputs(1, 3, 5, at=at), highest, OutOfOrder.REJECT)
    assert steps(plan) == expected
    assert plan.target == (expected[-1][3] if expected else at)


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [
        (4, [(5, "down", 5, 3)]),
        (1, [(5, "down", 5, 3), (3, "down", 3, 1)]),
        (5, []),
        (99, []),
    ],
)
def test_down_to_a_version_needs_none_of_that_name(
    lowest: int, expected: list[tuple[object, ...]]
) -> None:
    plan = plan_down_to(inputs(1, 3, 5, at=5), lowest, None)
    assert steps(plan) == expected
    assert plan.target == (expected[-1][3] if expected else 5)


def test_down_to_below_all_versions_leaves_none_and_can_be_forbidden() -> None:
    here = inputs(3, 5, at=5)
    assert plan_down_to(here, 2, None).target is None
    with pytest.raises(MigrationError) as caught:
        plan_down_to(here, 2, Rollback.FORBID)
    assert caught.value.reason is Reason.ROLLBACK_FORBIDDEN


def test_late_versions_above_the_highest_wanted_do_not_matter() -> None:
    here = inputs(1, 2, 4, at=4, log=(1, 4))
    assert plan_up_to(here, 1, OutOfOrder.REJECT).steps == ()
    with pytest.raises(MigrationError, match="never applied: 2"):
        plan_up_to(here, 3, OutOfOrder.REJECT)


def test_late_versions_are_applied_first_and_leave_the_version_row_where_it_is() -> None:
    plan = plan_up(inputs(1, 2, 3, 4, at=3, log=(1, 3)), None, OutOfOrder.APPLY)
    assert steps(plan) == [(2, "up", 3, 3), (4, "up", 3, 4)]


def test_what_was_never_applied_is_never_undone() -> None:
    plan = plan_down(inputs(1, 2, 3, at=3, log=(1, 3)), None, None)
    assert steps(plan) == [(3, "down", 3, 1), (1, "down", 1, None)]


def test_the_way_down_does_not_end_at_what_was_never_applied() -> None:
    """golang-migrate would call it applied, and undo it with the next step."""
    for policy in (REJECT, OutOfOrder.APPLY):
        with pytest.raises(MigrationError, match=r"version 2 is below .* but was never applied"):
            plan_goto(inputs(1, 2, 3, at=3, log=(1, 3)), 2, policy, None)
    plan = plan_goto(inputs(1, 2, 3, at=3, log=(1, 3)), 2, OutOfOrder.IGNORE, None)
    assert steps(plan) == [(3, "down", 3, 2)]
    assert steps(plan_goto(inputs(1, 2, 3, at=3), 2, REJECT, None)) == [(3, "down", 3, 2)]


def test_to_redo_undoes_and_applies_the_same_version() -> None:
    plan = plan_redo(inputs(1, 2, 3, 4, at=3, log=(1, 3)), None)
    assert steps(plan) == [(3, "down", 3, 1), (3, "up", 1, 3)]
    assert plan.target == 3
    assert steps(plan_redo(inputs(1, at=1), None)) == [(1, "down", 1, None), (1, "up", None, 1)]


def test_to_redo_needs_a_way_down() -> None:
    """Else the version would move alone, and the way up would find what is still there."""
    up = Script("1_m1.up.sql", Direction.UP, lambda: b"")
    files = source(Migration(1, "m1", up, None))
    applied = Applied([])
    applied.settle(1)
    with pytest.raises(MigrationError, match=r"version 1 \(m1\) has no down script"):
        plan_redo(PlanInputs(files, applied, stored), None)


def test_to_redo_needs_the_file_and_the_right_to_go_down() -> None:
    with pytest.raises(MigrationError, match="no migration found for version 3"):
        plan_redo(inputs(1, 2, at=3, log=(1, 2, 3)), None)
    with pytest.raises(MigrationError, match="rolling back is forbidden"):
        plan_redo(inputs(1, 2, at=2), Rollback.FORBID)
    with pytest.raises(MigrationError, match="file does not exist"):
        plan_redo(inputs(1, 2), None)


def test_missing_files_are_replaced_by_what_the_history_has_kept() -> None:
    plan = plan_goto(inputs(1, at=3, log=(1, 2, 3)), None, REJECT, Rollback.ALLOW)
    assert steps(plan) == [(3, "down", 3, 2), (2, "down", 2, 1)]
    assert [step.is_stored for step in plan.steps] == [True, True]
    assert plan.steps[0].script is not None
    assert plan.steps[0].script.file == "stored 3"


def test_files_that_are_there_are_preferred_to_what_is_stored() -> None:
    (step,) = plan_goto(inputs(1, 2, at=2, log=(1, 2)), 1, REJECT, None).steps
    assert not step.is_stored
    assert step.script is not None
    assert step.script.file == "000002_m2.down.sql"


def test_a_missing_version_that_nobody_recorded_stops_everything() -> None:
    calls: list[Callable[[], Plan]] = [
        lambda: plan_up(inputs(1, 2, at=3), None, REJECT),
        lambda: plan_down(inputs(1, 2, at=3), 1, None),
        lambda: plan_goto(inputs(1, 2, at=3), 1, REJECT, None),
        lambda: plan_goto(inputs(1, 2, at=1), 9, REJECT, None),
        lambda: plan_goto(inputs(1, 2, at=9), 9, REJECT, None),
    ]
    for call in calls:
        with pytest.raises(MigrationError) as caught:
            call()
        assert caught.value.reason is Reason.MISSING_VERSION


def test_a_target_that_does_not_exist_is_not_the_files_fault() -> None:
    with pytest.raises(MigrationError) as caught:
        plan_goto(inputs(1, 2, at=1), 7, REJECT, None)
    assert "has no version 7: the newest is 2" in (caught.value.hint or "")


def test_an_empty_directory_below_a_version_is_named() -> None:
    with pytest.raises(MigrationError) as caught:
        plan_up(inputs(at=3), None, REJECT)
    assert "holds no migration files, and the database is at version 3" in (caught.value.hint or "")


def test_being_there_needs_no_step_even_if_the_file_is_gone() -> None:
    plan = plan_goto(inputs(1, at=2, log=(1, 2)), 2, REJECT, Rollback.FORBID)
    assert plan == Plan((), 2)


@pytest.mark.parametrize(
    ("rollback", "reason"),
    [
        (Rollback.FORBID, Reason.ROLLBACK_FORBIDDEN),
        (Rollback.ALLOW, Reason.IRREVERSIBLE_MIGRATION),
    ],
)
def test_a_way_down_without_a_script_depends_on_the_policy(
    rollback: Rollback, reason: Reason
) -> None:
    files = source(*tables(1).migrations, migration(2, "SELECT 1"))
    applied = Applied([])
    applied.settle(2)
    place = PlanInputs(files, applied, stored)
    with pytest.raises(MigrationError) as caught:
        plan_goto(place, 1, REJECT, rollback)
    assert caught.value.reason is reason
    (step,) = plan_goto(place, 1, REJECT, None).steps
    assert (step.script, step.after) == (None, 1)


def test_a_late_version_is_named_when_it_is_refused() -> None:
    with pytest.raises(MigrationError) as caught:
        plan_up(inputs(*range(1, 9), at=8, log=(8,)), None, REJECT)
    assert caught.value.reason is Reason.OUT_OF_ORDER
    assert caught.value.message.endswith("4 (m4), 5 (m5) and 2 more")


def test_a_way_down_does_not_care_about_late_versions() -> None:
    plan = plan_goto(inputs(1, 2, 3, 4, at=4, log=(1, 3, 4)), 3, REJECT, None)
    assert steps(plan) == [(4, "down", 4, 3)]


def staged(
    *versions: int, checkpoints: tuple[int, ...] = (), rows: tuple[AppliedRow, ...] = ()
) -> PlanInputs:
    """Files with checkpoints and one repeatable migration, on a history of these rows."""
    files = replace(
        tables(*versions),
        checkpoints=tuple(
            replace(migration(v, f"-- up to {v}"), role=Role.CHECKPOINT) for v in checkpoints
        ),
        repeatables=(again("views", "new"),),
    )
    return PlanInputs(files, AppliedSet(VersionSet(GooseTable(), rows), ()), stored)


def again(name: str, checksum: str) -> Migration:
    script = Script(f"{name}.sql", Direction.UP, lambda: b"", tool_checksums=lambda: (checksum,))
    return Migration(repeatable(name), name, script, role=Role.REPEATABLE)


def ran(version: int, role: Role = Role.VERSIONED) -> AppliedRow:
    return AppliedRow(version, str(version), role=role)


VIEWS = AppliedRow(repeatable("views"), "R", role=Role.REPEATABLE, checksum="new")
R = repeatable("views")


def test_an_empty_history_begins_at_the_newest_checkpoint() -> None:
    fresh = staged(1, 2, 3, 4, checkpoints=(1, 3))
    wanted = [(3, "up", None, 3), (4, "up", 3, 4), (R, "up", 4, 4)]
    assert steps(plan_up(fresh, None, REJECT)) == wanted
    assert plan_up(fresh, None, REJECT).steps[0].role is Role.CHECKPOINT
    assert [m.version for m in pending(fresh, None)] == [3, 4, R]


def test_the_checkpoint_is_not_above_the_target() -> None:
    plan = plan_goto(staged(1, 2, 3, checkpoints=(1, 3)), 2, REJECT, None)
    assert [(step.version, step.role) for step in plan.steps] == [
        (1, Role.CHECKPOINT),
        (2, Role.VERSIONED),
        (R, Role.REPEATABLE),
    ]


def test_a_checkpoint_alone_leads_to_its_version() -> None:
    plan = plan_goto(staged(checkpoints=(5,)), None, REJECT, None)
    assert (plan.target, plan.steps[0].after) == (5, 5)


def test_a_history_that_has_begun_passes_checkpoints_over() -> None:
    begun = staged(1, 2, 3, checkpoints=(3, 4), rows=(ran(1), VIEWS))
    plan = plan_goto(begun, None, REJECT, None)
    assert plan.target == 3
    assert [(step.version, step.role) for step in plan.steps] == [
        (2, Role.VERSIONED),
        (3, Role.VERSIONED),
    ]


def test_below_a_checkpoint_all_counts_as_applied_and_nothing_is_undone() -> None:
    here = staged(1, 2, 3, 4, checkpoints=(3,), rows=(ran(3, Role.CHECKPOINT), ran(4), VIEWS))
    assert plan_up(here, None, REJECT).steps == ()
    assert steps(plan_down(here, None, None)) == [(4, "down", 4, 3)]
    assert steps(plan_goto(here, 3, REJECT, None)) == [(4, "down", 4, 3)]
    with pytest.raises(MigrationError, match="version 2 is below 3, at which the history") as one:
        plan_goto(here, 2, REJECT, None)
    assert one.value.reason is Reason.IRREVERSIBLE_MIGRATION


def test_a_row_below_the_base_is_not_undone() -> None:
    rows = (ran(1), ran(2), ran(3, Role.CHECKPOINT), ran(4), VIEWS)
    here = staged(1, 2, 3, 4, checkpoints=(3,), rows=rows)
    assert steps(plan_down(here, None, None)) == [(4, "down", 4, 3)]
    assert steps(plan_down_to(here, 1, None)) == [(4, "down", 4, 3)]


def test_the_base_of_a_history_needs_no_file() -> None:
    here = staged(7, rows=(ran(5, Role.CHECKPOINT), VIEWS))
    assert steps(plan_up(here, None, REJECT)) == [(7, "up", 5, 7)]
    assert plan_goto(here, 5, REJECT, None).steps == ()


@pytest.mark.parametrize(("checksum", "runs"), [("new", False), ("old", True)])
def test_a_repeatable_migration_runs_again_when_it_has_changed(checksum: str, runs: bool) -> None:
    here = staged(1, rows=(ran(1), replace(VIEWS, checksum=checksum)))
    assert [step.version for step in plan_up(here, None, REJECT).steps] == [R] * runs


def test_repeatable_migrations_alone_are_a_source() -> None:
    assert [step.version for step in plan_up(staged(), None, REJECT).steps] == [R]
    assert plan_goto(staged(), None, REJECT, None).target is None


@pytest.mark.parametrize(("lost", "expected"), [((1, 2), 2), ((2, 3), 2), ((3,), None), ((), None)])
def test_a_version_whose_row_is_lost_is_not_passed_over_on_the_way_down(
    lost: tuple[int, ...], expected: int | None
) -> None:
    """Only version 3 has a file. Without a row and without a file there is no script."""
    here = replace(inputs(3, at=3), lost=frozenset(lost))
    if expected is None:
        assert steps(plan_down(here, None, None)) == [(3, "down", 3, None)]
    else:
        with pytest.raises(MigrationError, match=rf"\b{expected}\b"):
            plan_down(here, None, None)
