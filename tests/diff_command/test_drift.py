"""`drift`: what was changed by hand is found, and what was not is never reported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmigrate.diff.drift import IgnoreRules
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.scratch.server import scratch_server
from dbmigrate.report import Reason, Report
from dbmigrate.report.bounds import DIFFERENCES_LIMIT
from dbmigrate.runner.commands.drift import Drift, DriftOrder, drift
from dbmigrate.runner.request import Request
from dbmigrate.sources.formats import read_source
from tests.cli.program import run
from tests.database import Database, Server
from tests.diff_command.arrange import begin, make_roles, migrate
from tests.diff_command.test_corpus import CORPUS, FAMILIES
from tests.diff_command.test_pairs import FILES, Written, together

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
EVERY = IgnoreRules(with_rights=True, with_partitions=True)
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
    assert said(look(server, database, migrations, EVERY)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_found_after_up_of_a_whole_schema(
    server: Server, database: Database, tmp_path: Path, family: str
) -> None:
    migrations = begin(tmp_path / "migrations", (CORPUS / family / "3.sql").read_text())
    migrate(database, migrations)
    assert said(look(server, database, migrations)) == []


def examples() -> Iterator[tuple[str, Mapping[str, str]]]:
    """The files of the example's ConfigMaps, of the README's directory and of a chart."""
    yield "migrations", {each.name: each.read_text() for each in (ROOT / "migrations").iterdir()}
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            files = body.get("data", {}) if body["kind"] == "ConfigMap" else {}
            if any(name.endswith(".up.sql") for name in files):
                yield path.name, files


EXAMPLES = [*examples()]


@pytest.mark.parametrize(("name", "files"), EXAMPLES)
def test_nothing_is_found_after_up_of_an_example(
    server: Server, database: Database, tmp_path: Path, name: str, files: Mapping[str, str]
) -> None:
    for each, text in files.items():
        (tmp_path / each).write_text(text)
    migrate(database, tmp_path)
    assert said(look(server, database, tmp_path, EVERY)) == [], name


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


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
        ('2021-01-01'); CREATE INDEX ON p1 (d); CREATE TABLE audit_1 (id serial UNIQUE);
        GRANT SELECT ON t TO reader""")
    patterns = ("table:public.audit_*",)
    assert said(look(server, database, migrations, IgnoreRules(patterns))) == []
    found = look(server, database, migrations, IgnoreRules(with_rights=True, with_partitions=True))
    assert said(found) == [
        "added table public.audit_1",
        "added table public.p1",
        "changed table public.t",
    ]


