"""`squash`: one file in the place of many, for databases above it, below it and empty ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cli.program import Ran
from tests.cli.program import run as run_apart
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
    if shop.format == "golang-migrate":
        # Its table does not say whether the old files have made the version.
        refused = shop.on(old, "down", "1", archive=shop.archive)
        assert refused.code == 1
        assert "rows of the history's log are missing" in refused.stderr
        assert "no change" in ok(shop.on(old, "goto", "3", archive=shop.archive))
    else:
        ok(shop.on(old, "down", "1", archive=shop.archive))
        assert old.query("SELECT to_regproc('twice')") == [(None,)]
    new.execute(f"TRUNCATE {_log(shop)}")
    for words in (("down", "1"), ("goto", "2"), ("goto", "1")):
        assert shop.on(new, *words, archive=shop.archive).code == 1
    assert new.query("SELECT to_regclass('users') IS NULL") == [(False,)]
    old.drop()
    new.drop()


def _log(shop: Shop) -> str:
    names = {"goose": "goose_db_version_log", "flyway": "flyway_schema_history_log"}
    return names.get(shop.format, "schema_migrations_log")


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


@pytest.mark.parametrize("shop", ["golang-migrate", "goose", "dbmate"], indirect=True)
def test_the_archive_of_a_resource_is_below_its_files(shop: Shop, server: Server) -> None:
    """As the operator's Jobs run it: confined to the mount of the files, which they do not know."""
    below = server.create_database()
    ok(shop.on(below, "up", "2"))
    ok(shop.squash("-to", "3"))
    words = ("-path", str(shop.directory), "-format", shop.format, "-database", below.url)
    environ = {"DBMIGRATE_CONFINED_TO": str(shop.directory.parent), "DBMIGRATE_ARCHIVE": "missing"}
    assert "missing" in run_apart(*words, "goto", "latest", environ=environ).stderr
    environ["DBMIGRATE_ARCHIVE"] = "../../.."
    assert "leads outside" in run_apart(*words, "goto", "latest", environ=environ).stderr
    environ["DBMIGRATE_ARCHIVE"] = shop.archive.name
    ok(run_apart(*words, "goto", "latest", environ=environ))
    assert "agree" in ok(shop.on(below, "verify"))
    below.drop()


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
    assert squashed.read_text().startswith(
        "-- dbmigrate:replaces 1-5\n-- dbmigrate:replaced 1-3\n-- dbmigrate:replaced 4 5\n"
    )
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


@pytest.mark.parametrize(
    ("lower", "said", "way_on"),
    [
        ("25_late", "there is 25_late.up.sql: it would run before", "a version above 30"),
        ("10_old", "there is 10_old.up.sql: it would run before", "to an archive"),
        ("5_older", "5_older.up.sql is below them", "dbmigrate squash -to 30"),
        ("30_both", "several files", ""),
    ],
)
@pytest.mark.parametrize("state", ["empty", "in between", "at it", "above"])
def test_a_file_that_lies_below_a_squashed_one_stops_before_anything_runs(
    tmp_path: Path, database: Database, lower: str, said: str, way_on: str, state: str
) -> None:
    path = tmp_path / "m"
    path.mkdir()
    for version in (10, 20, 30, 40):
        (path / f"{version}_t.up.sql").write_text(f"CREATE TABLE t{version} (n int)")
    if state != "empty":
        to = {"in between": "20", "at it": "30", "above": "40"}[state]
        ok(run("-path", str(path), "-database", database.url, "goto", to))
    for version in (10, 20, 30):
        (path / f"{version}_t.up.sql").unlink()
    (path / "30_all.up.sql").write_text(
        "-- dbmigrate:replaces 10-30\n"
        "CREATE TABLE t10 (n int); CREATE TABLE t20 (n int); CREATE TABLE t30 (n int)"
    )
    (path / f"{lower}.up.sql").write_text("CREATE TABLE lower (n int)")
    before = database.dump_schema()
    for words in (("up",), ("goto", "40"), ("plan",), ("up", "1"), ("verify",), ("status",)):
        ran = run("-path", str(path), "-database", database.url, *words)
        assert ran.code == 1, words
        if lower != "30_both":
            assert "30_all.up.sql" in ran.stderr
            assert said in ran.stderr
            assert way_on in ran.stderr
    assert _plain(database.dump_schema()) == _plain(before)


