"""Backups on a real server: they can be restored, and a failing one changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.cli.program import Ran, run, start, write_scripts
from tests.cluster.waiting import eventually
from tests.database.programs import find_programs
from tests.database.server import Database, Server

pytestmark = pytest.mark.database

CONTENT = """
CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL);
INSERT INTO books SELECT n, 'book ' || n FROM generate_series(1, 500) n;
CREATE VIEW short AS SELECT id FROM books WHERE id < 10;
"""


def programs(*before: Path) -> dict[str, str]:
    """A PATH with the newest client programs, and what stands before them."""
    return {"PATH": ":".join([*map(str, before), str(find_programs()), os.environ["PATH"]])}


def dbmigrate(database: Database, *args: str, environ: dict[str, str] | None = None) -> Ran:
    return run("-database", database.url, *args, environ=programs() | (environ or {}))


def identity(database: Database) -> str:
    """By what a file's name tells the database from all others."""
    rows = database.query(
        "SELECT system_identifier || '-' || oid FROM pg_control_system(), pg_database"
        " WHERE datname = current_database()"
    )
    return str(rows[0][0])


def fake(directory: Path, name: str, script: str) -> Path:
    """A directory with a program of that name."""
    directory.mkdir(exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return directory


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    created = server.create_database()
    yield created
    created.drop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "backups"
    directory.mkdir()
    return directory


def test_a_backup_restored_into_a_new_database_is_the_same_database(
    database: Database, empty: Database, place: Path, tmp_path: Path
) -> None:
    path = write_scripts(tmp_path / "migrations")
    assert dbmigrate(database, "-path", str(path), "up").code == 0
    database.execute(CONTENT)
    done = run(
        "-database", database.url, "-json", "backup", str(place / "shop.dump"), environ=programs()
    )
    assert done.code == 0, done
    report = json.loads(done.stdout)
    content = (place / "shop.dump").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert report["backup"] == {"name": "shop.dump", "size": len(content), "sha256": sha256}
    assert done.stderr == f"shop.dump {len(content)} bytes sha256 {sha256}\n"
    assert (place / "shop.dump").stat().st_mode & 0o777 == 0o600

    restored = dbmigrate(empty, "restore", "-sha256", sha256, str(place / "shop.dump"))
    assert (restored.code, restored.stderr) == (0, "restored shop.dump\n")
    asked = dbmigrate(empty, "-json", "status")
    assert json.loads(asked.stdout)["restored"] == "shop.dump"
    assert empty.dump_schema() == database.dump_schema()
    for query in ("SELECT * FROM books ORDER BY id", "SELECT * FROM schema_migrations"):
        assert empty.query(query) == database.query(query)
    assert dbmigrate(empty, "version").stderr == "3\n"


def test_a_directory_gets_a_file_with_a_name_of_its_own(database: Database, place: Path) -> None:
    assert dbmigrate(database, "backup", str(place)).code == 0
    (file,) = place.iterdir()
    assert file.name.startswith(f"{database.name}@{identity(database)}-20")
    assert file.name.endswith("Z-vnone.dump")


def test_the_password_is_in_no_argument_list(database: Database, place: Path) -> None:
    role = database.create_role(password="se'cret %")
    database.execute(f"GRANT pg_read_all_data TO {role}")
    real = find_programs() / "pg_dump"
    seen = place.parent / "seen"
    spy = fake(place.parent / "spy", "pg_dump", f'echo "$@" >> {seen}\nexec {real} "$@"')
    url = database.url_for(role, "se'cret %")
    done = run("-database", url, "backup", str(place / "x.dump"), environ=programs(spy))
    assert done.code == 0, done
    assert "--format=custom" in seen.read_text()
    assert "se'cret" not in seen.read_text() + done.stderr


def test_a_pg_dump_that_is_too_old_makes_way_for_the_newer_one_beside_the_server(
    database: Database, place: Path
) -> None:
    old = fake(place.parent / "old", "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'")
    done = dbmigrate(database, "backup", str(place / "x.dump"), environ=programs(old))
    assert done.code == 0, done
    assert (place / "x.dump").read_bytes()[:5] == b"PGDMP"


def test_a_failing_pg_dump_leaves_no_file(database: Database, place: Path) -> None:
    role = database.create_role()
    database.execute("CREATE TABLE hidden (id int)")
    url = database.url_for(role, role)
    done = run("-database", url, "backup", str(place / "x.dump"), environ=programs())
    assert done.code == 1
    assert "permission denied" in done.stderr
    assert list(place.iterdir()) == []


def test_a_file_that_exists_is_not_overwritten(database: Database, place: Path) -> None:
    (place / "x.dump").write_text("precious")
    done = dbmigrate(database, "backup", str(place / "x.dump"))
    assert (done.code, (place / "x.dump").read_text()) == (1, "precious")
    assert "exists already" in done.stderr


def test_a_signal_ends_pg_dump_and_leaves_no_file(database: Database, place: Path) -> None:
    database.execute("CREATE TABLE locked (id int)")
    with database.connect() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE locked")
        args = ["-database", database.url, "-lock-timeout", "600", "backup", str(place)]
        process = start(args, programs())
        waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'dbmigrate'"
        waiting += " AND wait_event_type = 'Lock' AND datname = current_database()"
        eventually(lambda: database.query(waiting), what="a backup that waits")
        assert list(place.iterdir())
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped during the backup" in stderr
    assert list(place.iterdir()) == []


def test_sigkill_ends_pg_dump_too_and_the_next_backup_removes_the_rest(
    database: Database, place: Path, tmp_path: Path
) -> None:
    path = str(write_scripts(tmp_path / "migrations"))
    options = ("-path", path, "-database", database.url)
    before_run = (*options, "-backup-to", str(place), "-backup-keep", "1", "up")
    with database.connect() as blocker:
        blocker.execute("CREATE TABLE locked ()")
        blocker.execute("BEGIN; LOCK TABLE locked")
        runs = [
            start((*options, "backup", str(place / "a.dump")), environ=programs()),
            start(before_run, environ=programs()),
        ]
        eventually(lambda: len(list(place.glob("*.partial"))) == 2)
        dumps = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"
        eventually(lambda: database.query(dumps) == [(2,)])
        for each in runs:
            each.kill()
            each.communicate()
        eventually(lambda: database.query(dumps) == [(0,)])
    assert len(list(place.glob("*.partial"))) == 2
    (place / "a.dump.77.partial.txt").write_text("of somebody else")
    assert run(*options, "backup", str(place / "a.dump"), environ=programs()).code == 0
    (left,) = place.glob("*.partial")
    assert "@" in left.name, "of another name, it is not this file's"
    assert run(*before_run, environ=programs()).code == 0
    assert list(place.glob("*.partial")) == []
    assert len(list(place.glob("*.dump"))) == 2
    assert (place / "a.dump.77.partial.txt").exists()


def test_the_unfinished_backup_of_a_living_run_stays(database: Database, place: Path) -> None:
    with database.connect() as blocker:
        blocker.execute("CREATE TABLE locked ()")
        blocker.execute("BEGIN; LOCK TABLE locked")
        words = ("-database", database.url, "backup", str(place))
        living = start(words, environ=programs())
        eventually(lambda: len(list(place.glob("*.partial"))) == 1)
        (partial,) = place.glob("*.partial")
        other = start(words, environ=programs())
        eventually(lambda: len(list(place.glob("*.partial"))) == 2)
        assert partial.exists()
        blocker.execute("ROLLBACK")
    for each in (living, other):
        each.communicate()
        assert each.returncode == 0
    assert len(list(place.glob("*.dump"))) == 2


BATCHED = (
    "-- dbmigrate:batched size=10{options}\nUPDATE t SET n = 1 WHERE {key} IN (SELECT {key}"
    " FROM t WHERE {key} > :cursor ORDER BY {key} LIMIT :batch_size) RETURNING {key};"
)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"1_b.up.sql": BATCHED.format(options=" start=0 colour=red", key="id")}, "SourceInvalid"),
        ({"1_b.up.sql": BATCHED.format(options=" start=0", key="m")}, "StatementFailed"),
        (
            {"1_a.up.sql": "SELECT 1;", "2_b.up.sql": BATCHED.format(options="", key="id")},
            "SourceInvalid",
        ),
    ],
)
def test_a_step_in_batches_is_checked_before_the_backup(
    database: Database, place: Path, tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int, m int)")
    path = str(write_scripts(tmp_path / "migrations", files))
    options = ("-path", path, "-database", database.url, "-backup-to", str(place), "-json")
    done = run(*options, "up", environ=programs())
    assert json.loads(done.stdout)["error"]["reason"] == reason
    assert list(place.iterdir()) == []


