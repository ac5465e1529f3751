"""No statement of dbmigrate's runs what others have planted for it (CVE-2018-1058).

All commands run as a superuser on a database that is full of better fitting functions,
operators, aggregates, casts and types, and with a search path that leads to them first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backup.test_backup import programs
from tests.cli.program import Ran, run_here
from tests.database import Database, Server
from tests.database.plants import domains, fired, plants

pytestmark = pytest.mark.database

PATH = "search_path=app,public,pg_catalog"
"""What was planted comes before the server's own, and an empty schema before that."""
Command = Callable[..., Ran]

TABLE = "CREATE TABLE public.t{0} (id pg_catalog.int4 PRIMARY KEY, n pg_catalog.int4)"
NUMBERS = "INSERT INTO public.t1 SELECT pg_catalog.generate_series(1, 25)"
TEMPORARY = "".join(
    f"CREATE TEMP VIEW {name} AS SELECT public.planted_check(NULL::pg_catalog.bool) AS oid;"
    for name in "pg_class pg_namespace pg_attribute pg_locks schema_migrations moved".split()
) + ";".join(domains("pg_temp"))
"""A file that leaves objects in the temporary schema of the session that goes on."""
BATCHED = (
    "-- dbmigrate:batched size=10 duration=1h start=0\n"
    "UPDATE public.t1 SET n = id WHERE id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT id FROM"
    " public.t1 WHERE id OPERATOR(pg_catalog.>) :cursor ORDER BY id LIMIT :batch_size))\n"
    "RETURNING id;\n"
)
PLAIN = {
    "1_one.up.sql": f"{TABLE.format(1)}; {NUMBERS};",
    "1_one.down.sql": "DROP TABLE public.t1;",
    "2_temporary.up.sql": TEMPORARY,
    "2_temporary.down.sql": "",
    "3_index.up.sql": f"CREATE INDEX CONCURRENTLY i ON public.t1 (id); {TABLE.format(3)};",
    "3_index.down.sql": "DROP TABLE public.t3; DROP INDEX CONCURRENTLY public.i;",
    "4_count.up.sql": BATCHED,
    "4_count.down.sql": "",
    "5_five.up.sql": f"BEGIN; {TABLE.format(5)}; COMMIT; {TABLE.format(6)};",
    "5_five.down.sql": "DROP TABLE public.t5, public.t6;",
}


@pytest.fixture(scope="module")
def planted(server: Server) -> Iterator[Database]:
    database = server.create_database()
    database.execute(f"CREATE SCHEMA app; {plants(server)}")
    yield database
    database.drop()


@pytest.fixture
def database(server: Server, planted: Database) -> Iterator[Database]:
    created = server.create_database(template=planted.name)
    yield created
    created.drop()


