"""What a squashed file means for a database, decided without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, VersionSet
from dbmigrate.postgres.history.formats.goose import GooseTable
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.planning.applied_number import Applied
from dbmigrate.runner.planning.applied_rows import AppliedSet
from dbmigrate.runner.planning.down import plan_down, plan_redo
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import PlanInputs
from dbmigrate.runner.planning.squashed import (
    counted,
    fit,
    is_maker_unknown,
    is_replaced,
    left_out,
    name_versions,
    require_listed,
    require_whole,
    where_replaced,
)
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.planning.up import out_of_order_migrations, plan_up, plan_up_to
from dbmigrate.sources.migration import Direction, Format, Script, Source
from dbmigrate.versions import Role, Version
from tests.runner.arrange import tables
from tests.unit.runner.planning.test_applied_number import row

ARCHIVE = tables(10, 20, 30)
LISTS = ((10, 20, 30),)
GONE = "replaced by 000030_m30.up.sql"


def squashed(
    *later: int,
    low: int = 10,
    lists: tuple[tuple[int, ...], ...] = LISTS,
    archive: Source | None = None,
) -> Source:
    """30 stands for what is below it; further files follow."""
    files = tables(30, *later)
    first = replace(files.migrations[0], name="squash", down=None, replaces=(low, 30))
    first = replace(first, replaced=lists)
    return replace(files, migrations=(first, *files.migrations[1:]), archive=archive)


def ran(*versions: int, at: int | None = None) -> Applied:
    """A log that has these steps, one after the other; and then the version was moved."""
    rows, before = [], None
    for index, version in enumerate(versions):
        rows.append(row(index, "up", version, before, version))
        before = version
    applied = Applied(rows)
    applied.settle(before if at is None else at)
    return applied


def has(*versions: int) -> AppliedSet:
    """goose's rows, without a log."""
    rows = tuple(AppliedRow(version, str(version)) for version in versions)
    return AppliedSet(VersionSet(GooseTable(), rows), ())


def stored(entry: LogRow) -> Script:
    return Script(f"stored {entry.version}", Direction.DOWN, lambda: b"")


def on(source: Source, applied: AppliedVersions) -> PlanInputs:
    return PlanInputs(source, applied, stored)


def refusal(reason: Reason, work: Callable[..., object], *inputs: object) -> str:
    with pytest.raises(MigrationError) as caught:
        work(*inputs)
    assert caught.value.reason is reason
    return f"{caught.value.message}; {caught.value.hint}"


@pytest.mark.parametrize(
    ("version", "versions"),
    [
        (None, (30, 40)),
        (10, (10, 20, 30, 40)),
        (29, (10, 20, 30, 40)),
        (30, (30, 40)),
        (40, (30, 40)),
    ],
)
def test_the_archive_is_for_databases_below(version: int | None, versions: tuple[int, ...]) -> None:
    fitted = fit(squashed(40, archive=tables(10, 20, 30, 35)), version)
    assert fitted.versions == versions
    assert (fitted.archive is None) == (versions[0] == 10)
    assert fit(squashed(40), version) == squashed(40)


@pytest.mark.parametrize("version", [10, 29])
def test_a_database_below_is_refused_by_the_file(version: int) -> None:
    text = refusal(Reason.MISSING_VERSION, require_whole, squashed(40), version)
    assert f"at version {version}" in text
    assert "up to 30 were replaced by 000030_m30.up.sql" in text
    for other in (None, 30, 31):
        require_whole(squashed(40), other)
    require_whole(tables(30, 40), version)


@pytest.mark.parametrize(
    ("version", "here", "expected"),
    [
        (10, 30, True),
        (30, 30, True),
        (9, 30, False),
        (31, 40, False),
        (20, 29, False),
        (20, None, False),
    ],
)
def test_what_is_replaced(version: int, here: int | None, expected: bool) -> None:
    assert is_replaced(squashed(40), version, here) is expected


def names(applied: AppliedVersions, source: Source) -> list[Version]:
    return [each.version for each in left_out(source, applied)]


TWICE = ((10, 20), (25, 30))