@pytest.mark.parametrize("shop", FORMATS, indirect=True)
def test_a_version_that_was_never_applied_does_not_count_as_applied(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    gap, whole, began = (server.create_database() for _ in range(3))
    late = {path: path.read_text() for path in shop.directory.glob("*2_*m2.*")}
    for path in late:
        path.unlink()
    write(shop.directory, shop.format, {4: "SELECT 4;"})  # it would need the column of 2
    ok(shop.on(gap, "up", "2"))
    for path, text in late.items():
        path.write_text(text)
    ok(shop.on(gap, "-out-of-order", "ignore", "up"))
    ok(shop.on(whole, "up"))
    elsewhere = tmp_path / "old"
    ok(shop.squash("-to", "3", "-archive", str(elsewhere)))
    ok(shop.on(began, "up"))
    for database in (whole, began):
        assert "agree" in ok(shop.on(database, "verify"))
        assert "no change" in ok(shop.on(database, "up"))
    for again in (False, shop.format != "flyway"):
        if again:  # a baseline of Flyway's stays where it is
            ok(shop.squash("-to", "5", "-archive", str(tmp_path / "older")))
        assert "version 2 " in shop.on(gap, "verify").stdout
        assert re.search(r"(?m)^2 .*out of order", shop.on(gap, "status").stdout)
        refused = shop.on(gap, "up")
        assert refused.code == 1
        assert "never applied: 2 (replaced by" in refused.stderr
        assert "squash" in refused.stderr
        assert "-archive DIR with -out-of-order apply" in refused.stderr
        assert shop.on(gap, "-out-of-order", "apply", "up").code == 1
        ok(shop.on(gap, "-out-of-order", "ignore", "up"))
    assert "never applied: 2 (m2)" in shop.on(gap, "up", archive=elsewhere).stderr
    ok(shop.on(gap, "-out-of-order", "apply", "up", archive=elsewhere))
    assert gap.query("SELECT to_regclass('users_phone') IS NULL") == [(False,)]
    assert "agree" in ok(shop.on(gap, "verify"))
    for database in (gap, whole, began):
        database.drop()


REFUSED = {
    "below": "up; up 1; goto 3; goto 4; goto latest; redo; plan; apply; baseline 2; verify",
    "without its log": "up; up 1; up -to 2; goto 1; goto 2; goto 3; goto latest; down 1;"
    " down -to 1; redo; plan; plan 1; plan 2; apply; baseline 2; verify",
    "empty": "up -to 2; goto 1; goto 2; plan 1; plan 2; baseline 2",
    "at it": "redo; baseline 2",
}
FLYWAYS = {"plan 2", "up -to 2", "goto 2", "baseline 2"}
"""Flyway needs no file for these."""


@pytest.mark.parametrize("shop", FORMATS, indirect=True)
def test_every_refusal_names_the_squashed_file_and_changes_nothing(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    databases = {state: server.create_database() for state in REFUSED}
    ok(shop.on(databases["below"], "up", "2"))
    ok(shop.on(databases["without its log"], "up", "2"))
    databases["without its log"].execute(f"DROP TABLE {_log(shop)}")
    ok(shop.on(databases["at it"], "up", "3"))
    ok(shop.squash("-to", "3", "-archive", str(tmp_path / "old")))
    for state, database in databases.items():
        before = database.dump_schema()
        for words in REFUSED[state].split("; "):
            if shop.format == "flyway" and (words in FLYWAYS or state == "empty"):
                continue
            ran = shop.on(database, *words.split())
            assert ran.code == 1, (state, words, ran)
            assert "squash" in ran.stderr + ran.stdout, (state, words, ran)
        assert _plain(database.dump_schema()) == _plain(before)
        database.drop()


@pytest.mark.parametrize("lists", ["1 2", "1-3", "", "1 2\n-- dbmigrate:replaced 3", None])
@pytest.mark.parametrize("has_archive", [True, False])
def test_a_database_that_began_with_a_file_by_hand_has_left_nothing_out(
    tmp_path: Path, database: Database, lists: str | None, has_archive: bool
) -> None:
    archive = tmp_path / "old"
    archive.mkdir()
    for version in (1, 2):
        (archive / f"{version}_t.up.sql").write_text(f"CREATE TABLE t{version} (n int)")
    files = tmp_path / "new"
    files.mkdir()
    named = "" if lists is None else f"-- dbmigrate:replaced {lists}\n"
    (files / "3_all.up.sql").write_text(
        f"-- dbmigrate:replaces 1-3\n{named}CREATE TABLE t1 (n int)"
    )
    (files / "4_t.up.sql").write_text("CREATE TABLE t4 (n int)")
    options = ("-archive", str(archive)) if has_archive else ()
    words = ("-path", str(files), *options, "-database", database.url)
    ok(run(*words, "up", "1"))
    ok(run(*words, "up"))
    assert "agree" in ok(run(*words, "verify"))


@pytest.mark.parametrize("written", ["\ufeff", "\n\n", "-- Copyright\n", "   ", "-- a\r\n"])
def test_what_may_stand_before_the_mark(tmp_path: Path, written: str) -> None:
    text = f"{written}-- dbmigrate:replaces 1-3\n-- dbmigrate:replaced 1 3\nSELECT 1;"
    (tmp_path / "3_all.up.sql").write_bytes(text.encode())
    found = read_source(tmp_path, None, {})
    assert found.squash_end == 3
    assert found.squash_lists == ((1, 3),)


@pytest.mark.parametrize("line", ["1-x", "3-1", "1-20240101120000", "1,2"])
def test_a_list_that_is_none(tmp_path: Path, line: str) -> None:
    text = f"-- dbmigrate:replaces 1-3\n-- dbmigrate:replaced {line}\nSELECT 1;"
    (tmp_path / "3_all.up.sql").write_text(text)
    ran = run("-path", str(tmp_path), "-database", "postgres://nowhere/x", "up")
    assert "3_all.up.sql: line 2: expected the versions" in ran.stderr


@pytest.mark.parametrize("format", [Format.FLYWAY, Format.ATLAS])
def test_a_mark_in_files_that_have_another_way(tmp_path: Path, format: Format) -> None:
    name = "V3__all.sql" if format is Format.FLYWAY else "3_all.sql"
    (tmp_path / name).write_text("-- dbmigrate:replaces 1-3\nSELECT 1;")
    if format is Format.ATLAS:
        renew_sum(tmp_path, format)
    with pytest.raises(MigrationError, match="replaces the files below it"):
        read_source(tmp_path, format, {})


@pytest.mark.parametrize("shop", ["goose", "dbmate"], indirect=True)
def test_converting_keeps_what_a_squashed_file_says(
    shop: Shop, server: Server, tmp_path: Path
) -> None:
    ok(shop.squash("-to", "3"))
    ok(run("-path", str(shop.directory), "-format", shop.format, "convert", str(tmp_path / "new")))
    found = read_source(tmp_path / "new", None, {})
    assert (found.squash_start, found.squash_end) == (1, 3)
    assert found.squash_lists == ((1, 2, 3),)
    below = server.create_database()
    below.execute(
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (2, false)"
    )
    refused = run("-path", str(tmp_path / "new"), "-database", below.url, "up")
    assert "3_squash.up.sql" in refused.stderr
    assert "-archive DIR" in refused.stderr
    below.drop()


@pytest.mark.parametrize(
    ("setting", "refused"),
    [
        ('ALTER DATABASE "{0}" SET search_path = app', "leads to the schema app"),
        ('ALTER ROLE {1} IN DATABASE "{0}" SET search_path = app, public', "the schema app"),
        ("ALTER ROLE {1} SET search_path = nowhere", "leads to no schema"),
        ('ALTER DATABASE "{0}" SET search_path = public, app', ""),
        ("CREATE SCHEMA {1} AUTHORIZATION {1}", "leads to the schema"),
        ("SELECT 1", ""),
    ],
)
def test_a_search_path_of_the_role_or_the_database_is_refused(
    database: Database, tmp_path: Path, setting: str, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = database.server
    monkeypatch.setenv("PATH", f"{server.bin_dir}:{os.environ['PATH']}")
    path = tmp_path / "m"
    write(path, "golang-migrate")
    role = database.create_role(password="secret")
    database.execute(
        "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC;"
        f"{setting.format(database.name, role)}"
    )
    url = database.url_for(role, "secret")
    words = ("squash", "-to", "3", "-dev-url", server.url("postgres"))
    done = run("-path", str(path), "-database", url, *words)
    if refused:
        assert done.code == 1
        assert refused in done.stderr
        assert "a squashed file writes each name with its schema" in done.stderr
        assert not list(path.glob("*squash*"))
    else:
        ok(done)
        assert "warning" not in done.stderr


@pytest.mark.parametrize("url", [(), ("-database", "postgres://app:secret@127.0.0.1:1/x")])
def test_a_search_path_that_can_not_be_asked_is_told_as_unknown(
    server: Server, tmp_path: Path, url: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{server.bin_dir}:{os.environ['PATH']}")
    write(tmp_path / "m", "golang-migrate")
    words = ("squash", "-to", "3", "-dev-url", server.url("postgres"))
    done = run("-path", str(tmp_path / "m"), *url, *words)
    assert "sets a search_path is not known" in ok(done)
    assert "secret" not in done.stderr


def test_a_search_path_of_the_url_is_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, "golang-migrate")
    url = f"{database.url}&search_path=app"
    done = run("-path", str(path), "-database", url, "squash", "-to", "3")
    assert done.code == 1
    assert "a squashed file writes each name with its schema" in done.stderr