def test_restore_leaves_a_database_alone_that_holds_something(
    database: Database, empty: Database, place: Path
) -> None:
    file = str(place / "x.dump")
    database.execute(CONTENT)
    assert dbmigrate(database, "backup", file).code == 0
    empty.execute("CREATE TABLE books (other int)")
    before = empty.dump_schema()
    refused = dbmigrate(empty, "restore", file)
    assert refused.code == 1
    assert "the database is not empty" in refused.stderr
    assert empty.dump_schema() == before
    assert dbmigrate(empty, "restore", "-clean", file).code == 0
    assert empty.dump_schema() == database.dump_schema()


def test_restore_refuses_a_file_that_is_damaged(
    database: Database, empty: Database, place: Path
) -> None:
    file = place / "x.dump"
    database.execute(CONTENT)
    assert dbmigrate(database, "backup", str(file)).code == 0
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 3])
    wrong = dbmigrate(empty, "restore", "-sha256", sha256, str(file))
    assert wrong.code == 1
    assert "is not the expected backup" in wrong.stderr
    broken = dbmigrate(empty, "restore", str(file))
    assert broken.code == 1
    assert "pg_restore failed" in broken.stderr
    assert empty.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_run_saves_the_database_before_its_first_step_and_keeps_the_newest(
    database: Database, empty: Database, place: Path, tmp_path: Path
) -> None:
    path = str(write_scripts(tmp_path / "migrations"))
    options = ["-path", path, "-backup-to", str(place), "-backup-keep", "2"]
    (place / "other.dump").write_text("of somebody else")
    for _ in range(3):
        assert dbmigrate(database, *options, "up", "1").code == 0
    names = sorted(file.name for file in place.iterdir() if file.name != "other.dump")
    assert [name.rpartition("-")[2] for name in names] == ["v1.dump", "v2.dump"]
    assert dbmigrate(database, *options, "up").stderr == "no change\n"
    assert len(list(place.iterdir())) == 3, "a run that changes nothing saves nothing"
    assert dbmigrate(empty, "restore", str(place / names[-1])).code == 0
    assert dbmigrate(empty, "version").stderr == "2\n"


