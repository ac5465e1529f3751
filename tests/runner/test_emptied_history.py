"""A version table and a log that have lost their rows together: the log's table remembers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.policies import ChangedFiles, Transactions
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.arrange import Witness, log, migration, request, source, tables
from tests.runner.batches import files as batched_files
from tests.runner.test_lost_history import INSERTS, of, refusal
from tests.runner.test_succession import table_of
from tests.runner.test_takeover import latest

pytestmark = pytest.mark.database

ONE = HistoryKind.GOLANG_MIGRATE
LOSSES = {
    "emptied": "TRUNCATE {0}, {0}_log",
    "numbered anew": "TRUNCATE {0}, {0}_log RESTART IDENTITY",
    "deleted": "DELETE FROM {0}; DELETE FROM {0}_log",
    "deleted and cleaned up": "DELETE FROM {0}; DELETE FROM {0}_log; VACUUM {0}_log",
}
LENIENT = Options(who="tester", changed_files=ChangedFiles.WARN)
"""For Flyway's rows: these files have no checksums of its kind."""
COMMANDS: tuple[Callable[[Request], Result[Any]], ...] = (
    up,
    goto,
    preview,
    lambda wanted: up(wanted, 1),
    lambda wanted: up(wanted, looks_first=True),
    lambda wanted: apply(wanted, ApplyOrder(may_hold_something=True)),
)


def lose(database: Database, wanted: Request, loss: str) -> None:
    for statement in LOSSES[loss].format(table_of(wanted)).split(";"):
        database.execute(statement)


@pytest.mark.parametrize("kind", HistoryKind)
@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_runs_again(database: Database, kind: HistoryKind, loss: str) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    lose(database, wanted, loss)
    for command in COMMANDS:
        text = refusal(command(wanted))
        assert f"{table_of(wanted)} is empty" in text
        assert f"its log {table_of(wanted)}_log had rows and is now empty" in text
        for way in ("`dbmigrate baseline V`", "`dbmigrate force -1`", "`dbmigrate adopt`"):
            assert way in text
    witness = Witness()
    status(replace(wanted, observer=witness)).unwrap()
    assert any("had rows" in each.message for each in witness.notices)
    findings = verify(wanted).unwrap()
    assert findings is not None
    assert [each.kind for each in findings][:1] == ["lost"]
    assert database.query("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize("kind", HistoryKind)
@pytest.mark.parametrize("way", [baseline, force])
def test_the_ways_on(database: Database, kind: HistoryKind, way: Callable[..., Any]) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    lose(database, wanted, "emptied")
    way(wanted, latest(wanted)).unwrap()
    more = source(*INSERTS.migrations, migration(3, "INSERT INTO t VALUES (3)"))
    assert len(goto(replace(of(kind, database, more), options=LENIENT)).report.steps) == 1
    assert database.query("SELECT n FROM t ORDER BY 1") == [(1,), (3,)]
    lose(database, wanted, "emptied")
    refusal(up(wanted))
    force(wanted, None).unwrap()
    assert len(up(wanted).report.steps) == 2


@pytest.mark.parametrize("kind", HistoryKind)
def test_a_table_and_a_log_under_other_names(database: Database, kind: HistoryKind) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    table = table_of(wanted)
    schema = table.partition(".")[0]
    for name, new in ((table, "aside"), (f"{table}_log", "aside_log")):
        database.execute(f"ALTER TABLE {name} RENAME TO {new}")
    for command in COMMANDS:
        text = refusal(command(wanted))
        assert f"{schema}.aside_log, which was its log under another name" in text
        assert "version 2" in text
        assert f"-history-table {schema}.aside" in text
    other = replace(wanted.target.history, name="aside")
    lenient = replace(wanted, options=LENIENT)
    assert up(replace(lenient, target=replace(wanted.target, history=other))).error is None
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    if kind is HistoryKind.FLYWAY:
        return  # the key of the table that was renamed has the name that Flyway gives
    force(wanted, None).unwrap()
    assert len(up(wanted).report.steps) == 2


FIRST_STEPS = {
    "a transaction": tables(1),
    "statement by statement": source(migration(1, "CREATE TABLE t1 (); VACUUM")),
    "several": tables(1, 2, 3),
    "in batches": batched_files(),
}


@pytest.mark.parametrize("files", FIRST_STEPS)
def test_however_the_first_row_was_written(database: Database, files: str) -> None:
    wanted = request(database, FIRST_STEPS[files])
    up(wanted).unwrap()
    lose(database, wanted, "numbered anew")
    refusal(up(wanted))


@pytest.mark.parametrize("way", ["all in one", "force", "baseline"])
def test_or_by_another_command(database: Database, way: str) -> None:
    if way == "all in one":
        options = Options(who="tester", transactions=Transactions.ALL)
        wanted = request(database, tables(1, 2), options=options)
        up(wanted).unwrap()
    else:
        wanted = request(database, tables(1, 2))
        {"force": force, "baseline": baseline}[way](wanted, 2).unwrap()
    lose(database, wanted, "numbered anew")
    refusal(up(wanted))


def roll_back_the_first_step(database: Database) -> None:
    """A first step that a killed run has left nothing of but a number that was used up."""
    fails = source(migration(1, "SELECT 1/0"))
    assert up(request(database, fails)).error is not None
    database.execute(
        "DELETE FROM schema_migrations_log; COMMENT ON COLUMN schema_migrations_log.id IS"
        " 'dbmigrate: no row yet'"
    )
    assert database.query("SELECT last_value FROM schema_migrations_log_id_seq") == [(1,)]


def test_a_first_step_that_was_rolled_back_is_no_loss(database: Database) -> None:
    roll_back_the_first_step(database)
    assert up(request(database, tables(1))).report.outcome is Outcome.APPLIED


def test_a_first_run_that_is_killed_in_its_one_transaction_is_no_loss(database: Database) -> None:
    """Its first row is written, and is rolled back with the second file."""
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def kill_before_second(step: PlannedStep) -> None:
        if step.version == 2:
            database.execute(kill)

    witness = Witness(on_start=kill_before_second)
    options = Options(who="tester", transactions=Transactions.ALL)
    wanted = request(database, tables(1, 2), options=options, observer=witness)
    assert up(wanted).error is not None
    assert log(database) == []
    assert database.query("SELECT last_value FROM schema_migrations_log_id_seq") == [(1,)]
    assert up(request(database, tables(1, 2))).report.version == "2"


def test_a_log_of_an_older_dbmigrate_is_known_by_its_numbers(database: Database) -> None:
    """It says nothing of its rows, until the first run that writes."""
    wanted = of(ONE, database)
    up(wanted).unwrap()
    silence = "COMMENT ON COLUMN schema_migrations_log.id IS NULL"
    database.execute(silence)
    lose(database, wanted, "emptied")
    refusal(up(wanted))
    force(wanted, 2).unwrap()
    lose(database, wanted, "numbered anew")
    refusal(up(wanted))


def test_a_comment_of_a_person_stays(database: Database) -> None:
    wanted = of(ONE, database)
    up(of(ONE, database, source(*INSERTS.migrations[:1]))).unwrap()
    database.execute("COMMENT ON COLUMN schema_migrations_log.id IS 'ours'")
    up(wanted).unwrap()
    column = "'schema_migrations_log'::regclass, 1"
    assert database.query(f"SELECT col_description({column})") == [("ours",)]
    lose(database, wanted, "emptied")
    refusal(up(wanted))


def test_a_role_that_may_not_alter_the_log(database: Database) -> None:
    role = database.create_role(password="p")
    up(request(database, tables(1))).unwrap()
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role};"
        f"GRANT ALL ON schema_migrations, schema_migrations_log, schema_migrations_log_id_seq"
        f" TO {role}; DROP TABLE t1; TRUNCATE schema_migrations, schema_migrations_log"
    )
    database.execute("COMMENT ON COLUMN schema_migrations_log.id IS 'dbmigrate: no row yet'")
    owner = request(database.url_for(role, "p"), tables(1))
    history = replace(owner.target.history, owner="postgres")
    owner = replace(owner, target=replace(owner.target, history=history))
    refusal(up(owner))
    force(owner, None).unwrap()
    assert up(owner).report.version == "1"


