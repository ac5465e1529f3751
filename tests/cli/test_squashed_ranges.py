"""A database that has a part of what a squashed file stands for, in each tool's format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cli.program import Ran
from tests.cli.program import run_here as run
from tests.database import Database, Server

pytestmark = pytest.mark.database

RANGE = (10, 20, 30, 40)
LATER = (50, 60)
TABLES = {
    "golang-migrate": "schema_migrations",
    "goose": "goose_db_version",
    "dbmate": "schema_migrations",
    "flyway": "flyway_schema_history",
    "atlas": "atlas_schema_revisions.atlas_schema_revisions",
}
MARKED = ("golang-migrate", "goose", "dbmate")
LISTS = {
    "a list": "-- dbmigrate:replaces 10-40\n-- dbmigrate:replaced 10 20 30 40\n",
    "no list": "-- dbmigrate:replaces 10-40\n",
}


class Shop:
    """Directories of one format: the old files, the squashed one with what is above, archives."""

    def __init__(self, base: Path, form: str, head: str = LISTS["a list"]) -> None:
        self._base, self.form, self._head = base, form, head

    def files(self, versions: Iterable[int]) -> Path:
        """The old files of these versions: each makes a table that its number names."""
        place = self._base / "-".join(map(str, ("old", *versions)))
        place.mkdir()
        for version in versions:
            self._write(place, version, f"m{version}", f"CREATE TABLE t{version} (n int);")
        return self._complete(place)

    def squashed(self) -> Path:
        """One file for the range, and those above it."""
        place = self._base / "squashed"
        place.mkdir()
        sql = " ".join(f"CREATE TABLE t{version} (by_squash int);" for version in RANGE)
        self._write(place, 40, "squash", sql)
        for version in LATER:
            self._write(place, version, f"m{version}", f"CREATE TABLE t{version} (n int);")
        return self._complete(place)

    def _write(self, place: Path, version: int, name: str, sql: str) -> None:
        is_squash = name == "squash"
        head = self._head if is_squash else ""
        down = "" if is_squash else f"DROP TABLE t{version};"
        listed = "\n".join(line for line in head.splitlines() if "replaced" in line)
        files = {
            "golang-migrate": {
                "00{0}_{1}.up.sql": f"{head}{sql}",
                **({} if is_squash else {"00{0}_{1}.down.sql": down}),
            },
            "goose": {"000{0}_{1}.sql": f"{head}-- +goose Up\n{sql}\n-- +goose Down\n{down}\n"},
            "dbmate": {"00{0}_{1}.sql": f"{head}-- migrate:up\n{sql}\n-- migrate:down\n{down}\n"},
            "flyway": {f"{'B' if is_squash else 'V'}{{0}}__{{1}}.sql": f"{listed}\n{sql}"},
            "atlas": {
                "{0}_{1}.sql": f"{'-- atlas:checkpoint' if is_squash else '-- m'}\n\n{sql}\n"
            },
        }[self.form]
        for file, text in files.items():
            (place / file.format(version, name)).write_text(text)

    def _complete(self, place: Path) -> Path:
        if self.form == "atlas":
            renew_sum(place, Format.ATLAS)
        return place

    def on(self, database: Database, place: Path, *words: str, archive: Path | None = None) -> Ran:
        archived = () if archive is None else ("-archive", str(archive))
        return run(
            *("-path", str(place), "-format", self.form, *archived),
            *("-database", database.url, *words),
        )


@pytest.fixture(params=TABLES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    return Shop(tmp_path, request.param)


def ok(ran: Ran) -> str:
    assert ran.code == 0, ran
    return ran.stdout + ran.stderr


def made(database: Database) -> dict[int, str]:
    """Which file has made each table."""
    rows = database.query(
        "SELECT substr(c.relname, 2)::int, a.attname FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1"
        " WHERE c.relkind = 'r' AND c.relname ~ '^t[0-9]+$' ORDER BY 1"
    )
    return {version: "squash" if column == "by_squash" else "own" for version, column in rows}


def own(*versions: int) -> dict[int, str]:
    return dict.fromkeys(versions, "own")


WAYS = (("-out-of-order", "apply", "up"), ("-out-of-order", "apply", "goto", "latest"))


@pytest.mark.parametrize("words", WAYS)
@pytest.mark.parametrize("gone", [40, 30, 10])
def test_a_database_that_lacks_one_version_of_the_range(
    shop: Shop, database: Database, words: tuple[str, ...], gone: int
) -> None:
    had = [version for version in (*RANGE, *LATER) if version != gone]
    ok(shop.on(database, shop.files(had), "up"))
    files, whole = shop.squashed(), shop.files(RANGE)
    without = shop.files([version for version in RANGE if version != gone])
    if shop.form == "atlas":  # its checkpoints name no versions: the archive does
        ok(shop.on(database, files, *words))
        assert made(database) == own(*had)
        if gone == 10:
            return  # below Atlas's first row
    else:
        for archive in (None, without):
            refused = shop.on(database, files, *words, archive=archive)
            assert refused.code == 1, refused
            assert f"never applied: {gone} (replaced by" in refused.stderr
            assert "squash" in refused.stderr
            assert "-archive DIR with -out-of-order apply" in refused.stderr
        assert f"version {gone} " in shop.on(database, files, "verify").stdout
        assert shop.on(database, files, "up").code == 1
    assert made(database) == own(*had)
    assert (
        f"never applied: {gone} (m{gone})" in shop.on(database, files, "up", archive=whole).stderr
    )
    ok(shop.on(database, files, *words, archive=whole))
    assert made(database) == own(*RANGE, *LATER)
    if shop.form != "flyway":  # the files are not beside the baseline
        assert "agree" in ok(shop.on(database, files, "verify"))
    if shop.form in ("golang-migrate", "goose"):  # what is left of the archive's file undoes it
        ok(shop.on(database, files, "goto", "30" if gone == 40 else "40"))
        assert 40 not in made(database) or gone != 40


@pytest.mark.parametrize("words", [("up",), ("up", "1"), ("goto", "latest"), ("plan",)])
def test_an_archive_that_has_a_down_file_alone(
    tmp_path: Path, database: Database, words: tuple[str, ...]
) -> None:
    """golang-migrate takes such a version for one that has nothing to run."""
    shop = Shop(tmp_path, "golang-migrate")
    ok(shop.on(database, shop.files((10,)), "up"))
    files, archive = shop.squashed(), shop.files(RANGE)
    up_file = archive / "0030_m30.up.sql"
    text = up_file.read_text()
    up_file.unlink()
    refused = shop.on(database, files, *words, archive=archive)
    assert refused.code == 1, refused
    assert "the archive has no up file of version 30" in refused.stderr
    assert made(database) == own(10)
    up_file.write_text(text)
    ok(shop.on(database, files, "up", archive=archive))
    assert made(database) == own(*RANGE, *LATER)
    up_file.unlink()
    # What is applied needs its down file alone.
    ok(shop.on(database, files, "goto", "20", archive=archive))
    assert made(database) == own(10, 20)


def test_a_version_that_was_left_out_is_not_made_up_by_a_down_file(
    tmp_path: Path, database: Database
) -> None:
    shop = Shop(tmp_path, "golang-migrate")
    ok(shop.on(database, shop.files((10, 20, 40)), "up"))
    files, archive = shop.squashed(), shop.files(RANGE)
    (archive / "0030_m30.up.sql").unlink()
    for words in (("up",), *WAYS):
        refused = shop.on(database, files, *words, archive=archive)
        assert refused.code == 1, refused
        assert "never applied: 30 (replaced by" in refused.stderr
    assert made(database) == own(10, 20, 40)


class Beside:
    """Flyway's files with a baseline beside those that it stands for, of which some are gone."""

    def __init__(self, base: Path, *gone: int, name: str = "beside") -> None:
        self._shop = Shop(base, "flyway")
        self.files = base / name
        self.files.mkdir()
        for version in (*RANGE, *LATER):
            if version not in gone:
                self.put(version)
        sql = " ".join(f"CREATE TABLE t{version} (by_squash int);" for version in RANGE)
        (self.files / "B40__squash.sql").write_text(f"-- dbmigrate:replaced 10 20 30 40\n{sql}\n")

    def put(self, version: int) -> None:
        sql = f"CREATE TABLE t{version} (n int);"
        (self.files / f"V{version}__m{version}.sql").write_text(sql)

    def old(self, *versions: int) -> Path:
        """The files before there was a baseline."""
        return self._shop.files(versions)

    def on(self, database: Database, *words: str, files: Path | None = None) -> Ran:
        return self._shop.on(database, files or self.files, *words)