@pytest.mark.parametrize(
    ("lists", "applied", "gone"),
    [
        (LISTS, ran(10, 20, 30), []),
        (LISTS, ran(10, 30), [20]),
        (LISTS, ran(10, 30, 40), [20]),
        (LISTS, ran(10), []),
        (LISTS, ran(), []),
        (LISTS, ran(30), []),
        (LISTS, ran(30, 40), []),
        (LISTS, ran(at=30), []),
        (LISTS, ran(10, at=40), []),
        (LISTS, has(10, 20, 30), []),
        (LISTS, has(10, 30), [20]),
        (LISTS, has(20, 30, 40), [10]),
        (LISTS, has(30), []),
        (LISTS, has(30, 40), []),
        (((10, 20),), ran(30), []),
        (((10, 20),), has(30), []),
        (((10, 20),), ran(10, 30), [20]),
        ((), ran(10, 30), []),
        (TWICE, ran(20, 25, 30), []),
        (TWICE, ran(20, 30), [25]),
        (TWICE, ran(10, 25, 30), [20]),
        (TWICE, ran(10, 30), [20, 25]),
        (TWICE, ran(30), []),
        (TWICE, has(20, 25, 30), []),
        (TWICE, has(10, 25, 30), [20]),
        (TWICE, has(20, 30), [25]),
    ],
)
def test_a_version_that_was_never_applied_is_found(
    lists: tuple[tuple[int, ...], ...], applied: AppliedVersions, gone: list[Version]
) -> None:
    assert names(applied, squashed(40, lists=lists)) == gone


@pytest.mark.parametrize(
    ("applied", "left"),
    [
        (has(40), [(30, "squash")]),
        (has(5, 40), [(30, "squash")]),
        (ran(40), [(30, "squash")]),
        (ran(5, 40), [(30, "squash")]),
        (has(10, 40), [(20, GONE), (30, GONE)]),
        (has(30, 40), []),
        (ran(20, 40), [(10, GONE), (30, GONE)]),
    ],
)
def test_the_squashed_file_stands_for_a_range_of_which_nothing_is_applied(
    applied: AppliedVersions, left: list[tuple[int, str]]
) -> None:
    found = left_out(squashed(40), applied)
    assert [(each.version, each.name) for each in found] == left


def test_without_a_list_the_archive_says_which_versions_there_were() -> None:
    bare = squashed(40, lists=(), low=15, archive=tables(5, 10, 20, 30, 35))
    assert names(ran(10, 30), bare) == [20]
    (found,) = left_out(bare, ran(10, 30))
    assert found.up is not None
    (unknown,) = left_out(squashed(40), ran(10, 30))
    assert (unknown.up, unknown.name) == (None, "replaced by 000030_m30.up.sql")
    assert names(ran(10, 30), tables(30, 40)) == []


def test_the_way_up_from_a_gap() -> None:
    gap = ran(10, 30)
    for policy in (OutOfOrder.REJECT, OutOfOrder.APPLY):
        text = refusal(Reason.OUT_OF_ORDER, plan_up, on(squashed(40), gap), None, policy)
        assert "never applied: 20 (replaced by 000030_m30.up.sql)" in text
        assert "-archive DIR with -out-of-order apply" in text
    assert [s.version for s in plan_up(on(squashed(40), gap), None, OutOfOrder.IGNORE).steps] == [
        40
    ]
    whole = on(squashed(40, archive=ARCHIVE), gap)
    text = refusal(Reason.OUT_OF_ORDER, plan_up, whole, None, OutOfOrder.REJECT)
    assert "with -out-of-order apply" in text
    steps = plan_up(whole, None, OutOfOrder.APPLY).steps
    assert [(s.version, s.before, s.after) for s in steps] == [(20, 30, 30), (40, 30, 40)]
    assert [m.version for m in out_of_order_migrations(on(squashed(), gap))] == [20]


@pytest.mark.parametrize("version", [10, 20, 29])
def test_a_version_that_was_replaced_is_no_target(version: int) -> None:
    empty, missing = on(squashed(40), ran()), Reason.MISSING_VERSION
    for text in (
        refusal(missing, plan_goto, empty, version, OutOfOrder.REJECT, None),
        refusal(missing, plan_up_to, empty, version, OutOfOrder.REJECT),
    ):
        assert f"version {version} was replaced by 000030_m30.up.sql" in text


def test_a_version_below_the_range_is_another_matter() -> None:
    empty = on(squashed(40), ran())
    assert plan_up_to(empty, 9, OutOfOrder.REJECT).steps == ()
    text = refusal(Reason.MISSING_VERSION, plan_goto, empty, 9, OutOfOrder.REJECT, None)
    assert "the newest is 40" in text