@pytest.fixture
def command(database: Database, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command line that has to succeed on the database, and have run no plant."""
    server, url = database.server, f"{database.url}&{PATH}"
    since = len(server.log)
    monkeypatch.setenv("PATH", programs()["PATH"])

    def run(path: Path, *args: str, code: int = 0) -> Ran:
        ran = run_here("-path", str(path), "-database", url, *args)
        assert fired(server, since) == set(), args
        assert ran.code == code, (args, ran)
        return ran

    return run


def write(directory: Path, files: dict[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def formats() -> dict[str, tuple[dict[str, str], str, str]]:
    """The files of two versions in each format, and how the versions are written."""
    one, two = TABLE.format(1), TABLE.format(2)
    return {
        "golang-migrate": (
            {f"{n}_t.up.sql": text for n, text in ((1, one), (2, two))}
            | {f"{n}_t.down.sql": f"DROP TABLE public.t{n}" for n in (1, 2)},
            "1",
            "2",
        ),
        "goose": (
            {
                f"0000{n}_t.sql": f"-- +goose Up\n{text};\n-- +goose Down\nDROP TABLE public.t{n};"
                for n, text in ((1, one), (2, two))
            },
            "1",
            "2",
        ),
        "dbmate": (
            {
                f"{n}_t.sql": f"-- migrate:up\n{text};\n-- migrate:down\nDROP TABLE public.t{n};"
                for n, text in ((1, one), (2, two))
            },
            "1",
            "2",
        ),
        "atlas": (
            {f"2024010{n}000000_t.sql": text for n, text in ((1, one), (2, two))},
            "20240101000000",
            "20240102000000",
        ),
        "flyway": (
            {f"V{n}__t.sql": text for n, text in ((1, one), (2, two))}
            | {f"U{n}__t.sql": f"DROP TABLE public.t{n}" for n in (1, 2)},
            "1",
            "2",
        ),
    }


def test_the_plants_would_be_run(database: Database) -> None:
    """By statements as any program has them."""
    since = len(database.server.log)
    with database.connect() as connection:
        connection.execute("SET search_path = public, pg_catalog")
        for sql in ("SELECT 2 * 2.5::float8, now()", "SELECT count(*)", "SELECT 'a'::text"):
            connection.execute(sql.encode())
    assert {each.partition(":")[0] for each in fired(database.server, since)} == {
        "planted_op_int4",
        "planted_count_step",
        "now",
        "planted_check",
    }


@pytest.mark.parametrize("kind", formats())
def test_every_format(kind: str, command: Command, tmp_path: Path) -> None:
    files, first, last = formats()[kind]
    path = write(tmp_path / "m", files)
    if kind == "atlas":
        command(path, "hash")
    command(path, "wait", "-version", first, "-timeout", "0s", code=1)
    command(path, "status")
    command(path, "plan")
    command(path, "up", "1")
    command(path, "-json", "plan")
    command(path, "up")
    command(path, "version")
    command(path, "-json", "status")
    command(path, "verify")
    command(path, "wait", "-version", last, "-timeout", "5s")
    command(path, "repair")
    if kind != "atlas":
        command(path, "down", "1")
        command(path, "goto", last)
        command(path, "force", first)
        command(path, "force", last)
    command(path, "lint", "-sizes")
    command(path, "backup", str(tmp_path / "x.dump"))
    command(path, "drop", "-f")


def test_steps_of_every_kind(command: Command, database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "m", PLAIN)
    command(path, "up")
    assert database.query("SELECT version FROM app.schema_migrations") == [(5,)]
    command(path, "down", "-all")
    command(path, "up", "1")
    broken = f"{PLAIN['3_index.up.sql']} SELECT 1 OPERATOR(pg_catalog./) 0;"
    write(path, {"3_index.up.sql": broken})
    command(path, "up", code=1)
    command(path, "status")
    write(path, PLAIN)
    command(path, "repair")
    command(path, "up")


def test_baseline_and_adopt(command: Command, tmp_path: Path) -> None:
    files = formats()
    plain = write(tmp_path / "plain", files["golang-migrate"][0])
    goose = write(tmp_path / "goose", files["goose"][0])
    command(goose, "up")
    command(goose, "-history-table", "ours", "adopt", "-from", "goose", "-f")
    command(plain, "-history-table", "other", "baseline", "1")
    command(plain, "-history-table", "other", "up", code=1)


@pytest.mark.parametrize("orm", ["alembic", "django", "rails", "prisma"])
def test_adopt_of_an_orm(orm: str, command: Command, database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "plain", formats()["golang-migrate"][0])
    database.execute("SET search_path = pg_catalog;" + ORM_TABLES[orm])
    command(path, "-history-table", "ours", "adopt", "-from", orm, "-as", "1", "-f")


ORM_TABLES = {
    "alembic": "CREATE TABLE app.alembic_version (version_num varchar(32));"
    "INSERT INTO app.alembic_version VALUES ('abc')",
    "django": "CREATE TABLE app.django_migrations (id bigint, app varchar, name varchar,"
    " applied timestamptz); INSERT INTO app.django_migrations VALUES (1, 'a', '0001', now())",
    "rails": "CREATE TABLE app.schema_migrations (version varchar PRIMARY KEY);"
    "CREATE TABLE app.ar_internal_metadata (key varchar, value varchar);"
    "INSERT INTO app.schema_migrations VALUES ('20240101000000')",
    "prisma": "CREATE TABLE app._prisma_migrations (id varchar, checksum varchar,"
    " finished_at timestamptz, migration_name varchar, logs text, rolled_back_at timestamptz,"
    " started_at timestamptz, applied_steps_count int);"
    "INSERT INTO app._prisma_migrations VALUES ('1', 'x', now(), '1_t', '', NULL, now(), 1)",
}


def test_rehearse_and_diff(server: Server, command: Command, tmp_path: Path) -> None:
    """Their scratch databases hold the plants, because the first file makes them."""
    planting = plants(server, "planted")
    files = {"0_plants.up.sql": planting, "0_plants.down.sql": "DROP SCHEMA planted CASCADE"}
    path = write(tmp_path / "m", {**files, **formats()["golang-migrate"][0]})
    here = f"{server.url('postgres')}&search_path=public,planted,pg_catalog"
    command(path, "rehearse", "-dev-url", here)
    tables = ";".join(TABLE.format(n) for n in (1, 2, 3))
    wanted = tmp_path / "wanted.sql"
    wanted.write_text(f"{planting}; {tables}")
    words = ["diff", "-dev-url", here, "-to", str(wanted), "three"]
    command(path, *words)
    planting = plants(server, "planted", with_operators=False)
    write(path, {"0_plants.up.sql": planting})
    wanted.write_text(f"{planting}; {tables}")
    command(path, *words)
