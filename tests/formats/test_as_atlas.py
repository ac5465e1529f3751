"""`dbmigrate atlas migrate ...` on files, a project and a database, with Atlas as the judge."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.formats import find_format, read_source
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cli.program import run
from tests.database import Database, Server
from tests.formats.arrange import dbmate_file, fill, goose_tables

pytestmark = pytest.mark.database

PROJECT = """
variable "database" {
  type = string
}
env "local" {
  src = "file://schema.sql"
  url = var.database
  dev = getenv("DEV_URL")
  migration {
    dir = "file://migrations"
  }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "atlas.hcl").write_text(PROJECT)
    fill(tmp_path / "migrations", {"20240101000000_a.sql": "CREATE TABLE a (id int PRIMARY KEY);"})
    return tmp_path


def test_a_project_lives_by_its_environment(
    project: Path, database: Database, atlas_oracle: Path
) -> None:
    def ours(*words: str) -> tuple[int, str, str]:
        line = ["atlas", "migrate", *words, "--env", "local", "--var", f"database={database.url}"]
        return run(*line, cwd=project, environ={"DEV_URL": database.url})

    def agrees() -> bool:
        line = [str(atlas_oracle), "migrate", "validate", "--dir", "file://migrations"]
        return subprocess.run(line, cwd=project, check=False, capture_output=True).returncode == 0

    code, _, said = ours("apply")
    assert code == 1
    assert "checksum file not found" in said
    assert ours("hash")[0] == 0
    assert agrees()
    assert ours("apply", "--dry-run")[0] == 0
    assert database.query("SELECT to_regclass('a')") == [(None,)]
    assert ours("apply", "5")[0] == 0
    assert ours("new", "empty")[0] == 0
    (project / "schema.sql").write_text(
        "CREATE TABLE a (id int PRIMARY KEY, name text); CREATE INDEX a_name ON a (name);"
    )
    assert ours("diff", "name")[0] == 0
    names = sorted(path.name.partition("_")[2] for path in (project / "migrations").glob("*.sql"))
    assert names == ["a.sql", "empty.sql", "name.sql", "name_index.sql"]
    assert agrees()
    code, told, _ = ours("status", "--format", "{{ json . }}")
    assert (code, len(json.loads(told)["Pending"])) == (0, 3)
    line = [str(atlas_oracle), "migrate", "apply", "--dir", "file://migrations", "-u", database.url]
    done = subprocess.run(line, cwd=project, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ours("apply")[1] == "No migration files to execute\n"
    assert ours("lint", "--latest", "1")[0] == 0
    assert ours("validate")[0] == 0


def test_each_tenant_that_a_query_names_is_migrated(
    tmp_path: Path, server: Server, database: Database
) -> None:
    tenants = [server.create_database() for _ in range(2)]
    fill(tmp_path / "m", {"1_a.sql": "CREATE TABLE a ();"})
    renew_sum(tmp_path / "m", Format.ATLAS)
    database.execute("CREATE TABLE tenants (url text)")
    for tenant in tenants:
        database.execute(f"INSERT INTO tenants VALUES ('{tenant.url}')")
    (tmp_path / "atlas.hcl").write_text(
        f"""
        data "sql" "tenants" {{
          url   = "{database.url}"
          query = "SELECT url FROM tenants ORDER BY url"
        }}
        env "all" {{
          for_each = toset(data.sql.tenants.values)
          url      = each.value
          migration {{
            dir = "file://m"
          }}
        }}
        """
    )
    ran = run("atlas", "migrate", "apply", "--env", "all", cwd=tmp_path)
    assert ran.code == 0, ran.stderr
    for tenant in tenants:
        assert tenant.query("SELECT to_regclass('a')::text") == [("a",)]
        tenant.drop()


def test_an_order_that_can_not_be_carried_out_begins_no_history(
    project: Path, database: Database
) -> None:
    """The baseline and the steps above it are one plan: nothing of it is written if the target
    does not exist."""
    where = ["atlas", "migrate", "apply", "-u", database.url, "--baseline", "20240101000000"]
    assert run("atlas", "migrate", "hash", cwd=project).code == 0
    ran = run(*where, "--to-version", "7", cwd=project)
    assert (ran.code, "no migration found for version 7" in ran.stderr) == (1, True), ran.stderr
    schema = "SELECT to_regnamespace('atlas_schema_revisions')"
    assert database.query(schema) == [(None,)]
    assert run(*where, cwd=project).code == 0
    assert database.query(f"{schema} IS NOT NULL, to_regclass('a')") == [(True, None)]


def test_the_first_migration_makes_the_directory(tmp_path: Path, database: Database) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE a (id int PRIMARY KEY);")
    words = ["--dir", "file://db/migrations", "--to", "file://schema.sql"]
    line = ["atlas", "migrate", "diff", "initial", *words, "--dev-url", database.url]
    ran = run(*line, cwd=tmp_path)
    assert ran.code == 0, ran.stderr
    directory = tmp_path / "db" / "migrations"
    assert find_format(directory) is Format.ATLAS
    assert [path.name for path in directory.glob("*_initial.sql")]


def test_an_edited_file_stops_everything_until_it_is_hashed(project: Path) -> None:
    where = ("--dir", "file://migrations")
    assert run("atlas", "migrate", "hash", *where, cwd=project).code == 0
    (project / "migrations" / "20240101000000_a.sql").write_text("SELECT 1;")
    for command in (["validate"], ["new", "b"], ["lint"]):
        ran = run("atlas", "migrate", *command, *where, cwd=project)
        assert ran.code == 1, command
        assert "You have a checksum error in your migration directory." in ran.stderr
        assert "L2: 20240101000000_a.sql was edited" in ran.stderr
        assert "dbmigrate atlas migrate hash" in ran.stderr
    assert len(list((project / "migrations").glob("*.sql"))) == 1
    assert run("atlas", "migrate", "hash", *where, cwd=project).code == 0
    assert run("atlas", "migrate", "validate", *where, cwd=project).code == 0


def test_whose_files_they_are_is_found_out_by_the_sum(tmp_path: Path) -> None:
    plain = fill(tmp_path / "plain", {"1_a.sql": "SELECT 1;"})
    assert find_format(plain) is Format.GOLANG_MIGRATE
    renew_sum(plain, Format.ATLAS)
    assert find_format(plain) is Format.ATLAS
    marked = fill(tmp_path / "marked", {"1_a.sql": "-- atlas:txmode none\n\nSELECT 1;"})
    assert find_format(marked) is Format.ATLAS
    goose = fill(tmp_path / "goose", goose_tables(1))
    renew_sum(goose, Format.GOOSE)
    assert find_format(goose) is Format.GOOSE
    mixed = fill(tmp_path / "mixed", {"1_a.sql": "SELECT 1;", "2_b.up.sql": "SELECT 2;"})
    renew_sum(mixed, Format.ATLAS)
    with pytest.raises(MigrationError, match=r"golang-migrate's, 1_a\.sql is atlas's"):
        find_format(mixed)


def test_the_first_sum_makes_the_files_atlas_files(tmp_path: Path) -> None:
    plain = fill(tmp_path / "plain", {"1_a.sql": "SELECT 1;"})
    assert run("-path", str(plain), "hash").code == 0
    assert "1_a.sql h1:" in (plain / "atlas.sum").read_text()
    assert run("-path", str(plain), "hash", "-check").code == 0
    assert find_format(plain) is Format.ATLAS
    theirs = fill(tmp_path / "theirs", {"1_a.up.sql": "SELECT 1;"})
    assert run("-path", str(theirs), "hash").code == 0
    assert find_format(theirs) is Format.GOLANG_MIGRATE


def test_the_sum_beside_the_files_of_others_is_verified_as_well(
    tmp_path: Path, atlas_library: Path
) -> None:
    files = {"1_a.up.sql": "SELECT 1;", "1_a.down.sql": "SELECT 2;", "2_b.up.sql": "SELECT 3;"}
    theirs = fill(tmp_path / "golang", files)
    told = subprocess.run([atlas_library, "golang-sum", theirs], check=True, capture_output=True)
    (theirs / "atlas.sum").write_bytes(told.stdout)
    assert read_source(theirs, None, {}).versions == (1, 2)
    (theirs / "1_a.down.sql").write_text("-- down scripts are not counted")
    assert read_source(theirs, None, {}).versions == (1, 2)
    (theirs / "2_b.up.sql").write_text("SELECT 4;")
    with pytest.raises(MigrationError, match=r"L3: 2_b\.up\.sql was edited"):
        read_source(theirs, None, {})
    assert run("-path", str(theirs), "hash").code == 0
    created = run("-path", str(theirs), "create", "-dir", str(theirs), "-ext", "sql", "-seq", "c")
    assert created.code == 0
    assert read_source(theirs, None, {}).versions == (1, 2, 3)
    dbmate = fill(tmp_path / "dbmate", {"1_a.sql": dbmate_file("SELECT 1;", "")})
    renew_sum(dbmate, Format.DBMATE)
    (dbmate / "1_a.sql").write_text(dbmate_file("SELECT 2;", ""))
    with pytest.raises(MigrationError, match=r"L2: 1_a\.sql was edited"):
        read_source(dbmate, None, {})


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"1_a.sql": "", "10_b.sql": ""}, "10_b.sql and 1_a.sql: Atlas runs files in the order"),
        ({"1_a.sql": "", "1_b.sql": ""}, "1_a.sql and 1_b.sql are both version 1"),
        ({".hidden.sql": "SELECT 1;"}, ".hidden.sql is hidden, and a migration for Atlas"),
    ],
)
def test_names_that_leave_a_doubt_are_refused(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    with pytest.raises(MigrationError, match=problem):
        read_source(fill(tmp_path / "m", files), Format.ATLAS, {})


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("-- atlas:txmode all\n\n", 'txmode "all" is not allowed'),
        ("-- atlas:txmode some\n\n", 'unknown txmode "some"'),
        ("-- atlas:txmode none\n-- atlas:txmode file\n\n", "multiple txmode values"),
        ("-- atlas:import a.sql\n\n", "`atlas:import` includes other files"),
        ("-- atlas:txtar\n\n-- checks.sql --\n", "`atlas:txtar` holds checks of Atlas's"),
        ("-- atlas:sum ignore\n\n", "is left out of atlas.sum"),
    ],
)
def test_what_a_file_asks_for_and_cant_have_stops_the_run_before_its_first_step(
    tmp_path: Path, database: Database, head: str, problem: str
) -> None:
    directory = fill(
        tmp_path / "m", {"1.sql": "CREATE TABLE t ();", "2_b.sql": f"{head}SELECT 1;\n"}
    )
    renew_sum(directory, Format.ATLAS)
    ran = run("-path", str(directory), "-database", database.url, "up")
    assert ran.code == 1
    assert problem in ran.stderr
    assert database.query("SELECT to_regclass('t')") == [(None,)]