@pytest.mark.parametrize("had", [(10,), (10, 20), (20,), (10, 20, 40)])
@pytest.mark.parametrize("gone", [(30,), (30, 40)])
@pytest.mark.parametrize("words", [("up",), ("up", "1"), ("goto", "latest"), ("plan",)])
def test_a_file_below_a_baseline_is_missing(
    tmp_path: Path,
    database: Database,
    had: tuple[int, ...],
    gone: tuple[int, ...],
    words: tuple[str, ...],
) -> None:
    shop = Beside(tmp_path, *gone)
    ok(shop.on(database, "up", files=shop.old(*had)))
    refused = shop.on(database, *words)
    assert refused.code == 1, refused
    if not set(gone) & set(had):  # else Flyway's own validation comes first
        missing = ", ".join(map(str, gone))
        assert f"{missing}, which the list in B40__squash.sql names" in refused.stderr
    assert made(database) == own(*had)
    for version in gone:
        shop.put(version)
    ok(shop.on(database, "-out-of-order", "apply", "up"))
    assert made(database) == own(*RANGE, *LATER)


def test_a_database_above_a_baseline_that_never_had_a_listed_version(
    tmp_path: Path, database: Database
) -> None:
    shop = Beside(tmp_path, 20)
    ok(shop.on(database, "up", files=shop.old(10, 30, 40, 50)))
    for words in (("up",), ("-out-of-order", "apply", "up"), ("plan",)):
        refused = shop.on(database, *words)
        assert refused.code == 1, refused
        assert "version 20, which the list in B40__squash.sql names" in refused.stderr
        assert "-out-of-order ignore" in refused.stderr
    ok(shop.on(database, "-out-of-order", "ignore", "up"))
    assert made(database) == own(10, 30, 40, *LATER)