def test_redo_does_not_run_a_squashed_file_where_another_one_has_made_its_version() -> None:
    old = ran(10, 20, 30)
    text = refusal(Reason.MISSING_VERSION, plan_redo, on(squashed(40), old), None)
    assert "replaced by 000030_m30.up.sql" in text
    assert "nothing was undone" in text
    steps = plan_redo(on(squashed(40, archive=ARCHIVE), old), None).steps
    assert [(s.version, s.direction, s.name) for s in steps] == [
        (30, "down", "m30"),
        (30, "up", "m30"),
    ]
    began = Applied([replace(row(1, "up", 30, None, 30), has_down=False)])
    refusal(Reason.IRREVERSIBLE_MIGRATION, plan_down, on(squashed(40), began), 1, None)


NUMBERS = (10, 20, 30)


def subsets(of: Sequence[int]) -> list[tuple[int, ...]]:
    return [each for size in range(len(of) + 1) for each in combinations(of, size)]


def steps_or_refusal(inputs: PlanInputs, policy: OutOfOrder) -> tuple[PlannedStep, ...] | None:
    try:
        return plan_up(inputs, None, policy).steps
    except MigrationError as error:
        if error.reason not in {Reason.OUT_OF_ORDER, Reason.MISSING_VERSION}:
            raise
        return None


@pytest.mark.parametrize("lists", [LISTS, ()])
@pytest.mark.parametrize("kept", [None, *subsets(NUMBERS)])
@pytest.mark.parametrize("history", [ran, has])
def test_a_squashed_file_runs_where_nothing_of_its_range_is_applied_and_nothing_is_passed_over(
    lists: tuple[tuple[int, ...], ...],
    kept: tuple[int, ...] | None,
    history: Callable[..., AppliedVersions],
) -> None:
    files = squashed(40, lists=lists, archive=None if kept is None else tables(*kept))
    known = {10, 20, 30} if lists else {*(kept or ()), 30}
    for versions, policy in product(subsets((10, 20, 30, 40)), OutOfOrder):
        applied = history(*versions)
        source = fit(files, applied.version)
        steps = steps_or_refusal(on(source, applied), policy)
        if steps is None:
            assert versions, "an empty database needs no archive"
            continue
        within = set(versions) & {10, 20, 30}
        squash = [step for step in steps if step.name == "squash"]
        assert not (squash and within), (versions, policy)
        assert all(step.script is not None for step in steps)
        if squash or (30 in within and versions[0] == 30):
            continue  # it stands for all of them
        left = known - within - {step.version for step in steps}
        if policy is OutOfOrder.IGNORE:
            left = {each for each in left if each > (applied.version or 0)}
        assert not left, (versions, policy, [step.version for step in steps])


@pytest.mark.parametrize(
    ("applied", "archive", "to", "gone"),
    [
        (ran(10), tables(10, 30), None, "version 20,"),
        (ran(10), tables(10, 30), 20, "version 20,"),
        (ran(10), tables(10, 20), None, "version 30,"),
        (ran(10), tables(10), None, "the versions 20, 30,"),
        (has(10), tables(10), None, "the versions 20, 30,"),
        (has(20), tables(20, 30), None, "version 10,"),
        (ran(at=10), tables(20), None, "version 30,"),
    ],
)
def test_an_archive_that_lacks_a_file_is_refused_before_the_first_step(
    applied: AppliedVersions, archive: Source, to: int | None, gone: str
) -> None:
    source = fit(squashed(40, archive=archive), applied.version)
    work = (plan_up, None) if to is None else (plan_up_to, to)
    text = refusal(Reason.MISSING_VERSION, work[0], on(source, applied), work[1], OutOfOrder.REJECT)
    assert f"no up file of {gone} replaced by 000030_m30.up.sql" in text


def test_what_the_archive_need_not_have() -> None:
    below = on(fit(squashed(40, archive=tables(10, 20)), 10), ran(10))
    assert [s.version for s in plan_up_to(below, 20, OutOfOrder.REJECT).steps] == [20]
    late = on(fit(squashed(40, archive=tables(20, 30)), 20), has(20))
    assert [s.version for s in plan_up(late, None, OutOfOrder.IGNORE).steps] == [30, 40]
    at = on(fit(squashed(40, archive=tables(20, 30)), 10), ran(10))
    assert [s.version for s in plan_up(at, None, OutOfOrder.REJECT).steps] == [20, 30, 40]
    named = squashed(40, lists=((10, 20),), archive=tables(10, 20))
    assert [s.version for s in plan_up(on(fit(named, 10), ran(10)), None, OutOfOrder.REJECT).steps]
    # It is itself an archive of squashed files.
    twice = squashed(40, lists=TWICE, archive=squashed(25, low=10, lists=((10, 20),)))
    assert fit(twice, 20).lacking == ()