def test_backups_of_dotted_versions_are_thinned_out_as_well(
    database: Database, place: Path, tmp_path: Path
) -> None:
    files = {
        f"V{v}__t.sql": f"CREATE TABLE t{v[2:].replace('.', '_')} ();"
        for v in ("1.9", "1.10", "1.10.1")
    }
    files["R__v.sql"] = "CREATE OR REPLACE VIEW v AS SELECT 1 AS x;"
    path = str(write_scripts(tmp_path / "sql", files))
    options = ["-path", path, "-backup-to", str(place), "-backup-keep", "2"]
    for _ in range(4):
        assert dbmigrate(database, *options, "up", "1").code == 0
    names = sorted(file.name for file in place.iterdir())
    assert [name.rpartition("-")[2] for name in names] == ["v1.10.dump", "v1.10.1.dump"]


def save(url: str, place: Path, path: Path) -> None:
    """A run with one step more, that keeps one backup of its database."""
    options = ["-path", str(path), "-backup-to", str(place), "-backup-keep", "1"]
    done = run("-database", url, *options, "up", "1", environ=programs())
    assert done.code == 0, done


def named(place: Path) -> list[str]:
    """The files there, without what differs from run to run."""
    return sorted(re.sub(r"@[0-9]+-[0-9]+-[0-9TZ]+", "@", file.name) for file in place.iterdir())