def test_atlas_comments_are_heeded_by_lint(tmp_path: Path) -> None:
    files = {
        "1_a.sql": "-- atlas:nolint DS102\n\nDROP TABLE a;\nDROP TABLE b;\n",
        "2_b.sql": "-- atlas:nolint destructive\nDROP TABLE c;\nDROP TABLE d;\n",
        "3_c.sql": "-- atlas:nolint\nDROP TABLE e;\n",
    }
    directory = fill(tmp_path / "m", files)
    renew_sum(directory, Format.ATLAS)
    ran = run("-path", str(directory), "lint", "-output", "json")
    found = [
        (each["file"], each["line"])
        for each in json.loads(ran.stdout)["findings"]
        if each["rule"] == "table-dropped"
    ]
    assert found == [("2_b.sql", 3)]


def test_leaving_atlas_keeps_the_versions(tmp_path: Path, database: Database) -> None:
    files = {
        "20240101_a.sql": "CREATE TABLE a (x int);",
        "20240102_b.sql": "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (x);",
        "20240103_c.sql": "-- atlas:delimiter //\nSELECT 1//\nSELECT 2//\n",
    }
    directory = fill(tmp_path / "m", files)
    renew_sum(directory, Format.ATLAS)
    theirs = ["-path", str(directory), "-database", database.url]
    assert run(*theirs, "up", "2").code == 0
    assert run(*theirs, "convert", str(tmp_path / "c")).code == 0
    ours = ["-path", str(tmp_path / "c"), "-database", database.url]
    taken = run(*ours, "adopt", "-from", "atlas", "-f")
    assert taken.code == 0, taken.stderr
    assert "public.schema_migrations will say: version 20240102" in taken.stderr
    assert run(*ours, "up").stderr.startswith("20240103/u c (")
    text = (tmp_path / "c" / "20240102_b.up.sql").read_text()
    assert text.startswith("-- dbmigrate:no-transaction\n")