@pytest.mark.parametrize("archive", [None, *(tables(*kept) for kept in subsets(NUMBERS))])
@pytest.mark.parametrize("at", [20, 30, 40])
def test_the_way_down_passes_over_no_version(archive: Source | None, at: int) -> None:
    """Without a log: each version up to the database's counts as applied."""
    inputs = on(fit(squashed(40, archive=archive), at), ran(at=at))
    needed = [v for v in (40, 30, 20, 10) if v <= at]
    if {*needed} <= {40, *(archive.versions if archive else ())}:
        assert [step.version for step in plan_down(inputs, None, None).steps] == needed
    elif archive is None and at < 30:
        refusal(Reason.MISSING_VERSION, plan_down, inputs, None, None)
    else:
        text = refusal(Reason.IRREVERSIBLE_MIGRATION, plan_down, inputs, None, None)
        had = {40, *(archive.versions if archive else ())}
        first = next(v for v in needed if v not in had)
        assert text.startswith(f"version {first} was replaced by 000030_m30.up.sql, and")
        assert ("neither the archive nor the history has a" in text) is (archive is not None)
        assert ("the history has no down script" in text) is (archive is None)
        is_below = archive is not None and at < 30
        assert ("has its file as well: " in text) is (archive is not None)
        assert text.endswith(f"at or above {first if is_below else 30}")


def test_a_version_that_the_archive_lacks_is_the_one_that_is_named() -> None:
    """Another one that it lacks is not in the way."""
    inputs = on(fit(squashed(40, archive=tables(20)), 20), ran(10, 20))
    lacking = [m.version for m in inputs.source.lacking]
    assert lacking == [10, 30]
    assert [s.version for s in plan_down(inputs, None, None).steps] == [20, 10]
    bare = on(inputs.source, has(20, 10))
    assert "version 10 was replaced" in refusal(
        Reason.IRREVERSIBLE_MIGRATION, plan_down, bare, None, None
    )


@pytest.mark.parametrize(
    ("source", "version", "hint"),
    [
        (squashed(40), 20, "name the directory that has the replaced files: -archive DIR"),
        (squashed(40), 30, "name the directory that has the replaced files: -archive DIR"),
        (squashed(40, archive=ARCHIVE), 20, "an empty database begins with that: choose 30 or"),
        (squashed(40, archive=ARCHIVE), 30, "an empty database begins with that: choose 30 or"),
        (squashed(40, archive=tables(10)), 20, "000010_m10.up.sql has no file of it either"),
        (squashed(40), 40, None),
        (squashed(40), 9, None),
        (tables(30, 40), 30, None),
        (tables(30, 40), 20, None),
    ],
)
def test_where_the_file_of_a_replaced_version_is(
    source: Source, version: int, hint: str | None
) -> None:
    if source.archive is not None and source.archive.versions == (10,):
        source = replace(source, archive=replace(source.archive, location="000010_m10.up.sql"))
    found = where_replaced(source, version)
    if hint is None:
        assert found is None
    else:
        prefix = f"version {version} was replaced by 000030_m30.up.sql; "
        assert found is not None
        assert found.startswith(prefix + hint)


@pytest.mark.parametrize(
    ("source", "applied", "expected"),
    [
        (squashed(40), ran(at=30), True),
        (squashed(40), ran(at=40), True),
        (squashed(40), ran(20, at=30), False),
        (squashed(40), ran(10, at=30), False),
        (squashed(40), ran(30), False),
        (squashed(40), ran(5, at=30), True),
        (squashed(40), Applied([row(1, "up", 40, 30, 40)]), True),
        (squashed(40), has(30), False),
        (squashed(40), has(), False),
        (tables(30, 40), ran(at=30), False),
    ],
)
def test_who_made_a_version_is_unknown_without_a_row_of_the_range(
    source: Source, applied: AppliedVersions, expected: bool
) -> None:
    assert is_maker_unknown(source, applied) is expected


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "version 1"),
        (2, "the versions 1, 2"),
        (5, "the versions 1, 2, 3, 4, 5"),
        (6, "the versions 1, 2, 3, 4, 5 and 1 more"),
        (9, "the versions 1, 2, 3, 4, 5 and 4 more"),
    ],
)
def test_of_many_versions_the_first_are_named(count: int, text: str) -> None:
    assert name_versions(range(1, count + 1)) == text


