"""Two histories, of which one has replaced the other: each log says it, and one is
enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.adopt import adopt, examine
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.versions import reader_of
from tests.database import Database
from tests.runner.arrange import Witness
from tests.runner.test_lost_history import of, refusal
from tests.runner.test_takeover import PAIRS, latest, rows, write

pytestmark = pytest.mark.database

ONE, GOOSE, FLYWAY = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE, HistoryKind.FLYWAY
COMMANDS: dict[str, Callable[[Request], Result[Any]]] = {
    "up": up,
    "up 1": lambda wanted: up(wanted, 1),
    "up, looking first": lambda wanted: up(wanted, looks_first=True),
    "goto": goto,
    "plan": preview,
}
LOST_ALL = {
    "both dropped": "DROP TABLE {0}, {0}_log",
    "both emptied": "TRUNCATE {0}, {0}_log",
    "both numbered anew": "TRUNCATE {0}, {0}_log RESTART IDENTITY",
    "both deleted": "DELETE FROM {0}; DELETE FROM {0}_log",
    "the table emptied, the log dropped": "TRUNCATE {0}; DROP TABLE {0}_log",
    "the table dropped, the log emptied": "DROP TABLE {0}; TRUNCATE {0}_log",
    "both moved": "CREATE SCHEMA moved; ALTER TABLE {0} SET SCHEMA moved;"
    " ALTER TABLE {0}_log SET SCHEMA moved",
}
LOST_LOG = {
    "dropped": "DROP TABLE {0}_log",
    "emptied": "TRUNCATE {0}_log",
    "numbered anew": "TRUNCATE {0}_log RESTART IDENTITY",
    "deleted": "DELETE FROM {0}_log",
    "renamed": "ALTER TABLE {0}_log RENAME TO put_aside",
    "its beginning deleted": "DELETE FROM {0}_log"
    " WHERE id <> (SELECT id FROM {0}_log WHERE direction = 'up' ORDER BY id DESC LIMIT 1)",
}


def table_of(wanted: Request) -> str:
    history = wanted.target.history
    return f"{history.schema or 'public'}.{history.name}"


class Shop:
    """A database, and the same files in each format."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self._directory = database, directory

    def on(self, kind: HistoryKind, last: int = 4) -> Request:
        """With the files up to that version."""
        return replace(of(kind, self.database), source=write(kind, self._directory, last))

    def change(self, before: HistoryKind, after: HistoryKind) -> None:
        """From one format to the other at version 3, and one step on."""
        up(self.on(before, 3)).unwrap()
        new = self.on(after, 3)
        baseline(new, latest(new)).unwrap()
        up(self.on(after)).unwrap()
        assert rows(self.database) == [2, 3, 4]


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def refused(wanted: Request, *said: str) -> None:
    for name, command in COMMANDS.items():
        text = refusal(command(wanted))
        for each in said:
            assert each in text, (name, text)


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("loss", LOST_ALL)
def test_the_history_that_counts_is_lost(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind, loss: str
) -> None:
    shop.change(before, after)
    new, old = shop.on(after), shop.on(before, 3)
    database.execute(LOST_ALL[loss].format(table_of(new)))
    if after is HistoryKind.ATLAS:
        text = refusal(apply(new, ApplyOrder(may_hold_something=True)))
        assert "has replaced" in text
    refused(
        new,
        f"{table_of(new)} ",
        f"{table_of(old)}_log says that it has replaced {table_of(old)} at version 3",
        "`dbmigrate baseline V`",
        "`dbmigrate force -1`",
        f"`dbmigrate -format {before} force V`",
    )
    witness = Witness()
    status(replace(new, observer=witness)).unwrap()
    assert any("has replaced" in each.message for each in witness.notices)
    findings = verify(new).unwrap()
    assert findings is not None
    assert [each.kind for each in findings][:1] == ["lost"]
    assert rows(database) == [2, 3, 4]
    # The old files are not the way on either, unless a person says so.
    refusal(up(shop.on(before)))
    baseline(new, latest(new)).unwrap()
    assert up(new).report.outcome is Outcome.UP_TO_DATE
    refusal(up(shop.on(before)))
    assert rows(database) == [2, 3, 4]


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("loss", LOST_LOG)
def test_the_history_that_was_left_loses_its_log(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind, loss: str
) -> None:
    shop.change(before, after)
    old = shop.on(before)
    database.execute(LOST_LOG[loss].format(table_of(old)))
    new = shop.on(after)
    refused(
        old,
        f"{table_of(old)} was left at version 3",
        f"{table_of(new)}, a history of {after}'s files",
        "`dbmigrate force V`",
    )
    if before is not HistoryKind.ATLAS:
        refusal(down(old, 1))
    findings = verify(old).unwrap()
    assert findings is not None
    assert "taken over" in [each.kind for each in findings]
    assert up(new).report.outcome is Outcome.UP_TO_DATE
    assert rows(database) == [2, 3, 4]
    # A person leads back: then the other one was left, whichever log is lost.
    force(old, latest(old)).unwrap()
    assert up(old).report.outcome is Outcome.UP_TO_DATE
    if after is not HistoryKind.ATLAS:
        refusal(down(new, 1))
    database.execute(f"DROP TABLE {table_of(old)}_log")
    assert up(old).report.outcome is Outcome.UP_TO_DATE


