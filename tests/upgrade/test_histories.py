"""One history, written in turns by two releases, in each format and in each state."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.database import Database
from tests.upgrade.release import HEAD, Release

pytestmark = [pytest.mark.database, pytest.mark.timeout(300)]

Files = Mapping[str, str]
Turns = tuple[Release, Release]


def up(version: int) -> str:
    return f"CREATE TABLE t{version} (id int);\n"


def down(version: int) -> str:
    return f"DROP TABLE t{version};\n"


def in_one(head: str, middle: str) -> Callable[[int], Files]:
    """A format with both scripts in a file."""
    return lambda v: {f"{v:04}_t.sql": f"{head}\n{up(v)}{middle}\n{down(v)}"}


FORMATS: dict[str, Callable[[int], Files]] = {
    "golang-migrate": lambda v: {f"{v}_t.up.sql": up(v), f"{v}_t.down.sql": down(v)},
    "goose": in_one("-- +goose Up", "-- +goose Down"),
    "dbmate": in_one("-- migrate:up", "-- migrate:down"),
    "flyway": lambda v: {f"V{v}__t.sql": up(v), f"U{v}__t.sql": down(v)},
    "atlas": lambda v: {f"{v}_t.sql": up(v)},
}


class Place:
    """A directory of migrations and a database, for either release."""

    def __init__(self, directory: Path, database: Database) -> None:
        self.directory, self.database = directory, database

    def write(self, files: Files) -> None:
        """Add these files; Atlas's have their sum beside them."""
        self.directory.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.directory / name).write_text(text)

    def run(
        self,
        release: Release,
        *words: str,
        code: int = 0,
        environ: Mapping[str, str] | None = None,
    ) -> str:
        """What a command prints, on both outputs."""
        command = release.command("dbmigrate")
        options = ["-path", str(self.directory), "-database", self.database.url]
        done = subprocess.run(
            [*command, *options, *words],
            env={"PATH": "/usr/bin:/bin", **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{release.name} {words}: {said}"
        return said

    def tables(self) -> set[int]:
        """The tables that migrations have made."""
        query = "SELECT tablename FROM pg_tables WHERE tablename ~ '^t[0-9]+$'"
        return {int(name[1:]) for (name,) in self.database.query(query)}


@pytest.fixture
def place(tmp_path: Path, database: Database) -> Place:
    return Place(tmp_path / "migrations", database)


@pytest.mark.parametrize("name", FORMATS)
def test_both_continue_a_history_of_each_format(name: str, turns: Turns, place: Place) -> None:
    first, second = turns

    def add(version: int) -> None:
        place.write(FORMATS[name](version))
        if name == "atlas":
            place.run(HEAD, "hash")

    for version, release in enumerate((first, second, first), start=1):
        add(version)
        place.run(release, "up")
    assert place.tables() == {1, 2, 3}
    for release in turns:
        place.run(release, "verify")
        assert "no change" in place.run(release, "up")
    if name == "atlas":
        return
    place.run(second, "down", "1")
    place.run(first, "down", "1")
    assert place.tables() == {1}
    place.run(second, "up")
    assert place.tables() == {1, 2, 3}


def test_a_down_script_that_one_has_stored_is_run_by_the_other(turns: Turns, place: Place) -> None:
    first, second = turns
    for version in (1, 2):
        place.write(FORMATS["golang-migrate"](version))
    place.run(first, "up")
    (place.directory / "2_t.up.sql").unlink()
    (place.directory / "2_t.down.sql").unlink()
    place.run(second, "goto", "1")
    assert place.tables() == {1}


def test_what_one_has_left_dirty_is_finished_by_the_other(turns: Turns, place: Place) -> None:
    first, second = turns
    place.write(FORMATS["golang-migrate"](1))
    concurrently = "".join(
        f"CREATE INDEX CONCURRENTLY {name} ON {table} (id);\n"
        for name, table in (("i1", "t1"), ("i2", "gone"))
    )
    place.write({"2_i.up.sql": concurrently, "2_i.down.sql": "DROP INDEX i1;\n"})
    place.run(first, "up", code=1)
    assert "dirty" in place.run(second, "up", code=1).lower()
    place.database.execute("CREATE TABLE gone (id int)")
    place.run(second, "repair")
    assert place.database.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]


def test_a_step_in_batches_is_continued_at_the_row(turns: Turns, place: Place) -> None:
    first, second = turns
    place.write(
        {
            "1_items.up.sql": "CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0"
            " CHECK (id <> 25 OR n = 0));\n"
            "INSERT INTO items (id) SELECT g FROM generate_series(1, 45) g;\n",
            "2_count.up.sql": "-- dbmigrate:batched size=10 duration=1h start=0\n"
            "UPDATE items SET n = n + 1 WHERE id IN (SELECT id FROM items WHERE id > :cursor"
            " ORDER BY id LIMIT :batch_size) RETURNING id;\n",
        }
    )
    place.run(first, "up", code=1)
    assert _counted(place) == [(0, 25), (1, 20)]
    place.database.execute("ALTER TABLE items DROP CONSTRAINT items_check")
    place.run(second, "up")
    assert _counted(place) == [(1, 45)]


def test_what_only_this_release_notes_does_not_disturb_the_other(
    previous: Release, place: Place
) -> None:
    """An owner, and a rollback that holds: the older one passes over them, and loses neither."""
    ours = {"DBMIGRATE_OWNER": "here/shop/users#1", "DBMIGRATE_INTENT": "a"}
    for version in (1, 2):
        place.write(FORMATS["golang-migrate"](version))
    place.run(HEAD, "goto", "latest", environ=ours)
    place.run(HEAD, "goto", "1", environ={"DBMIGRATE_ORDER": "back", **ours})
    assert "RolledBack" in _reason(place, "goto", "latest", environ=ours)
    for words in (("status",), ("verify",), ("version",)):
        place.run(previous, *words)
    place.run(previous, "up")
    assert place.tables() == {1, 2}
    place.run(HEAD, "goto", "latest", environ=ours)
    elsewhere = {"DBMIGRATE_OWNER": "there/shop/users#1"}
    assert "DatabaseConflict" in _reason(place, "up", environ=elsewhere)


def test_the_other_reads_a_log_that_says_which_history_counts_and_what_was_lost(
    previous: Release, place: Place
) -> None:
    """Rows of new kinds: the older one passes over them, and this one heeds them afterwards."""
    for version in (1, 2, 3):
        place.write(FORMATS["golang-migrate"](version))
    place.run(HEAD, "up")
    place.database.execute("TRUNCATE schema_migrations_log")
    place.write(FORMATS["golang-migrate"](4))
    place.run(HEAD, "up")
    for words in (("status",), ("version",), ("down", "1"), ("up",)):
        place.run(previous, *words)
    for end in ("up", "down"):
        (place.directory / f"2_t.{end}.sql").unlink()
    assert "IrreversibleMigration" in _reason(place, "goto", "1", environ={})
    place.write(FORMATS["golang-migrate"](2))

    theirs = Place(place.directory.with_name("theirs"), place.database)
    for version in (1, 2, 3, 4):
        theirs.write(FORMATS["goose"](version))
    theirs.run(HEAD, "baseline", "4")
    for words in (("status",), ("version",), ("down", "1"), ("up",)):
        place.run(previous, *words)
    assert "ForeignHistory" in _reason(place, "down", "1", environ={})
    assert place.tables() == {1, 2, 3, 4}
    place.run(HEAD, "force", "4")
    place.run(HEAD, "down", "1")
    assert "ForeignHistory" in _reason(theirs, "down", "1", environ={})
    assert place.tables() == {1, 2, 3}


def test_the_other_does_not_run_a_squashed_file_where_it_stands_for_what_is_there(
    previous: Release, place: Place
) -> None:
    for version in (1, 2, 3):
        place.write(FORMATS["golang-migrate"](version))
    place.run(HEAD, "up")
    for path in place.directory.glob("[12]_*"):
        path.unlink()
    (place.directory / "2_all.up.sql").write_text(
        f"-- dbmigrate:replaces 1-2\n-- dbmigrate:replaced 1 2\n{up(1)}{up(2)}"
    )
    for words in (("version",), ("status",), ("-changed-files", "warn", "up")):
        place.run(previous, *words)
    assert place.tables() == {1, 2, 3}
    place.run(HEAD, "verify")
    place.run(HEAD, "down", "1")
    assert place.tables() == {1, 2}


def _reason(place: Place, *words: str, environ: Mapping[str, str]) -> str:
    return place.run(HEAD, "-json", *words, code=1, environ=environ)


def _counted(place: Place) -> list[Any]:
    return place.database.query("SELECT n, count(*) FROM items GROUP BY 1 ORDER BY 1")