@pytest.mark.parametrize(
    ("first", "second"),
    [("a b", "a_b"), ("a/b", "a\\b"), ("app", "app-20261124T08151"), ("ä", "ö")],
)
def test_databases_with_similar_names_keep_their_backups(
    server: Server, place: Path, tmp_path: Path, first: str, second: str
) -> None:
    path = write_scripts(tmp_path / "migrations")
    databases = [server.create_named(f"{name} {os.getpid()}") for name in (first, second)]
    try:
        for _ in range(2):
            for database in databases:
                save(server.url(quote(database.name, safe="")), place, path)
        left = [file.name for file in place.iterdir()]
        assert [name.endswith("-v1.dump") for name in left] == [True, True], left
    finally:
        for database in databases:
            database.drop()


def test_two_servers_with_a_database_of_one_name_keep_their_backups(
    server: Server, place: Path, tmp_path: Path
) -> None:
    path = write_scripts(tmp_path / "migrations")
    name = f"app_{os.getpid()}"
    with Server.start(settings={"shared_buffers": "16MB"}) as other:
        for each in (server, other):
            each.create_named(name)
        for _ in range(2):
            for each in (server, other):
                save(each.url(name), place, path)
    server.drop_database(name)
    assert named(place) == [f"{name}@-v1.dump"] * 2


def test_names_of_older_versions_stay_and_a_renamed_database_keeps_its_own(
    server: Server, database: Database, place: Path, tmp_path: Path
) -> None:
    path = write_scripts(tmp_path / "migrations")
    old = [f"{database.name}-20261124T0815001234{n}Z-v2.dump" for n in (55, 56)]
    other = f"{database.name}@1-2-20261124T081500123456Z-v2.dump"
    for name in (*old, other):
        (place / name).write_text("precious")
    save(database.url, place, path)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} RENAME TO {database.name}_new")
    renamed = Database(server, f"{database.name}_new")
    try:
        save(renamed.url, place, path)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {renamed.name} RENAME TO {database.name}")
    left = sorted(file.name for file in place.iterdir() if file.name not in {*old, other})
    assert len(left) == 1
    assert left[0].startswith(f"{renamed.name}@{identity(database)}-")
    assert all((place / name).read_text() == "precious" for name in (*old, other))


def test_nothing_is_removed_where_the_database_cannot_be_identified(
    database: Database, place: Path, tmp_path: Path
) -> None:
    path = str(write_scripts(tmp_path / "migrations"))
    role = database.create_role()
    database.execute(
        f"REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public;"
        f" GRANT CREATE ON SCHEMA public TO {role}"
    )
    options = ["-path", path, "-backup-to", str(place), "-backup-keep", "1", "up", "1"]
    for _ in range(2):
        done = run("-database", database.url_for(role, role), *options, environ=programs())
        assert done.code == 0, done
        assert "no older backup is removed" in done.stderr
    assert [file.name.startswith(f"{database.name}-20") for file in place.iterdir()] == [True] * 2


def test_a_failing_backup_stops_the_run(database: Database, place: Path, tmp_path: Path) -> None:
    path = str(write_scripts(tmp_path / "migrations"))
    broken = fake(
        tmp_path / "broken",
        "pg_dump",
        'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit; fi\n'
        'echo half a file\necho "pg_dump: error: no more" >&2\nexit 1',
    )
    done = run(
        *("-path", path, "-database", database.url, "-backup-to", str(place), "-json", "up"),
        environ=programs(broken),
    )
    report = json.loads(done.stdout)
    assert (done.code, report["error"]["reason"], report["version"]) == (1, "BackupFailed", None)
    assert "no more" in report["error"]["message"]
    assert database.query("SELECT 1 FROM pg_tables WHERE tablename = 'users'") == []
    assert list(place.iterdir()) == []
