"""`drift`: what was changed by hand is found, and what was not is never reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.diff.drift import IgnoreRules
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.scratch.server import scratch_server
from dbmigrate.report import DIFFERENCES_LIMIT, Reason, Report
from dbmigrate.runner.commands.drift import Drift, DriftOrder, drift
from dbmigrate.runner.request import Request
from dbmigrate.sources.formats import read_source
from tests.cli.program import run
from tests.database import Database, Server
from tests.diff_command.arrange import begin, make_roles, migrate
from tests.diff_command.test_corpus import CORPUS, FAMILIES
from tests.diff_command.test_pairs import FILES, Written, together

pytestmark = pytest.mark.database

START = """CREATE TABLE t (a int PRIMARY KEY, s varchar(10) CHECK (s IN ('a', 'b')), n int);
CREATE INDEX i ON t (n) WHERE n BETWEEN 1 AND 5 AND s <> 'x';
CREATE VIEW v AS SELECT a FROM t; CREATE TABLE p (d date) PARTITION BY RANGE (d)"""


@pytest.fixture(scope="module", autouse=True)
def roles(server: Server) -> None:
    make_roles(server)


def look(
    server: Server, database: Database, migrations: Path, rules: IgnoreRules | None = None
) -> Drift:
    """What differs; on the same server. Raises MigrationError."""
    source = read_source(migrations, None, {})
    request = Request("drift", parse_target(database.url, {}), source)
    order = DriftOrder(parse_target(server.url("postgres"), {}), rules or IgnoreRules())
    found = drift(request, order).unwrap()
    assert found is not None
    return found


def said(found: Drift) -> list[str]:
    return [f"{each.change} {each.object}" for each in found.differences]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.kind)
def test_nothing_is_found_after_up(
    server: Server, database: Database, tmp_path: Path, file: Written
) -> None:
    texts = [file.always + text for _, text in file.variants]
    made = texts[-1] if file.is_alone else together(texts)
    migrations = begin(tmp_path / "migrations", made)
    migrate(database, migrations)
    rules = IgnoreRules(with_rights=True, with_partitions=True)
    assert said(look(server, database, migrations, rules)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_found_after_up_of_a_whole_schema(
    server: Server, database: Database, tmp_path: Path, family: str
) -> None:
    migrations = begin(tmp_path / "migrations", (CORPUS / family / "3.sql").read_text())
    migrate(database, migrations)
    assert said(look(server, database, migrations)) == []


def test_what_was_added_changed_and_dropped_by_hand_is_found_with_its_undoing(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    database.execute("""ALTER TABLE t ALTER n TYPE bigint; DROP VIEW v; DROP INDEX i;
        CREATE TABLE by_hand (id int PRIMARY KEY); CREATE INDEX ON by_hand (id)""")
    found = look(server, database, migrations)
    assert said(found) == [
        "changed column public.t.n",
        "dropped index public.i",
        "added table public.by_hand",
        "dropped view public.v",
    ]
    assert found.differences[0].details == ("type is bigint, and was integer",)
    for each in reversed(found.differences):
        for sql in each.undo:
            database.execute(sql)
    assert said(look(server, database, migrations)) == []


def test_migrations_that_are_not_applied_do_not_count(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    (migrations / "000002_more.up.sql").write_text("CREATE TABLE more (id int)")
    assert said(look(server, database, migrations)) == []


def test_partitions_that_a_scheduler_makes_and_what_is_ignored_are_passed_over(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    database.execute("""CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO
        ('2021-01-01'); CREATE INDEX ON p1 (d); CREATE TABLE audit_1 (id int UNIQUE);
        GRANT SELECT ON t TO reader""")
    patterns = ("table:public.audit_*",)
    assert said(look(server, database, migrations, IgnoreRules(patterns))) == []
    found = look(server, database, migrations, IgnoreRules(with_rights=True, with_partitions=True))
    assert said(found) == [
        "added table public.audit_1",
        "added table public.p1",
        "changed table public.t",
    ]


def test_settings_of_the_database_make_no_difference(
    server: Server, database: Database, tmp_path: Path
) -> None:
    database.execute(f"""CREATE SCHEMA app; ALTER DATABASE {database.name} SET search_path = app;
        ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'""")
    made = """CREATE TABLE t (a timestamptz DEFAULT '2020-01-01', b interval DEFAULT '1 day');
    CREATE TABLE p (d timestamptz) PARTITION BY RANGE (d);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"""
    migrations = begin(tmp_path / "migrations", made)
    migrate(database, migrations)
    assert said(look(server, database, migrations)) == []