def test_another_application_in_the_database_is_ignored_by_schema_or_by_prefix(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    database.execute("""CREATE SCHEMA billing; CREATE TABLE billing.bills (id serial PRIMARY KEY);
        CREATE VIEW billing.v AS SELECT id FROM billing.bills;
        CREATE TABLE public.billing_rates (id int PRIMARY KEY, CHECK (id > 0));
        CREATE FUNCTION public.billing_sum(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TYPE public.billing_kind AS ENUM ('x')""")
    patterns = ("schema:billing", "billing.*", "public.billing_*")
    assert said(look(server, database, migrations, IgnoreRules(patterns))) == []
    assert said(look(server, database, migrations)) != []


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

    monkeypatch.setattr("dbmigrate.runner.diffing.live_schema.read_schema", read_late)
    with pytest.raises(MigrationError, match="was migrated while its schema was read") as raised:
        look(server, database, migrations)
    assert raised.value.reason is Reason.INTERRUPTED
    assert said(look(server, database, migrations)) == []


SETTINGS = (
    "datestyle = 'German'",
    "datestyle = 'ISO, DMY'",
    "intervalstyle = 'sql_standard'",
    "timezone = 'Asia/Tokyo'",
    "extra_float_digits = -5",
    "quote_all_identifiers = on",
    "bytea_output = 'escape'",
    "transform_null_equals = on",
    "standard_conforming_strings = off",
    "array_nulls = off",
    "xmloption = 'document'",
    "default_text_search_config = 'german'",
    "check_function_bodies = off",
)
UNDERSTOOD = r"""
CREATE TABLE t (id int PRIMARY KEY, d date DEFAULT '01.02.2020', i interval DEFAULT '-1 day 2 h',
    at timestamptz DEFAULT '2020-01-05 10:00', f float8 DEFAULT 0.1, b bytea DEFAULT '', "All" text,
    s text DEFAULT 'a\\b', list text[] DEFAULT '{1,NULL}', x int CHECK (x = NULL OR x > 1));
CREATE INDEX ON t (f) WHERE f > 0.1 AND d > '01.02.2019';
CREATE VIEW v AS SELECT "All", d, INTERVAL '1 day' AS i, 0.3::float8 AS f, x = NULL AS n FROM t
    WHERE d > '03.04.2020';
CREATE FUNCTION f(a date DEFAULT '01.02.2020') RETURNS date LANGUAGE sql
    BEGIN ATOMIC SELECT '05.06.2020'::date; END;
CREATE TABLE p (d date) PARTITION BY RANGE (d);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('01.02.2020') TO ('05.02.2020');
CREATE DOMAIN dm AS date DEFAULT '01.02.2020' CHECK (VALUE > '01.01.2000');
CREATE POLICY pol ON t USING (d > '01.02.2020')"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_statements_mean_the_same_under_the_databases_settings(
    server: Server, database: Database, tmp_path: Path, setting: str
) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET {setting}")
    migrations = begin(tmp_path / "migrations", UNDERSTOOD)
    migrate(database, migrations)
    assert said(look(server, database, migrations, EVERY)) == []


@pytest.mark.parametrize("path", ["app", "app, public", '"$user", public', '"$user", app'])
def test_what_the_search_path_leads_to_is_there_before_the_migrations(
    server: Server, database: Database, tmp_path: Path, path: str
) -> None:
    role = database.create_role(password="x")
    database.execute(f"""GRANT ALL ON DATABASE {database.name} TO {role};
        ALTER ROLE {role} SET search_path = {path};
        CREATE SCHEMA app AUTHORIZATION {role}; CREATE SCHEMA AUTHORIZATION {role}""")
    migrations = begin(tmp_path / "migrations", START)
    url = database.url_for(role, "x")
    (migrations / "000002_schema.up.sql").write_text(
        "CREATE SCHEMA own; CREATE TABLE own.t (a int)"
    )
    command = ("-path", str(migrations), "-database", url)
    assert run(*command, "up").code == 0
    for where in (("-dev-url", server.url("postgres")), ()):
        ran = run(*command, "drift", *where, "-ignore", f"schema:{role}", "-ignore", "schema:app")
        assert (ran.code, ran.stdout) == (0, ""), ran.stderr


def test_a_server_of_our_own_has_the_databases_name_and_its_roles(
    database: Database, tmp_path: Path
) -> None:
    role = database.create_role()
    granted = f"""{START}; ALTER DATABASE {database.name} SET work_mem = '8MB';
        GRANT CONNECT ON DATABASE {database.name} TO {role}; GRANT SELECT ON t TO {role};
        CREATE POLICY p ON t TO {role} USING (true)"""
    migrations = begin(tmp_path / "migrations", granted)
    migrate(database, migrations)
    ran = run("-path", str(migrations), "-database", database.url, "drift")
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr


def test_what_other_sessions_have_for_themselves_is_no_drift(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    with database.connect() as other:
        other.execute("""CREATE TEMP TABLE mine (id serial PRIMARY KEY, t text UNIQUE);
            CREATE TEMP VIEW its AS SELECT * FROM mine;
            CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'""")
        assert said(look(server, database, migrations, EVERY)) == []


def test_the_tables_of_other_migration_tools_are_no_drift(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    database.execute("""CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
        CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied date);
        CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY,
        hash text, created_at bigint); CREATE TABLE "SequelizeMeta" (name text PRIMARY KEY);
        CREATE TABLE knex_migrations (id serial, name text, batch int, migration_time date);
        CREATE TABLE knex_migrations_lock (index int, is_locked int);
        CREATE SCHEMA other; CREATE TABLE other.t (id int);
        CREATE TABLE other.goose_db_version (version_id int, is_applied bool, tstamp date)""")
    found = said(look(server, database, migrations))
    assert found == ["added schema other", "added table other.t"]


def test_a_squashed_file_stands_for_those_that_were_applied(
    database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    (migrations / "000002_more.up.sql").write_text("ALTER TABLE t ADD more text")
    migrate(database, migrations)
    command = ("-path", str(migrations), "-database", database.url)
    assert run(*command, "squash", "-to", "2").code == 0
    ran = run(*command, "drift")
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr


def test_a_pattern_without_a_schema_that_names_nothing_is_told(
    server: Server, database: Database, tmp_path: Path
) -> None:
    migrations = begin(tmp_path / "migrations", START)
    migrate(database, migrations)
    database.execute("CREATE TABLE by_hand (id int); CREATE SCHEMA extra")
    command = ("-path", str(migrations), "-database", database.url, "drift")
    words = ("-dev-url", server.url("postgres"), "-ignore", "by_hand", "-ignore", "extra")
    ran = run(*command, *words)
    assert (ran.code, "added schema extra" in ran.stdout) == (3, False)
    assert "-ignore by_hand names nothing: names have their schema, as public.by_hand" in ran.stderr
    assert "-ignore extra" not in ran.stderr
