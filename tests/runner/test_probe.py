"""`wait -once`, a readiness probe, and `wait -history`, for the migrations of ORMs."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.history.orm_history import Orm
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.read_only.wait import OrmMigration, wait
from dbmigrate.runner.commands.up import up
from tests.cli.program import run
from tests.database import Database
from tests.runner.arrange import Witness, request, tables

pytestmark = pytest.mark.database

TABLES = {
    Orm.ALEMBIC: (
        "CREATE TABLE alembic_version (version_num varchar(32))",
        "INSERT INTO alembic_version VALUES ('9af3')",
    ),
    Orm.DJANGO: (
        "CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)",
        "INSERT INTO django_migrations VALUES (1, 'shop', '0042_price', now())",
    ),
    Orm.RAILS: (
        "CREATE TABLE ar_internal_metadata (key varchar, value varchar, created_at timestamp(6),"
        " updated_at timestamp(6)); CREATE TABLE schema_migrations (version varchar)",
        "INSERT INTO schema_migrations VALUES ('20240101000000')",
    ),
    Orm.PRISMA: (
        "CREATE TABLE _prisma_migrations (id text, checksum text, finished_at timestamptz,"
        " migration_name text, logs text, rolled_back_at timestamptz, started_at timestamptz,"
        " applied_steps_count int)",
        "INSERT INTO _prisma_migrations"
        " VALUES ('1', 'x', now(), '2024_init', NULL, NULL, now(), 1)",
    ),
}
NAMES = {
    Orm.ALEMBIC: "9af3",
    Orm.DJANGO: "shop.0042_price",
    Orm.RAILS: "20240101000000",
    Orm.PRISMA: "2024_init",
}


def probe(database: Database | str, version: int) -> tuple[str, list[str]]:
    """The error, empty for none, and the warnings."""
    witness = Witness()
    done = wait(request(database, observer=witness), version, is_probe=True)
    warnings = [each.message for each in witness.notices]
    return (done.error.message if done.error else "", warnings)


def test_a_probe_fails_only_while_the_schema_is_behind(database: Database) -> None:
    assert probe(database, 2) == ("the database has no version, 2 is wanted", [])
    up(request(database, tables(1, 2, 3))).unwrap()
    assert probe(database, 4) == ("the database is at version 3, 4 is wanted", [])
    assert probe(database, 3) == ("", [])
    assert probe(database, 1) == ("", [])


def test_a_dirty_database_takes_no_pod_down(database: Database) -> None:
    up(request(database, tables(1, 2, 3))).unwrap()
    database.execute("UPDATE schema_migrations SET dirty = true")
    error, (warning,) = probe(database, 3)
    assert (error, "is dirty" in warning) == ("", True)
    assert probe(database, 4) == ("the database is at version 3 and is dirty", [])


@pytest.mark.parametrize("orm", Orm)
def test_the_migrations_of_an_orm(database: Database, orm: Orm) -> None:
    table, row = TABLES[orm]
    options = ["-database", database.url, "wait", "-history", orm.value, "-version", NAMES[orm]]
    assert run(*options, "-once").code == 1
    database.execute(table)
    done = run(*options, "-once")
    assert done.code == 1
    assert f"{orm.label} has not applied {NAMES[orm]}" in done.stderr
    database.execute(row)
    assert run(*options, "-once") == (0, "", "")
    assert run(*options, "-timeout", "0s").code == 0
    missing = wait(request(database), OrmMigration(orm, "another"), timeout=0)
    assert missing.report.outcome is not Outcome.UP_TO_DATE


def test_a_django_name_may_lack_its_app_and_never_has_another(database: Database) -> None:
    for statement in TABLES[Orm.DJANGO]:
        database.execute(statement)
    options = ["-database", database.url, "wait", "-once", "-history", "django", "-version"]
    assert run(*options, "0042_price").code == 0
    assert run(*options, "accounts.0042_price").code == 1
    assert run(*options, "0042_price' OR '1'='1").code == 1


def test_words_that_do_not_fit_together() -> None:
    for words, told in (
        (("-once", "-timeout", "1s", "-version", "1"), "-once and -timeout"),
        (("-history", "django"), "-history needs -version"),
        (("-history", "sqlx", "-version", "1"), "expected alembic, django, rails or prisma"),
    ):
        done = run("-database", "postgres://localhost/x", "wait", *words)
        assert done.code in (1, 2)
        assert told in done.stderr


@pytest.mark.parametrize("orm", Orm)
@pytest.mark.parametrize("is_twin", [False, True])
@pytest.mark.parametrize("format", ["goose", "atlas", "flyway"])
def test_the_table_of_an_orm_is_its_own_whatever_the_format_of_the_files(
    database: Database, orm: Orm, is_twin: bool, format: str
) -> None:
    shape, row = TABLES[orm]
    database.execute(f"{shape}; {row}; CREATE TABLE goose_db_version (id int, version_id bigint)")
    words, environ = ["-database", database.url], {}
    if is_twin:
        environ = {"DBMIGRATE_FORMAT": format, "DBMIGRATE_WAIT_HISTORY": orm.value}
        environ["DBMIGRATE_WAIT_ONCE"] = "true"
    else:
        words += ["-format", format]
    words += ["wait"] if is_twin else ["wait", "-history", orm, "-once"]
    done = run(*words, "-version", NAMES[orm], environ=environ)
    assert done.code == 0, done.stderr
    assert "not known" not in done.stderr
    done = run(*words, "-version", f"{NAMES[orm]}9", environ=environ)
    assert done.code == 1
    assert f"has not applied {NAMES[orm]}9" in done.stderr


@pytest.mark.parametrize("is_twin", [False, True])
def test_a_table_that_is_not_the_orms_is_an_error_of_a_probe_too(
    database: Database, is_twin: bool
) -> None:
    database.execute("CREATE TABLE others (id int, version_id bigint)")
    words = ["-database", database.url, *([] if is_twin else ["-history-table", "others"])]
    environ = {"DBMIGRATE_HISTORY_TABLE": "others"} if is_twin else {}
    for more in (["-once"], ["-timeout", "1h"]):
        done = run(
            *words, "wait", "-history", "django", "-version", "shop.1", *more, environ=environ
        )
        assert done.code == 1
        assert "public.others is not Django's" in done.stderr


@pytest.mark.parametrize("name", [".0042_price", "shop.", ".", "shop..0042"])
def test_a_django_name_with_an_empty_part_is_refused(name: str) -> None:
    done = run("-database", "postgres://h/d", "wait", "-history", "django", "-version", name)
    assert done.code == 1
    assert "APP.NAME" in done.stderr
