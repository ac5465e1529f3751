"""Flyway itself and us on one database, in turns: the same rows, and content with each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.database import Database as Opened
from dbmigrate.runner.request import Options, Request
from dbmigrate.versions import dotted, repeatable
from tests.database import Database
from tests.formats.arrange import fill, findings, request, states
from tests.formats.flyway_oracle import COLUMNS, Flyway, flyway_rows

pytestmark = pytest.mark.database

FILES = {
    "V1__a_b.sql": "\ufeffCREATE TABLE a (id int);\r\nCREATE TABLE b ();\r\n",
    "V1_2__c.sql": "CREATE TABLE c ();",
    "V1.10__d__e.sql": "-- \u00e4\u20ac\U0001f40d\nCREATE TABLE d ();\n",
    "V2__index.sql": "CREATE INDEX CONCURRENTLY i ON a (id);",
    "R__views.sql": "CREATE OR REPLACE VIEW v AS SELECT '${flyway:database}' AS x;",
    "R__again.sql": "SELECT 1;",
}


def ours(database: Database, directory: Path, options: Options | None = None) -> Request:
    return request(database, directory, kind=HistoryKind.FLYWAY, options=options)


def lay(tmp_path: Path, files: dict[str, str]) -> Path:
    directory = fill(tmp_path / "m", {})
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    return directory


def test_both_write_the_same_rows_into_the_same_table(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    other = database.server.create_database()
    directory = lay(tmp_path, {**FILES, "sub/V3__deep.sql": "CREATE TABLE e ();"})
    flyway.do("migrate", other, directory)
    assert up(ours(database, directory)).error is None
    theirs, mine = flyway_rows(other, COLUMNS), flyway_rows(database, COLUMNS)
    differing = [pair for pair in zip(theirs, mine, strict=True) if pair[0] != pair[1]]
    # The view holds the database's name, so its checksum has to differ: and does nowhere else.
    assert [pair[0][2] for pair in differing] == ["views"]
    where = "WHERE tablename = 'flyway_schema_history'"
    indexes = f"SELECT indexname, indexdef FROM pg_indexes {where} ORDER BY 1"
    assert database.query(indexes) == other.query(indexes)
    columns = (
        "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_name = 'flyway_schema_history'"
        " ORDER BY ordinal_position"
    )
    assert database.query(columns) == other.query(columns)
    other.drop()


def test_each_is_content_with_what_the_other_wrote(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = lay(tmp_path, {name: FILES[name] for name in ("V1__a_b.sql", "R__views.sql")})
    flyway.do("migrate", database, directory)
    assert findings(database, directory) == []
    assert up(ours(database, directory)).report.outcome == "UpToDate"
    lay(tmp_path, FILES)
    assert up(ours(database, directory)).error is None
    flyway.do("validate", database, directory)
    flyway.do("migrate", database, directory)
    assert len(flyway_rows(database)) == 6
    assert findings(database, directory) == []


def test_a_step_down_is_understood_by_flyway_and_can_be_made_again_by_either(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    files = {
        "V1__a.sql": "CREATE TABLE a ();",
        "V2__b.sql": "CREATE TABLE b ();",
        "U2__b.sql": "DROP TABLE b;",
    }
    directory = lay(tmp_path, files)
    assert up(ours(database, directory)).error is None
    for run_again in (True, False):
        assert down(ours(database, directory), 1).report.version == "1"
        lines = flyway.do("info", database, directory)
        assert lines[-1] == "2\tb\tPENDING"
        if run_again:
            flyway.do("migrate", database, directory)
        else:
            assert up(ours(database, directory)).report.version == "2"
        flyway.do("validate", database, directory)
        assert states(database, directory) == [(dotted("1"), "applied"), (dotted("2"), "applied")]
    kinds = [row[1] for row in flyway_rows(database)]
    assert kinds == ["SQL", "SQL", "DELETE", "SQL", "DELETE", "SQL"]


def test_nothing_is_undone_without_a_script(database: Database, tmp_path: Path) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a ();"})
    assert up(ours(database, directory)).error is None
    undone = down(ours(database, directory), 1)
    assert undone.error is not None
    assert undone.error.reason == "IrreversibleMigration"
    assert len(flyway_rows(database)) == 1


def test_a_baseline_of_either_is_one_for_both(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    other = database.server.create_database()
    directory = lay(tmp_path, {"V1__a.sql": "SELECT 1/0;", "V2.1__b.sql": "CREATE TABLE b ();"})
    for each in (database, other):
        each.execute("CREATE TABLE was_there ()")
    flyway.do("baseline", other, directory, flyway__baselineVersion="2")
    assert baseline(ours(database, directory), dotted("2")).error is None
    assert flyway_rows(database, COLUMNS) == flyway_rows(other, COLUMNS)
    flyway.do("migrate", database, directory)
    assert up(ours(other, directory)).error is None
    assert flyway_rows(database, COLUMNS) == flyway_rows(other, COLUMNS)
    assert findings(database, directory) == []
    other.drop()


def test_a_baseline_migration_stands_for_what_is_below_it(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    other = database.server.create_database()
    files = {
        "V1__a.sql": "SELECT 1/0;",
        "B2__all.sql": "CREATE TABLE a ();",
        "V2__b.sql": "SELECT 1/0;",
        "V3__c.sql": "CREATE TABLE c ();",
    }
    directory = lay(tmp_path, files)
    assert states(database, directory)[0] == (dotted("1"), "skipped")
    flyway.do("migrate", other, directory)
    assert up(ours(database, directory)).error is None
    assert flyway_rows(database, COLUMNS) == flyway_rows(other, COLUMNS)
    flyway.do("validate", database, directory)
    assert findings(other, directory) == []
    assert states(other, directory)[0] == (dotted("1"), "skipped")
    lay(tmp_path, {"B3__all.sql": "SELECT 1/0;"})
    assert up(ours(other, directory)).report.outcome == "UpToDate"
    other.drop()


def test_an_edited_file_is_noticed_by_flyways_own_checksum(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a ();\n"})
    flyway.do("migrate", database, directory)
    lay(tmp_path, {"V1__a.sql": "CREATE TABLE a ();\r\n"})  # ends of lines don't count
    assert findings(database, directory) == []
    lay(tmp_path, {"V1__a.sql": "CREATE TABLE a (id int);\n"})
    assert findings(database, directory) == [(dotted("1"), "changed")]
    refused = up(ours(database, directory))
    assert refused.error is not None
    assert refused.error.reason == "ChecksumMismatch"
    assert repair(ours(database, directory)).error is None
    flyway.do("validate", database, directory)
    assert findings(database, directory) == []


def test_a_repeatable_migration_runs_again_when_a_value_changes(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = lay(tmp_path, {"R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT '${who}' AS x;"})
    for who, runs in (("Ann", 1), ("Ann", 1), ("Bob", 2)):
        environ = {"FLYWAY_PLACEHOLDERS_WHO": who}
        made = request(database, directory, kind=HistoryKind.FLYWAY, environ=environ)
        assert up(made).error is None
        assert len(flyway_rows(database)) == runs
        flyway.do("migrate", database, directory, flyway__placeholders__who=who)
        assert len(flyway_rows(database)) == runs
        assert database.query("SELECT x FROM v") == [(who,)]


def test_a_step_that_failed_halfway_blocks_both_until_it_is_repaired(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    bad = "CREATE INDEX CONCURRENTLY i ON a (id);\nSELECT 1/0;\nVACUUM a;"
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a (id int);", "V2__i.sql": bad})
    stopped = up(ours(database, directory))
    assert stopped.report.dirty is True
    assert flyway_rows(database)[-1] == ("2", "SQL", False)
    assert "failed migration to version 2" in flyway.try_to("migrate", database, directory)
    lay(tmp_path, {"V2__i.sql": bad.replace("1/0", "1")})
    assert repair(ours(database, directory)).error is None
    assert flyway_rows(database)[-1] == ("2", "SQL", True)
    assert repair(ours(database, directory)).error is None  # the file was edited: its checksum
    flyway.do("validate", database, directory)


def test_a_failure_of_flyways_makes_dirty_until_its_kind_of_repair(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    bad = "CREATE INDEX CONCURRENTLY i ON a (id);\nSELECT 1/0;"
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a (id int);", "V2__i.sql": bad})
    assert flyway.try_to("migrate", database, directory, flyway__mixed="true")
    refused = up(ours(database, directory))
    assert refused.error is not None
    assert refused.error.reason == "Dirty"
    assert states(database, directory)[1] == (dotted("2"), "dirty")
    mended = repair(ours(database, directory)).unwrap()
    assert mended is not None
    assert mended.messages == ("removed the row of the failed step to version 2",)
    database.execute("DROP INDEX i")
    lay(tmp_path, {"V2__i.sql": "CREATE TABLE i ();"})
    assert up(ours(database, directory)).error is None
    flyway.do("validate", database, directory)


def test_an_undo_that_stops_halfway_blocks_flyway_as_well(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    files = {
        "V1__a.sql": "CREATE TABLE a (id int); CREATE INDEX i ON a (id);",
        "U1__a.sql": "DROP INDEX CONCURRENTLY i;\nSELECT 1/0;\nDROP TABLE a;",
    }
    directory = lay(tmp_path, files)
    assert up(ours(database, directory)).error is None
    assert down(ours(database, directory), 1).report.dirty is True
    assert "failed migration" in flyway.try_to("migrate", database, directory)
    lay(tmp_path, {"U1__a.sql": files["U1__a.sql"].replace("1/0", "1")})
    assert repair(ours(database, directory)).error is None
    assert flyway_rows(database) == [("1", "SQL", True), ("1", "DELETE", True)]
    flyway.do("migrate", database, directory)


def test_a_file_that_is_gone_is_marked_as_flyway_marks_it(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    other = database.server.create_database()
    files = {f"V{n}__t.sql": f"CREATE TABLE t{n} ();" for n in (1, 2, 3)}
    directory = lay(tmp_path, {**files, "R__r.sql": "SELECT 1;"})
    for each in (database, other):
        flyway.do("migrate", each, directory)
    (directory / "V2__t.sql").unlink()
    (directory / "R__r.sql").unlink()
    gone = [(dotted("2"), "missing"), (repeatable("r"), "missing")]
    assert findings(database, directory) == gone
    flyway.do("repair", other, directory)
    assert repair(ours(database, directory)).error is None
    assert flyway_rows(database, COLUMNS) == flyway_rows(other, COLUMNS)
    other.drop()


def test_goto_and_force_take_dotted_versions(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    files = {f"V1.{n}__t.sql": f"CREATE TABLE t{n} ();" for n in (1, 9, 10)}
    undo = {f"U1.{n}__t.sql": f"DROP TABLE t{n};" for n in (1, 9, 10)}
    directory = lay(tmp_path, {**files, **undo})
    assert goto(ours(database, directory), dotted("1.9")).report.version == "1.9"
    assert goto(ours(database, directory)).report.version == "1.10"
    assert goto(ours(database, directory), dotted("1.1.0")).report.version == "1.1"
    assert force(ours(database, directory), dotted("1.10")).report.version == "1.10"
    flyway.do("validate", database, directory)
    assert force(ours(database, directory), dotted("1.1")).report.version == "1.1"
    assert flyway.do("info", database, directory)[-2:] == [
        "1.9\tt\tPENDING",
        "1.10\tt\tPENDING",
    ]


@pytest.mark.parametrize("transactional", ["true", "false"])
def test_locks_exclude_each_other(
    database: Database, tmp_path: Path, flyway: Flyway, transactional: str
) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a ();"})
    assert up(ours(database, directory)).error is None
    lay(tmp_path, {"V2__b.sql": "SELECT pg_advisory_xact_lock(1); CREATE TABLE b ();"})
    with database.connect() as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        flyway.send("migrate", database, directory, transactionalLock=transactional)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while gate.execute(waiting).fetchall() != [(1,)]:
            assert flyway.process.poll() is None
        refused = up(ours(database, directory, Options(lock_timeout=0)))
        assert refused.error is not None
        assert refused.error.reason == "LockTimeout", refused.error
        gate.execute("SELECT pg_advisory_unlock(1)")
    assert flyway.answer() == ([], "")
    assert up(ours(database, directory)).report.outcome == "UpToDate"


def test_flyway_waits_while_we_run(database: Database, tmp_path: Path, flyway: Flyway) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "CREATE TABLE a ();"})
    assert up(ours(database, directory)).error is None
    lay(tmp_path, {"V2__b.sql": "CREATE TABLE b ();"})
    held = Opened(ours(database, directory), is_locked=True, with_log=True)
    try:
        problem = flyway.try_to("migrate", database, directory, flyway__lockRetryCount="0")
    finally:
        held.close()
    assert "Number of retries exceeded" in problem
    flyway.do("migrate", database, directory)