def test_the_command_line_exits_with_3_and_has_a_document(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    command = ("-path", str(migrations), "-database", database.url)
    rest = ("drift", "-dev-url", server.url("postgres"))
    same = run(*command, *rest)
    assert (same.code, same.stdout) == (0, ""), same.stderr
    assert "the schema is what the migrations up to 1 make" in same.stderr
    database.execute("ALTER TABLE t ADD z text")
    ran = run(*command, *rest)
    assert ran.code == 3
    assert "added column public.t.z" in ran.stdout
    assert "undo: ALTER TABLE public.t DROP COLUMN z;" in ran.stdout
    document = json.loads(run(*command, "--json", *rest).stdout)
    assert document["drift"]["differences"][0]["name"] == "public.t.z"
    ignored = run(*command, *rest, "-ignore", "column:public.t.z")
    assert ignored.code == 0
    lenient = run(*command, *rest, "-exit-zero")
    assert (lenient.code, lenient.stdout) == (0, ran.stdout)


def test_a_report_has_the_first_differences_and_the_number_of_all(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    many = range(1, DIFFERENCES_LIMIT + 6)
    database.execute(";".join(f"CREATE TABLE by_hand_{i} (id int)" for i in many))
    database.execute("ALTER TABLE t ALTER n TYPE bigint")
    report = tmp_path / "report.json"
    command = ("-path", str(migrations), "-database", database.url, "-report", str(report))
    ran = run(*command, "drift", "-dev-url", server.url("postgres"))
    assert ran.code == 3
    found = Report.from_json(report.read_text()).drift
    assert found is not None
    assert found.differences_total == len(many) + 1
    assert len(found.differences) == DIFFERENCES_LIMIT
    first = found.differences[0]
    assert (str(first), first.details) == (
        "changed column public.t.n",
        "type is bigint, and was integer",
    )


def test_a_scratch_server_that_serves_nothing_else_gets_the_roles_that_are_granted_to(
    database: Database, tmp_path: Path
) -> None:
    role = database.create_role()
    granted = f"{START}; GRANT SELECT ON t TO {role}; CREATE POLICY p ON t TO {role} USING (true)"
    migrations = begin(tmp_path / "migrations", granted)
    migrate(database, migrations)
    with scratch_server() as words:
        command = ("-path", str(migrations), "-database", database.url)
        ran = run(*command, "-rehearse-on", f"{words} dbname=postgres", "drift")
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr


def test_it_steps_aside_for_a_migration_that_has_locked_a_part_of_the_schema(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    command = ("-path", str(migrations), "-database", database.url, "-lock-timeout", "1")
    with database.connect() as migration:
        migration.execute("BEGIN; ALTER TABLE t ADD more int")
        ran = run(*command, "drift", "-dev-url", server.url("postgres"))
        assert ran.code == 1
        assert "has locked a part of the schema" in ran.stderr
        migration.execute("ALTER TABLE p ADD more int; ROLLBACK")
    assert run(*command, "drift", "-dev-url", server.url("postgres")).code == 0


def test_a_migration_that_takes_place_meanwhile_is_no_drift(
    server: Server, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)

    def read_late(session: Session, **options: Any) -> Schema:
        monkeypatch.undo()
        (migrations / "000002_more.up.sql").write_text("CREATE TABLE more (id int)")
        migrate(database, migrations)
        return read_schema(session, **options)

    monkeypatch.setattr("dbmigrate.runner.commands.drift.read_schema", read_late)
    with pytest.raises(MigrationError, match="was migrated while its schema was read") as raised:
        look(server, database, migrations)
    assert raised.value.reason is Reason.INTERRUPTED
    assert said(look(server, database, migrations)) == []
