"""What the log proves about which versions are applied, as tables."""

from __future__ import annotations

import random

import pytest

from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.planning.applied import Gap
from dbmigrate.runner.planning.applied_number import Applied
from dbmigrate.versions import Version

Move = tuple[str, Version | None, Version | None, Version | None]
"""Direction, version, from, to."""


def replay(*moves: Move, version: Version | None) -> Applied:
    """The log of these moves, on a database at this version."""
    applied = Applied(row(index, *move) for index, move in enumerate(moves))
    applied.settle(version)
    return applied


def row(
    index: int,
    direction: str,
    version: Version | None,
    start: Version | None,
    end: Version | None,
    outcome: str = "applied",
) -> LogRow:
    return LogRow(
        id=index,
        version=version,
        name=f"m{version}",
        direction=direction,
        from_version=start,
        to_version=end,
        checksum="",
        has_down=True,
        outcome=outcome,
        finished_at=None,
        milliseconds=0,
        executed_by="",
        executed_from="",
        statements=None,
        statements_done=None,
        done_checksum=None,
    )


@pytest.mark.parametrize(
    ("moves", "version", "covered", "recorded", "gap"),
    [
        pytest.param([], None, set(), (), None, id="nothing"),
        pytest.param([], 3, {1, 2, 3}, (), Gap(None, 3), id="no log at all"),
        pytest.param(
            [("up", 1, None, 1), ("up", 3, 1, 3)], 3, {1, 3}, (1, 3), None, id="one jumped over"
        ),
        pytest.param(
            [("up", 1, None, 1), ("up", 3, 1, 3), ("down", 3, 3, 1)], 1, {1}, (1,), None, id="down"
        ),
        pytest.param(
            [("up", 1, None, 1), ("up", 3, 1, 3), ("up", 2, 3, 3)],
            3,
            {1, 2, 3},
            (1, 2, 3),
            None,
            id="out of order",
        ),
        pytest.param(
            [("up", 1, None, 1)], 4, {1, 2, 3, 4}, (1,), Gap(1, 4), id="moved by another tool"
        ),
        pytest.param(
            [("up", 1, None, 1), ("up", 2, 1, 2)], 1, {1}, (1,), Gap(2, 1), id="moved down"
        ),
        pytest.param(
            [("up", 1, None, 1), ("gap", None, 1, 3), ("up", 5, 3, 5)],
            5,
            {1, 2, 3, 5},
            (1, 5),
            None,
            id="a recorded gap",
        ),
        pytest.param(
            [("baseline", None, None, 4), ("up", 6, 4, 6)],
            6,
            {1, 2, 3, 4, 6},
            (6,),
            None,
            id="baseline",
        ),
        pytest.param(
            [("force", None, None, 5), ("force", None, 5, 2)], 2, {1, 2}, (), None, id="force down"
        ),
        pytest.param(
            [("up", 4, 2, 4)], 4, {1, 2, 4}, (4,), None, id="the log begins in the middle"
        ),
        pytest.param(
            [("up", 2, None, 2), ("down", 2, 2, None), ("up", 3, None, 3)],
            3,
            {3},
            (3,),
            None,
            id="down to nothing and up elsewhere",
        ),
    ],
)
def test_a_log_covers_what_it_can_not_disprove(
    moves: list[Move],
    version: Version | None,
    covered: set[int],
    recorded: tuple[int, ...],
    gap: Gap | None,
) -> None:
    applied = replay(*moves, version=version)
    assert {v for v in range(1, 10) if applied.covers(v)} == covered
    assert applied.recorded == recorded
    assert applied.gap == gap
    assert applied.version == version


def test_what_failed_or_has_not_ended_proves_nothing() -> None:
    applied = Applied(
        [
            row(1, "up", 1, None, 1),
            row(2, "up", 2, 1, 1, outcome="failed"),
            row(3, "up", 2, 1, 2, outcome="running"),
        ]
    )
    assert applied.version == 1
    assert applied.recorded == (1,)
    assert not applied.covers(2)


def test_a_replay_agrees_with_a_plain_model() -> None:
    """Random moves, replayed at once and followed one by one on plain sets."""
    generator = random.Random(4711)
    for _ in range(300):
        moves: list[Move] = []
        model: set[int] = set()
        here: int | None = None
        for _ in range(generator.randint(0, 12)):
            low = 0 if here is None else here
            choice = generator.choice(["up", "down", "force", "gap", "late"])
            if choice == "up":
                to = low + generator.randint(1, 3)
                moves.append(("up", to, here, to))
                model.add(to)
                here = to
            elif choice == "late" and here is not None and here > 1:
                late = generator.randint(1, here)
                moves.append(("up", late, here, here))
                model.add(late)
            elif choice == "down" and here is not None:
                below = sorted(v for v in model if v < here)
                to_version = below[-1] if below else None
                moves.append(("down", here, here, to_version))
                model = {v for v in model if to_version is not None and v <= to_version}
                here = to_version
            elif choice in {"force", "gap"}:
                target = generator.choice([None, *range(1, 15)])
                moves.append((choice, None, here, target))
                if target is None:
                    model = set()
                elif target > low or here is None:
                    model |= set(range(low + 1, target + 1))
                else:
                    model = {v for v in model if v <= target}
                here = target
        applied = replay(*moves, version=here)
        assert {v for v in range(1, 60) if applied.covers(v)} == model, moves
        assert applied.gap is None


@pytest.mark.parametrize("seed", range(300))
def test_the_newest_rows_lead_to_the_same_state_as_the_whole_log(seed: int) -> None:
    from tests.unit.runner.planning.logs import newest_rows, random_log

    rows = random_log(random.Random(seed), steps=60)
    whole, read = Applied(rows), Applied(newest_rows(rows))
    assert read.version == whole.version
    assert read.recorded == whole.recorded
    assert [read.row(v) for v in read.recorded] == [whole.row(v) for v in whole.recorded]
    covered = {version for version in range(10) if read.covers(version)}
    assert covered >= {version for version in range(10) if whole.covers(version)}
    here = whole.version
    proven = {v for v in range(10) if here is not None and v < here and not whole.covers(v)}
    # A version that was set below the step which had proved it proves nothing any more.
    was_set = [row.to_version for row in rows if row.version is None and row.to_version is not None]
    assert all(any(version <= to for to in was_set) for version in covered & proven)


@pytest.mark.parametrize("seed", range(100))
def test_nothing_above_the_version_counts_as_applied(seed: int) -> None:
    from tests.unit.runner.planning.logs import random_log

    rows = random_log(random.Random(seed), steps=40)
    for count in range(len(rows) + 1):
        for moved in (Applied(rows[:count]).version, None, 3, 7):
            applied = Applied(rows[:count])
            applied.settle(moved)
            here = 0 if applied.version is None else applied.version
            assert not any(applied.covers(version) for version in range(12) if version > here)
            assert all(version <= here for version in (*applied.recorded, *applied.stops))
