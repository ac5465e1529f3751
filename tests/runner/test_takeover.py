"""A history whose place one of another format has taken: its files are not run any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.adopt import adopt, examine
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.redo import redo
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format, Source
from dbmigrate.sources.sums import renew_sum
from dbmigrate.versions import reader_of
from tests.database import Database
from tests.runner.arrange import Witness, migration, source, tables
from tests.runner.test_lost_history import of, refusal

pytestmark = pytest.mark.database

INSERTS = source(
    migration(1, "CREATE TABLE IF NOT EXISTS t (n int)", "DROP TABLE t"),
    *(migration(v, f"INSERT INTO t VALUES ({v})", f"DELETE FROM t WHERE n = {v}") for v in (2, 3)),
)
LATER = source(*INSERTS.migrations, migration(4, "INSERT INTO t VALUES (4)", "DELETE FROM t"))
PAIRS = [
    (before, after)
    for before in HistoryKind
    for after in HistoryKind
    if before.default_table != after.default_table
]
MOVING: dict[str, Callable[[Request], Result[Any]]] = {
    "up": up,
    "up 1": lambda wanted: up(wanted, 1),
    "goto": goto,
    "plan": preview,
    "apply": lambda wanted: apply(wanted, ApplyOrder()),
    "down": down,
    "down 1": lambda wanted: down(wanted, 1),
    "redo": redo,
}


def rows(database: Database) -> list[int]:
    return [n for (n,) in database.query("SELECT n FROM t ORDER BY n")]


def write(kind: HistoryKind, directory: Path, last: int) -> Source:
    """The first versions of LATER as files of that format."""
    place = directory / f"{kind}-{last}"
    place.mkdir(exist_ok=True)
    for each in LATER.migrations[:last]:
        assert each.up is not None
        assert each.down is not None
        ups, downs = each.up.load().decode(), each.down.load().decode()
        files = {
            HistoryKind.GOLANG_MIGRATE: {"{0}_m.up.sql": ups, "{0}_m.down.sql": downs},
            HistoryKind.GOOSE: {"0{0}_m.sql": f"-- +goose Up\n{ups};\n-- +goose Down\n{downs};\n"},
            HistoryKind.DBMATE: {
                "0{0}_m.sql": f"-- migrate:up\n{ups};\n-- migrate:down\n{downs};\n"
            },
            HistoryKind.FLYWAY: {"V{0}__m.sql": ups, "U{0}__m.sql": downs},
            HistoryKind.ATLAS: {"{0}_m.sql": ups},
        }[kind]
        for name, text in files.items():
            (place / name.format(each.version)).write_text(text)
    if kind is HistoryKind.ATLAS:
        renew_sum(place, Format.ATLAS)
    return read_source(place, Format(kind), {})


def latest(wanted: Request) -> Any:
    assert wanted.source is not None
    return wanted.source.latest


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_no_command_moves_a_history_that_was_left(
    database: Database, before: HistoryKind, after: HistoryKind, tmp_path: Path
) -> None:
    def on(kind: HistoryKind, last: int = 4) -> Request:
        return replace(of(kind, database), source=write(kind, tmp_path, last))

    up(on(before, 3)).unwrap()
    new = on(after, 3)
    refusal(up(new))
    baseline(new, latest(new)).unwrap()
    up(on(after)).unwrap()
    assert rows(database) == [2, 3, 4]
    for name, command in MOVING.items():
        if before is HistoryKind.ATLAS and name in ("down", "down 1", "redo"):
            continue  # its files have no way down
        text = refusal(command(on(before)))
        assert before.default_table in text, name
        assert f"{after.default_table}, a history of {after}'s files" in text, name
        assert "`dbmigrate force V`" in text, name
    assert rows(database) == [2, 3, 4]
    # The new one is not the one that was left.
    assert up(on(after)).report.outcome is Outcome.UP_TO_DATE
    if after is not HistoryKind.ATLAS:
        assert down(on(after), 1).report.outcome is Outcome.ROLLED_BACK


def test_an_older_image_with_nothing_to_run_is_told_and_not_stopped(database: Database) -> None:
    old = of(HistoryKind.GOLANG_MIGRATE, database, INSERTS)
    up(old).unwrap()
    new = of(HistoryKind.GOOSE, database, LATER)
    baseline(new, 3).unwrap()
    for command in (up, goto, preview, status):
        witness = Witness()
        assert command(replace(old, observer=witness)).error is None
        assert any("was left at version 3" in notice.message for notice in witness.notices)
    found = verify(old).unwrap()
    assert found is not None
    assert [each.kind for each in found] == ["taken over"]


def test_another_tools_history_without_a_log_gets_one(database: Database) -> None:
    """golang-migrate itself has made it: nothing but its table is there."""
    up(of(HistoryKind.GOLANG_MIGRATE, database, INSERTS)).unwrap()
    database.execute("DROP TABLE schema_migrations_log")
    baseline(of(HistoryKind.GOOSE, database, INSERTS), 3).unwrap()
    assert "was left at version 3" in refusal(up(of(HistoryKind.GOLANG_MIGRATE, database, LATER)))


def test_a_baseline_that_an_older_dbmigrate_has_made_is_made_again(database: Database) -> None:
    old, new = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE
    up(of(old, database, INSERTS)).unwrap()
    baseline(of(new, database, INSERTS), 3).unwrap()
    database.execute("DELETE FROM schema_migrations_log WHERE direction = 'takeover'")
    baseline(of(new, database, INSERTS), 3).unwrap()
    refusal(up(of(old, database, LATER)))
    force(of(old, database, INSERTS), 3).unwrap()
    baseline(of(new, database, INSERTS), 3).unwrap()  # it does not count: a person has said so
    assert up(of(old, database, LATER)).report.version == "4"


def test_adopting_leaves_the_adopted_one_under_whatever_name(database: Database) -> None:
    named = of(HistoryKind.GOOSE, database, INSERTS)
    named = replace(
        named,
        target=replace(named.target, history=HistoryTable(None, "theirs", HistoryKind.GOOSE)),
    )
    up(named).unwrap()
    into = HistoryTable(None, "schema_migrations", HistoryKind.GOLANG_MIGRATE)
    expected = examine(named, into, {}).unwrap()
    assert expected is not None
    adopt(named, into, {}, expected).unwrap()
    up(of(HistoryKind.GOLANG_MIGRATE, database, LATER)).unwrap()
    assert "public.theirs was left" in refusal(up(replace(named, source=LATER)))
    assert rows(database) == [2, 3, 4]


def test_the_way_back_and_back_again(database: Database) -> None:
    old, new = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE
    up(of(old, database, INSERTS)).unwrap()
    baseline(of(new, database, INSERTS), 3).unwrap()
    up(of(new, database, LATER)).unwrap()
    force(of(old, database, LATER), 4).unwrap()
    assert up(of(old, database, LATER)).report.outcome is Outcome.UP_TO_DATE
    refusal(down(of(new, database, LATER), 1))
    assert down(of(old, database, LATER), 1).error is None
    for _ in range(3):
        prune(of(old, database, LATER), 0).unwrap()
        refusal(down(of(new, database, LATER), 1))
    force(of(new, database, LATER), 3).unwrap()
    refusal(down(of(old, database, LATER), 1))
    assert up(of(new, database, LATER)).report.version == "4"


def test_two_histories_on_purpose_stay_two(database: Database) -> None:
    old, new = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE
    up(of(old, database, INSERTS)).unwrap()
    mine = of(new, database, tables(5, 6))
    force(mine, None).unwrap()
    force(mine, 5).unwrap()
    assert up(mine).report.version == "6"
    assert up(of(old, database, LATER)).report.version == "4"
    baseline_of_named = replace(
        mine, target=replace(mine.target, history=HistoryTable(None, "named", new))
    )
    baseline(baseline_of_named, 5).unwrap()
    assert down(of(old, database, LATER), 1).error is None
    # One that was left by mistake: it is a second one from here on, and the other is none the less.
    flyway = of(HistoryKind.FLYWAY, database, tables(7))
    baseline(flyway, latest(flyway)).unwrap()
    refusal(down(of(old, database, LATER), 1))
    force(of(old, database, LATER), None).unwrap()
    force(of(old, database, LATER), 3).unwrap()
    assert up(of(old, database, LATER)).error is None
    assert up(of(HistoryKind.FLYWAY, database, tables(7, 8))).error is None


def test_a_baseline_of_none_of_the_files_is_a_second_history(database: Database) -> None:
    old = of(HistoryKind.GOOSE, database, INSERTS)
    up(old).unwrap()
    flyway = of(HistoryKind.FLYWAY, database, tables(7))
    nothing = reader_of(HistoryKind.FLYWAY)("0")
    for _ in range(2):
        baseline(flyway, nothing).unwrap()
    up(flyway).unwrap()
    assert up(of(HistoryKind.GOOSE, database, LATER)).report.version == "4"


@pytest.mark.parametrize("before", [HistoryKind.GOOSE, HistoryKind.GOLANG_MIGRATE])
def test_a_third_format_is_told_of_the_one_that_counts(
    database: Database, before: HistoryKind
) -> None:
    middle = HistoryKind.ATLAS
    up(of(before, database, INSERTS)).unwrap()
    wanted = of(middle, database, INSERTS)
    baseline(wanted, latest(wanted)).unwrap()
    text = refusal(up(of(HistoryKind.FLYWAY, database, INSERTS)))
    assert middle.default_table in text


def test_a_role_that_may_not_mark_the_other_is_told(database: Database) -> None:
    up(of(HistoryKind.GOLANG_MIGRATE, database, INSERTS)).unwrap()
    database.execute(
        "DROP ROLE IF EXISTS newcomer; CREATE ROLE newcomer LOGIN PASSWORD 'n';"
        "GRANT CREATE, USAGE ON SCHEMA public TO newcomer;"
        "GRANT SELECT ON schema_migrations, schema_migrations_log TO newcomer"
    )
    witness = Witness()
    new = of(HistoryKind.GOOSE, database, INSERTS)
    conninfo = new.target.conninfo | {"user": "newcomer", "password": "n"}
    new = replace(new, target=replace(new.target, conninfo=conninfo), observer=witness)
    try:
        result = baseline(new, 3)
        assert result.error is None, result.error
        assert any(
            "do not run the files of golang-migrate" in each.message for each in witness.notices
        )
    finally:
        database.execute("DROP OWNED BY newcomer; DROP ROLE newcomer")


def test_a_run_under_the_old_format_is_waited_for(database: Database) -> None:
    old = of(HistoryKind.GOLANG_MIGRATE, database, INSERTS)
    up(old).unwrap()
    new = of(HistoryKind.GOOSE, database, INSERTS)
    new = replace(new, options=replace(new.options, lock_timeout=0))
    errors: list[Any] = []
    witness = Witness(on_start=lambda _: errors.append(baseline(new, 3).error))
    down(replace(old, observer=witness), 1).unwrap()
    assert [error.reason for error in errors] == [Reason.LOCK_TIMEOUT]
    assert database.query("SELECT to_regclass('goose_db_version')") == [(None,)]