@pytest.mark.parametrize("gone", [(30,), (40,), (10, 20)])
def test_databases_that_need_no_file_of_the_list(
    tmp_path: Path, server: Server, gone: tuple[int, ...]
) -> None:
    shop = Beside(tmp_path, *gone)
    empty, later, forced = (server.create_database() for _ in range(3))
    ok(shop.on(empty, "up", "1"))
    ok(shop.on(empty, "up"))
    assert made(empty) == dict.fromkeys(RANGE, "squash") | own(*LATER)
    ok(shop.on(later, "baseline", "40"))
    ok(shop.on(forced, "force", "50"))
    for database in (later, forced):
        ok(shop.on(database, "up"))
        assert "no change" in ok(shop.on(database, "up")).lower()
    for database in (empty, later, forced):
        database.drop()


def test_an_empty_database_to_a_version_below_a_baseline(
    tmp_path: Path, database: Database
) -> None:
    shop = Beside(tmp_path, 20)
    assert "which the list in" in shop.on(database, "goto", "30").stderr
    assert made(database) == {}
    ok(shop.on(database, "goto", "10"))
    assert made(database) == own(10)


@pytest.mark.parametrize("gone", [(20,), (40,), (20, 40)])
@pytest.mark.parametrize("words", [("up",), ("up", "1"), ("goto", "latest"), ("plan",)])
def test_an_archive_that_lacks_files(
    shop: Shop, database: Database, gone: tuple[int, ...], words: tuple[str, ...]
) -> None:
    ok(shop.on(database, shop.files((10,)), "up"))
    files = shop.squashed()
    left = shop.files([version for version in RANGE if version not in gone])
    if shop.form == "atlas":
        return  # its checkpoints name no versions
    refused = shop.on(database, files, *words, archive=left)
    assert refused.code == 1, refused
    assert ", ".join(map(str, gone)) in refused.stderr
    assert "replaced by" in refused.stderr
    told = ok(shop.on(database, files, "status", archive=left))
    assert all(f"\n{version} " in told for version in gone)
    assert made(database) == own(10)
    ok(shop.on(database, files, "up", archive=shop.files(RANGE)))
    assert made(database) == own(*RANGE, *LATER)


@pytest.mark.parametrize("form", MARKED)
@pytest.mark.parametrize("head", LISTS)
@pytest.mark.parametrize("version", [20, 50])
@pytest.mark.parametrize("has_archive", [False, True])
def test_a_version_that_a_person_sets_leads_on(
    tmp_path: Path, database: Database, form: str, head: str, version: int, has_archive: bool
) -> None:
    """From a part of the range to anywhere: `up` goes on, or names what it needs."""
    shop = Shop(tmp_path, form, LISTS[head])
    ok(shop.on(database, shop.files((10,)), "up"))
    files, whole = shop.squashed(), shop.files(RANGE)
    archive = whole if has_archive else None
    forced = shop.on(database, files, "force", str(version), archive=archive)
    is_unknown = head == "no list" and not has_archive and form != "golang-migrate"
    if version == 20 and is_unknown:
        assert "-archive DIR" in forced.stderr  # nothing says that there was a 20
        return
    ok(forced)
    if version == 20:
        assert "-archive DIR" in shop.on(database, files, "up").stderr
    elif is_unknown:
        assert "never applied: 20" in shop.on(database, files, "up", archive=whole).stderr
        ok(shop.on(database, files, "force", "50", archive=whole))
    ok(shop.on(database, files, "up", archive=whole))
    expected = (10, 30, 40, 50, 60) if version == 20 else (10, 60)
    assert made(database) == own(*expected)
    assert "agree" in ok(shop.on(database, files, "verify", archive=whole))
    assert "agree" in ok(shop.on(database, files, "verify"))


