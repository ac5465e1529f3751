"""`squash`: one file in the place of many, for databases above it, below it and empty ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.program import Ran
from tests.cli.program import run_here as run
from tests.database import Database, Server

pytestmark = pytest.mark.database

UPS = {
    1: "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);",
    2: "ALTER TABLE users ADD phone text; CREATE INDEX users_phone ON users (phone);",
    3: "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN 2 * n; END; $$;",
    4: "ALTER TABLE users DROP phone; UPDATE users SET name = '';",
    5: "CREATE TABLE orders (id int PRIMARY KEY, buyer bigint REFERENCES users);",
}
DOWNS = {
    1: "DROP TABLE users;",
    2: "ALTER TABLE users DROP phone;",
    3: "DROP FUNCTION twice;",
    4: "ALTER TABLE users ADD phone text; CREATE INDEX users_phone ON users (phone);",
    5: "DROP TABLE orders;",
}
FORMATS = ("golang-migrate", "goose", "dbmate", "flyway")


def write(directory: Path, format: str, ups: dict[int, str] = UPS) -> None:
    directory.mkdir(exist_ok=True)
    for version, up in ups.items():
        down = DOWNS.get(version, "")
        if format == "golang-migrate":
            (directory / f"{version:04}_m{version}.up.sql").write_text(up)
            (directory / f"{version:04}_m{version}.down.sql").write_text(down)
        elif format == "flyway":
            (directory / f"V{version}__m{version}.sql").write_text(up)
        elif format == "goose":
            both = (
                f"-- +goose {word}\n-- +goose StatementBegin\n{sql}\n-- +goose StatementEnd\n"
                for word, sql in (("Up", up), ("Down", down))
            )
            (directory / f"{version:05}_m{version}.sql").write_text("".join(both))
        else:
            text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"
            (directory / f"{version:04}_m{version}.sql").write_text(text)


class Shop:
    """A directory of migrations, and the program on it."""

    def __init__(self, directory: Path, format: str, server: Server) -> None:
        self.directory, self.format, self._server = directory, format, server

    def on(self, database: Database, *words: str, archive: Path | None = None) -> Ran:
        options = ("-archive", str(archive)) if archive else ()
        return run(
            *("-path", str(self.directory), "-format", self.format, *options),
            *("-database", database.url, *words),
        )

    def squash(self, *words: str) -> Ran:
        return run(
            *("-path", str(self.directory), "-format", self.format),
            *("squash", "-dev-url", self._server.url("postgres"), *words),
        )

    @property
    def archive(self) -> Path:
        return next(path for path in self.directory.iterdir() if path.name.startswith("archive"))


@pytest.fixture(params=FORMATS)
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    monkeypatch.setenv("PATH", f"{server.bin_dir}:{os.environ['PATH']}")
    write(tmp_path / "files", request.param)
    return Shop(tmp_path / "files", request.param, server)


def ok(ran: Ran) -> str:
    assert ran.code == 0, ran
    return ran.stdout + ran.stderr


def test_each_database_goes_on(shop: Shop, server: Server, tmp_path: Path) -> None:
    above, at, below, empty = (server.create_database() for _ in range(4))
    ok(shop.on(above, "up"))
    ok(shop.on(at, *(("goto", "3") if shop.format != "flyway" else ("up", "3"))))
    ok(shop.on(below, "up", "2"))
    elsewhere = () if shop.format != "flyway" else ("-archive", str(tmp_path / "old"))
    told = ok(shop.squash("-to", "3", *elsewhere))
    archive = tmp_path / "old" if elsewhere else shop.archive
    assert "for 6 files" in told or "for 3 files" in told
    assert not any("m2" in path.name for path in shop.directory.glob("*.sql"))

    assert "no change" in ok(shop.on(above, "up"))
    ok(shop.on(at, "up"))
    ok(shop.on(empty, "up"))
    for database in (above, at, empty):
        assert "agree" in ok(shop.on(database, "verify"))
    refused = shop.on(below, "up")
    assert refused.code == 1
    assert "squash" in refused.stderr
    assert "version 2" in refused.stderr or "applied, and without a file" in refused.stderr
    assert "-archive DIR" in refused.stderr or shop.format == "flyway"
    if shop.format != "flyway":
        ok(shop.on(below, "up", archive=archive))
        assert "agree" in ok(shop.on(below, "verify"))
    else:
        ok(shop.on(below, "up", archive=archive))
    dumps = {_plain(database.dump_schema()) for database in (above, at, below, empty)}
    assert len(dumps) == 1

    write(shop.directory, shop.format, {6: "CREATE TABLE later (n int);"})
    for database in (above, at, below, empty):
        ok(shop.on(database, "up"))
        database.drop()


def _plain(schema: str) -> str:
    return re.sub(r"(?m)^\\.*$", "", schema)


@pytest.mark.parametrize("shop", ["golang-migrate", "goose", "dbmate"], indirect=True)
def test_the_way_down_through_it(shop: Shop, server: Server) -> None:
    old, new = server.create_database(), server.create_database()
    ok(shop.on(old, "up"))
    before = old.dump_schema()
    ok(shop.squash("-to", "3"))
    ok(shop.on(new, "up"))
    assert "replaced" in ok(shop.on(old, "status"))
    # By the scripts that the history has kept.
    ok(shop.on(old, "goto", "1"))
    assert old.query("SELECT to_regclass('users') IS NULL, to_regproc('twice')") == [(False, None)]
    refused = shop.on(old, "up")
    assert "-archive DIR" in refused.stderr
    ok(shop.on(old, "up", archive=shop.archive))
    assert _plain(old.dump_schema()) == _plain(before)
    # A database that began with it has none.
    ok(shop.on(new, "down", "2"))
    refused = shop.on(new, "down", "1")
    assert refused.code == 1
    assert "no way back" in refused.stderr or "was replaced by" in refused.stderr
    assert new.query("SELECT to_regclass('users') IS NULL") == [(False,)]
    missing = shop.on(new, "goto", "2")
    assert missing.code == 1
    # The log is lost, and with it the scripts.
    ok(shop.on(old, "goto", "3"))
    old.execute(f"TRUNCATE {_log(shop)}")
    refused = shop.on(old, "down", "1")
    assert refused.code == 1
    assert "was replaced by" in refused.stderr
    ok(shop.on(old, "down", "1", archive=shop.archive))
    assert old.query("SELECT to_regproc('twice')") == [(None,)]
    old.drop()
    new.drop()


def _log(shop: Shop) -> str:
    return "goose_db_version_log" if shop.format == "goose" else "schema_migrations_log"


def test_rows_are_not_lost_in_silence(shop: Shop, server: Server) -> None:
    write(shop.directory, shop.format, {6: "INSERT INTO users (name) VALUES ('ann;'), ('bob');"})
    refused = shop.squash("-to", "6")
    assert refused.code == 1
    assert "users" in refused.stderr
    assert "m6" in refused.stderr
    assert "-data keep" in refused.stderr
    assert not list(shop.directory.glob("*squash*"))
    ok(shop.squash("-to", "6", "-data", "keep"))
    empty = server.create_database()
    ok(shop.on(empty, "up"))
    assert empty.query("SELECT id, name FROM users ORDER BY id") == [(1, "ann;"), (2, "bob")]
    empty.execute("INSERT INTO users (name) VALUES ('eve')")
    assert empty.query("SELECT max(id) FROM users") == [(3,)]
    empty.drop()


@pytest.mark.parametrize("shop", ["golang-migrate"], indirect=True)
def test_what_can_not_be_squashed(shop: Shop) -> None:
    assert "no version 9" in shop.squash("-to", "9").stderr
    assert "nothing to squash" in shop.squash("-to", "1").stderr
    assert "please say with -to" in shop.squash().stderr
    assert "malformed migration name" in shop.squash("-to", "3", "-name", "../x").stderr
    before = sorted(path.name for path in shop.directory.iterdir())
    (shop.directory / "0002_m2.up.sql").write_text("CREATE TABLE broken (")
    refused = shop.squash("-to", "3")
    assert refused.code == 1
    assert "0002_m2.up.sql" in refused.stderr
    assert sorted(path.name for path in shop.directory.iterdir()) == before


@pytest.mark.parametrize("shop", ["golang-migrate"], indirect=True)
def test_a_squashed_file_can_be_squashed_and_is_watched(shop: Shop, server: Server) -> None:
    first, second = server.create_database(), server.create_database()
    ok(shop.squash("-to", "3"))
    ok(shop.on(first, "up"))
    ok(shop.squash("-to", "5"))
    assert "agree" in ok(shop.on(first, "verify"))
    ok(shop.on(second, "up"))
    (squashed,) = shop.directory.glob("*.sql")
    assert squashed.read_text().startswith("-- dbmigrate:replaces 1-5\n")
    squashed.write_text(squashed.read_text() + "-- edited\n")
    assert "changed" in shop.on(second, "verify").stdout
    assert "agree" in ok(shop.on(first, "verify"))
    first.drop()
    second.drop()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-- dbmigrate:replaces", "expected the first and the last version"),
        ("-- dbmigrate:replaces 3", "expected the first and the last version"),
        ("-- dbmigrate:replaces 3-1", "expected the first and the last version"),
        ("-- dbmigrate:replaces 1-two", "expected the first and the last version"),
        ("-- dbmigrate:replaces 1-4", "has to be its own version, and not 3"),
        ("-- dbmigrate:replaces 1-99999999999999999999", "expected the first and the last"),
    ],
)
def test_a_mark_that_is_none(tmp_path: Path, database: Database, line: str, said: str) -> None:
    (tmp_path / "3_all.up.sql").write_text(f"-- Copyright\n{line}\nSELECT 1;")
    ran = run("-path", str(tmp_path), "-database", database.url, "up")
    assert ran.code == 1
    assert said in ran.stderr
    assert "line 2" in ran.stderr


def test_a_marked_file_above_the_files_that_it_replaces(tmp_path: Path, database: Database) -> None:
    (tmp_path / "2_old.up.sql").write_text("CREATE TABLE t (n int)")
    (tmp_path / "3_all.up.sql").write_text("-- dbmigrate:replaces 1-3\nCREATE TABLE t (n int)")
    ran = run("-path", str(tmp_path), "-database", database.url, "up")
    assert ran.code == 1
    assert "3_all.up.sql replaces the files below it" in ran.stderr


def test_a_search_path_of_the_url_is_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, "golang-migrate")
    url = f"{database.url}&search_path=app"
    done = run("-path", str(path), "-database", url, "squash", "-to", "3")
    assert done.code == 1
    assert "a squashed file writes each name with its schema" in done.stderr
