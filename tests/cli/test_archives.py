"""Two squashes have left two archives, and a database needs files of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Ran, run
from tests.cli.test_squash import ok
from tests.database import Database

pytestmark = pytest.mark.database

FORMATS = ["golang-migrate", "goose", "dbmate"]
VERSIONS = (1, 2, 3, 4, 5)


def text_of(form: str, version: int, up: str, down: str) -> dict[str, str]:
    if form == "golang-migrate":
        return {f"{version}_m.up.sql": up, f"{version}_m.down.sql": down}
    marks = {
        "goose": ("-- +goose Up", "-- +goose Down"),
        "dbmate": ("-- migrate:up", "-- migrate:down"),
    }
    first, second = marks[form]
    return {f"0{version}_m.sql": f"{first}\n{up}\n{second}\n{down}\n"}


class Shop:
    """Five files, of which 1 to 2 were squashed first, and later 1 to 4."""

    def __init__(self, directory: Path, form: str) -> None:
        self.format, self.old, self.directory = form, directory / "old", directory / "new"
        for place in (self.old, self.directory):
            self._write(place, VERSIONS)
        for version in (2, 4):
            ok(self.squash(version))

    def _write(self, place: Path, versions: tuple[int, ...]) -> None:
        place.mkdir()
        for version in versions:
            up, down = f"CREATE TABLE t{version} (own int);", f"DROP TABLE t{version};"
            for name, text in text_of(self.format, version, up, down).items():
                (place / name).write_text(text)

    def archive(self, version: int) -> str:
        (found,) = self.directory.glob(f"archive*{version}")
        return str(found)

    def squash(self, version: int) -> Ran:
        words = ("-path", str(self.directory), "-format", self.format)
        return run(*words, "squash", "-to", str(version))

    def on(self, database: Database, *words: str, files: Path | None = None) -> Ran:
        path = ("-path", str(files or self.directory), "-format", self.format)
        return run("-database", database.url, *path, *words)

    @property
    def archives(self) -> tuple[str, ...]:
        return ("-archive", self.archive(2), "-archive", self.archive(4))

    def start(self, database: Database, *versions: int) -> None:
        """By the old files, of which the database never gets the others."""
        place = self.old.with_name(f"some{len(versions)}")
        self._write(place, versions)
        ok(self.on(database, "up", files=place))


@pytest.fixture(scope="module", params=FORMATS)
def shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"), str(request.param))


def made(database: Database) -> list[tuple[str, str]]:
    """The tables, and the column that says whose they are."""
    return database.query(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_name ~ '^t[0-9]$' ORDER BY 1"
    )


ALL = [(f"t{version}", "own") for version in VERSIONS]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_both_lead_on(shop: Shop, database: Database, at: int) -> None:
    ok(shop.on(database, "up", str(at), files=shop.old))
    refused = shop.on(database, "up")
    assert (refused.code, "-archive DIR" in refused.stderr) == (1, True)
    ok(shop.on(database, *reversed_pairs(shop.archives), "up"))
    assert made(database) == ALL
    assert "agree" in ok(shop.on(database, "verify"))
    ok(shop.on(database, *shop.archives, "goto", "1"))
    assert made(database) == ALL[:1]
    ok(shop.on(database, *shop.archives, "up"))
    assert made(database) == ALL


def reversed_pairs(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[2:], *words[:2])


def test_one_alone_is_refused_where_the_other_is_needed(shop: Shop, database: Database) -> None:
    ok(shop.on(database, "up", "1", files=shop.old))
    for version in (2, 4):
        refused = shop.on(database, "-archive", shop.archive(version), "up")
        assert (refused.code, "-archive DIR" in refused.stderr) == (1, True), refused
    assert made(database) == ALL[:1]


def test_a_squashed_file_in_an_archive_is_no_file_of_its_version(
    shop: Shop, database: Database
) -> None:
    shop.start(database, 1, 3, 4, 5)
    for archive in ((), ("-archive", shop.archive(4))):
        for policy in ("reject", "apply"):
            refused = shop.on(database, *archive, "-out-of-order", policy, "up")
            assert (refused.code, "never applied: 2 (replaced by" in refused.stderr) == (1, True)
    assert len(made(database)) == 4
    ok(shop.on(database, *shop.archives, "-out-of-order", "apply", "up"))
    assert made(database) == ALL


def test_a_version_in_the_range_is_set_with_the_archive(shop: Shop, database: Database) -> None:
    """The history was lost, and the database has a part of the range."""
    database.execute("CREATE TABLE t1 (own int)")
    assert shop.on(database, "baseline", "1").code == 1
    ok(shop.on(database, *shop.archives, "baseline", "1"))
    ok(shop.on(database, *shop.archives, "up"))
    assert made(database) == ALL


def test_the_variable_has_one_in_each_line(shop: Shop, database: Database) -> None:
    ok(shop.on(database, "up", "1", files=shop.old))
    names = "\n".join(Path(shop.archive(version)).name for version in (2, 4))
    directory = str(shop.directory)
    words = ("-database", database.url, "-path", directory, "-confined-to", directory)
    ok(run(*words, "-format", shop.format, "up", environ={"DBMIGRATE_ARCHIVE": names}))
    assert made(database) == ALL


def test_two_different_files_of_one_version_are_refused(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name, text in text_of(shop.format, 1, "SELECT 1;", "SELECT 1;").items():
        (other / name).write_text(text)
    refused = shop.on(database, *shop.archives, "-archive", str(other), "up")
    assert refused.code == 1
    assert "two archives have different files of version 1" in refused.stderr
    # The same one twice is no contradiction.
    ok(shop.on(database, *shop.archives, *shop.archives, "up"))


def test_repair_names_the_archive(database: Database, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "1_m.up.sql").write_text("CREATE TABLE t1 (own int);")
    step = "CREATE TABLE t2 (own int);\nCREATE INDEX CONCURRENTLY ON t2 (own);\n"
    (files / "2_m.up.sql").write_text(f"{step}CREATE INDEX CONCURRENTLY ON t2 (other);\n")
    on = ("-database", database.url, "-path", str(files))
    assert run(*on, "up").code == 1
    (files / "2_m.up.sql").write_text(step)
    ok(run("-path", str(files), "squash", "-to", "2"))
    refused = run(*on, "repair")
    assert (refused.code, "-archive DIR" in refused.stderr) == (1, True), refused
    assert "`dbmigrate force 2`" in refused.stderr
    ok(run(*on, "-archive", str(files / "archive-2"), "repair"))
    assert "no change" in ok(run(*on, "up"))
    assert made(database) == ALL[:2]