@pytest.mark.parametrize("loss", LOST_ALL)
def test_the_history_that_was_left_is_lost_whole(shop: Shop, database: Database, loss: str) -> None:
    shop.change(ONE, GOOSE)
    old = shop.on(ONE)
    database.execute(LOST_ALL[loss].format("public.schema_migrations"))
    refused(old, "goose_db_version")
    assert rows(database) == [2, 3, 4]


@pytest.mark.parametrize("name", [None, "theirs"])
@pytest.mark.parametrize("loss", [*LOST_ALL, *(f"the log {each}" for each in LOST_LOG)])
def test_after_adopting(shop: Shop, database: Database, name: str | None, loss: str) -> None:
    goose = shop.on(GOOSE, 3)
    if name is not None:
        table = HistoryTable(None, name, GOOSE)
        goose = replace(goose, target=replace(goose.target, history=table))
    up(goose).unwrap()
    into = HistoryTable(None, "schema_migrations", ONE)
    expected = examine(goose, into, {}).unwrap()
    assert expected is not None
    adopt(goose, into, {}, expected).unwrap()
    up(shop.on(ONE)).unwrap()
    if loss in LOST_ALL:
        database.execute(LOST_ALL[loss].format("public.schema_migrations"))
        refused(shop.on(ONE), "has replaced public.", "at version 3")
        again = examine(goose, into, {})
        assert again.error is None, again.error
    else:
        log = LOST_LOG[loss.removeprefix("the log ")].format(table_of(goose))
        database.execute(log)
        refused(replace(goose, source=shop.on(GOOSE).source), "was left at version 3")
    assert rows(database) == [2, 3, 4]


@pytest.mark.parametrize("loss", ["dropped", "emptied"])
def test_two_histories_on_purpose_stay_two_without_the_log(
    shop: Shop, database: Database, loss: str
) -> None:
    shop.change(ONE, GOOSE)
    old = shop.on(ONE, 3)
    force(old, None).unwrap()
    force(old, 3).unwrap()
    database.execute(LOST_LOG[loss].format("schema_migrations"))
    assert up(shop.on(ONE)).report.version == "4"
    assert up(shop.on(GOOSE)).error is None


def test_three_formats_one_after_the_other(shop: Shop, database: Database) -> None:
    shop.change(ONE, GOOSE)
    flyway = shop.on(FLYWAY)
    baseline(flyway, latest(flyway)).unwrap()
    for table in ("schema_migrations_log", "goose_db_version_log"):
        database.execute(f"DROP TABLE {table}")
    refusal(down(shop.on(ONE), 1))
    refusal(down(shop.on(GOOSE), 1))
    back = shop.on(ONE, 3)
    force(back, 3).unwrap()
    database.execute("DROP TABLE schema_migrations_log")
    assert up(shop.on(ONE)).error is None
    refusal(down(shop.on(GOOSE), 1))
    assert down(flyway, 1).error is not None


def test_another_formats_log_that_was_left_still_says_that_the_database_is_no_new_one(
    shop: Shop, database: Database
) -> None:
    shop.change(ONE, GOOSE)
    database.execute("DROP TABLE goose_db_version, goose_db_version_log")
    text = refusal(up(shop.on(FLYWAY)))
    assert "public.schema_migrations_log ends at version 3" in text


def test_a_log_of_another_role_says_nothing(shop: Shop, database: Database) -> None:
    """One that a stranger has made could stop every run."""
    role = database.create_role(password="p")
    up(shop.on(ONE, 3)).unwrap()
    database.execute(
        f"GRANT CREATE ON SCHEMA public TO {role};"
        f"GRANT SELECT ON schema_migrations_log TO {role}; SET ROLE {role};"
        "CREATE TABLE goose_db_version_log (LIKE schema_migrations_log INCLUDING ALL);"
        "INSERT INTO goose_db_version_log (version, name, direction, outcome, started_at,"
        " executed_by, executed_from, tool_version, checksum) SELECT 0,"
        " 'golang-migrate public.schema_migrations', 'succession', 'noted', now(), 'x', 'x', 'x',"
        " '3'; RESET ROLE; TRUNCATE schema_migrations_log"
    )
    assert up(shop.on(ONE)).report.version == "4"


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("empties", [True, False])
def test_a_history_that_begins_after_another_one_was_said_to_be_empty(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind, empties: bool
) -> None:
    """`force -1`, or a way down to nothing, knew nothing of the later one."""
    old, new = shop.on(before), shop.on(after)
    if empties and before is not HistoryKind.ATLAS:
        up(shop.on(before, 1)).unwrap()
        down(shop.on(before, 1)).unwrap()
    else:
        force(old, None).unwrap()
    if after is FLYWAY:  # the schema is not empty
        baseline(new, reader_of(after)("0")).unwrap()
    up(new).unwrap()
    assert rows(database) == [2, 3, 4]
    text = table_of(new)
    refused(old, f"{text}_log ends at version 4, which began after that", f"(-format {after})")
    assert rows(database) == [2, 3, 4]
    # Said again, it is a second history; or it takes the place of the other one.
    force(old, None).unwrap()
    assert up(old).report.outcome is Outcome.APPLIED
    assert rows(database) == [2, 2, 3, 3, 4, 4]