def test_force_ends_what_up_refuses(shop: Shop, database: Database) -> None:
    ok(shop.on(database, shop.files((10, 30, 50)), "up"))
    files, whole = shop.squashed(), shop.files(RANGE)
    if shop.form != "atlas":  # its checkpoints name no versions
        assert "never applied: 20" in shop.on(database, files, "up").stderr
        if shop.form == "golang-migrate":  # one number: it has to be moved
            ok(shop.on(database, files, "force", "10"))
        ok(shop.on(database, files, "force", "50"))
    ok(shop.on(database, files, "up"))
    assert made(database) == own(10, 30, 50, 60)
    if shop.form == "atlas":
        assert "never applied: 20" in shop.on(database, files, "up", archive=whole).stderr
        ok(shop.on(database, files, "force", "60", archive=whole))
    assert "no change" in ok(shop.on(database, files, "up", archive=whole)).lower()


@pytest.mark.parametrize("form", MARKED)
def test_what_was_replaced_has_the_rows_that_its_files_would_have(
    tmp_path: Path, database: Database, form: str
) -> None:
    shop = Shop(tmp_path, form)
    old, files = shop.files((*RANGE, *LATER)), shop.squashed()
    ok(shop.on(database, files, "force", "60"))
    # An earlier release, with all files: to it, and to its tool, everything is applied.
    assert "no change" in ok(shop.on(database, old, "up"))
    if form == "dbmate":
        rows = database.query("SELECT version FROM schema_migrations ORDER BY 1")
        assert rows == [(f"00{version}",) for version in (*RANGE, *LATER)]


@pytest.mark.parametrize("form", MARKED)
def test_a_squashed_file_on_a_database_that_had_nothing_of_its_range(
    tmp_path: Path, database: Database, form: str
) -> None:
    shop = Shop(tmp_path, form)
    ok(shop.on(database, shop.files(LATER), "up"))
    files = shop.squashed()
    assert "never applied: 40 (squash)" in shop.on(database, files, "up").stderr
    ok(shop.on(database, files, "-out-of-order", "apply", "up"))
    assert made(database) == dict.fromkeys(RANGE, "squash") | own(*LATER)


@pytest.mark.parametrize("form", MARKED)
@pytest.mark.parametrize("way", [("down", "-all"), ("down", "3"), ("goto", "10")])
def test_the_way_down_without_the_log_passes_over_nothing(
    tmp_path: Path, database: Database, form: str, way: tuple[str, ...]
) -> None:
    """golang-migrate's number says nothing of the versions below it: the list does."""
    shop = Shop(tmp_path, form)
    ok(shop.on(database, shop.files((*RANGE, *LATER)), "up"))
    database.execute(f"DROP TABLE {TABLES[form]}_log")
    files, whole = shop.squashed(), shop.files(RANGE)
    refused = shop.on(database, files, *way, archive=shop.files((10, 30, 40)))
    ran = shop.on(database, files, *way, archive=whole) if refused.code else refused
    ok(ran)
    left = {"-all": (), "3": (10, 20, 30), "10": (10,)}[way[-1]]
    assert made(database) == own(*left)
    if way[-1] != "3":
        assert refused.code == 1, refused
        assert "20" in refused.stderr


@pytest.mark.parametrize("form", ["golang-migrate", "goose"])
def test_repair_does_not_take_the_squashed_file_for_the_one_that_failed(
    tmp_path: Path, database: Database, form: str
) -> None:
    shop = Shop(tmp_path, form)
    ok(shop.on(database, shop.files((10, 20, 30)), "up"))
    old = shop.files(RANGE)
    (file,) = (each for each in old.iterdir() if "m40" in each.name and "down" not in each.name)
    bad = "CREATE TABLE t40 (n int); CREATE INDEX CONCURRENTLY i ON t10 (n); SELECT 1/0;"
    file.write_text(
        bad
        if form == "golang-migrate"
        else f"-- +goose NO TRANSACTION\n-- +goose Up\n{bad}\n-- +goose Down\n"
    )
    assert shop.on(database, old, "up").code == 1
    before = made(database)
    files = shop.squashed()
    for words in (("repair",), ("up",), ("goto", "latest")):
        refused = shop.on(database, files, *words)
        assert refused.code == 1, refused
        assert made(database) == before
    file.write_text(file.read_text().replace("SELECT 1/0;", ""))
    ok(shop.on(database, files, "repair", archive=old))
    assert made(database) == own(*RANGE)
    ok(shop.on(database, files, "up"))