def listed(*versions: int, lists: dict[int, tuple[int, ...]]) -> Source:
    """These files, and baselines that list what they stand for."""
    made = tables(*lists).migrations
    baselines = [
        replace(baseline, role=Role.CHECKPOINT, replaced=(listed,))
        for baseline, listed in zip(made, lists.values(), strict=True)
    ]
    return replace(tables(*versions), checkpoints=tuple(baselines), format=Format.FLYWAY)


@pytest.mark.parametrize(
    ("applied", "to", "policy", "gone"),
    [
        (ran(), None, OutOfOrder.REJECT, None),
        (ran(), 20, OutOfOrder.REJECT, "version 20,"),
        (ran(), 19, OutOfOrder.REJECT, None),
        (ran(10), None, OutOfOrder.REJECT, "the versions 20, 30,"),
        (ran(10), 30, OutOfOrder.REJECT, "the versions 20, 30,"),
        (ran(10), 29, OutOfOrder.REJECT, "version 20,"),
        (ran(10), None, OutOfOrder.IGNORE, "the versions 20, 30,"),
        (ran(10, 40), None, OutOfOrder.REJECT, "the versions 20, 30,"),
        (ran(10, 40), None, OutOfOrder.APPLY, "the versions 20, 30,"),
        (ran(10, 40), None, OutOfOrder.IGNORE, None),
        (ran(10, 20, 30), None, OutOfOrder.REJECT, None),
        (ran(at=40), None, OutOfOrder.REJECT, None),
    ],
)
def test_a_file_that_is_gone_from_a_list_is_missed_where_it_is_needed(
    applied: Applied, to: int | None, policy: OutOfOrder, gone: str | None
) -> None:
    """20 and 30 are gone, and 10, which lies below them, is there."""
    source = listed(10, 40, lists={30: (10, 20, 30)})
    if gone is None:
        require_listed(source, applied, to, policy)
        return
    text = refusal(Reason.MISSING_VERSION, require_listed, source, applied, to, policy)
    assert f"no file of {gone} which the list in 000030_m30.up.sql names" in text
    is_below = applied.version == 40
    assert ("-out-of-order ignore" in text) is is_below


@pytest.mark.parametrize(
    ("source", "versions"),
    [
        (tables(10, 20), [10, 20]),
        (squashed(40), [10, 20, 30, 40]),
        (squashed(40, archive=tables(10, 30)), [10, 20, 30, 40]),
        (squashed(40, lists=(), archive=ARCHIVE), [10, 20, 30, 40]),
        (listed(10, 40, lists={30: (10, 20, 30)}), [10, 30, 40]),
        (listed(10, 20, 30, 40, lists={30: (10, 20, 30)}), [10, 20, 30, 40]),
        (listed(40, lists={30: (10, 20, 30)}), [30, 40]),
        (replace(listed(40, lists={30: (10, 20)}), archive=tables(10, 20)), [10, 20, 40]),
        (replace(listed(40, lists={30: (10, 20)}), archive=tables(10)), [30, 40]),
    ],
)
def test_where_a_person_says_what_is_applied_the_replaced_versions_count(
    source: Source, versions: list[int]
) -> None:
    assert [each.version for each in counted(source)] == versions


def test_a_version_that_is_known_by_its_number_alone_is_written_as_the_squashed_file() -> None:
    first, *later = squashed(40, archive=tables(10)).migrations
    for text, expected in (("000030", "000020"), ("30", "20"), ("", "20")):
        source = replace(
            squashed(40, archive=tables(10)), migrations=(replace(first, text=text), *later)
        )
        assert [(m.version, m.text) for m in counted(source)][:3] == [
            (10, ""),
            (20, expected),
            (30, text),
        ]


def test_the_history_keeps_the_down_script_of_the_file_that_runs() -> None:
    whole = on(squashed(40, archive=ARCHIVE), ran(10, 20, 40))
    step = plan_up(whole, None, OutOfOrder.APPLY).steps[0]
    assert (step.version, step.name) == (30, "m30")
    assert step.undo is not None
    assert step.undo.load() == b"DROP TABLE t30;"