def test_what_is_no_loss(database: Database) -> None:
    files = tables(1, 2)
    up(request(database, files)).unwrap()
    down(request(database, files)).unwrap()
    assert up(request(database, files)).report.version == "2"
    drop(request(database, files)).unwrap()
    assert up(request(database, files)).report.version == "2"
    database.execute("DROP TABLE schema_migrations, schema_migrations_log, t1, t2")
    assert up(request(database, files)).report.version == "2"


@pytest.mark.parametrize("count", [1, 3])
def test_it_is_written_down_once(
    database: Database, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.postgres.connection.session import Session

    sent: list[bytes] = []
    original = Session.execute

    def execute(self: Session, sql: bytes, **more: Any) -> int:
        sent.append(bytes(sql))
        return original(self, sql, **more)

    monkeypatch.setattr(Session, "execute", execute)
    up(request(database, tables(*range(1, count + 1)))).unwrap()
    up(request(database, tables(*range(1, count + 2)))).unwrap()
    assert sum(b"IS 'dbmigrate: has had rows" in each for each in sent) == 1


@pytest.mark.parametrize("kind", HistoryKind)
def test_a_log_that_has_notes_alone(database: Database, kind: HistoryKind) -> None:
    """They were written after its steps were removed, and say where the database was."""
    wanted = of(kind, database)
    up(wanted).unwrap()
    table = f"{kind.default_schema or 'public'}.{kind.default_table}"
    database.execute(f"TRUNCATE {table}_log")
    goto(replace(wanted, options=replace(LENIENT, owner=Owner("ci")))).unwrap()
    found = database.query(f"SELECT outcome FROM {table}_log")
    assert set(found) == {("noted",)}
    database.execute(f"TRUNCATE {table}")
    text = refusal(up(wanted))
    assert f"{table}_log ends at version 2" in text
    other = next(each for each in HistoryKind if each.default_table != kind.default_table)
    assert f"{table}_log ends at version 2" in refusal(up(of(other, database)))
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    force(wanted, None).unwrap()
    assert up(replace(wanted, options=LENIENT)).report.outcome is Outcome.APPLIED
