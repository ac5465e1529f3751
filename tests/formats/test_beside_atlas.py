"""Atlas and we on one database, in turns: rows, schemas and pending files agree."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.report import Reason
from dbmigrate.runner.answers import MigrationState
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import VersionState
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from dbmigrate.versions import lexical
from tests.cli.program import run
from tests.database import Database, Server
from tests.formats.arrange import fill, request

pytestmark = pytest.mark.database

TABLE = "atlas_schema_revisions.atlas_schema_revisions"
ORDERS = {
    "linear": OutOfOrder.REJECT,
    "linear-skip": OutOfOrder.IGNORE,
    "non-linear": OutOfOrder.APPLY,
}
COLUMNS = "version, description, type, applied, total, error, error_stmt, hash"


def atlas_files(directory: Path, files: dict[str, str]) -> Path:
    """Files with their atlas.sum."""
    fill(directory, files)
    renew_sum(directory, Format.ATLAS)
    return directory


def judge(library: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([library, *words], capture_output=True, text=True, check=False)


def rows(database: Database) -> list[tuple[object, ...]]:
    return database.query(f"SELECT {COLUMNS} FROM {TABLE} ORDER BY version")


def pending(database: Database, directory: Path, order: str) -> list[str] | None:
    """The files that we would run, None where we refuse."""
    planned = request(database, directory, options=Options(out_of_order=ORDERS[order]))
    found = preview(planned, None)
    if found.error is not None:
        assert found.error.reason is Reason.OUT_OF_ORDER, found.error
        return None
    assert found.value is not None
    steps = found.value.steps
    return [each.step.script.file for each in steps if each.step.script]


def random_history(choose: random.Random, place: Path) -> tuple[Path, list[str]]:
    """Files, of which some are checkpoints, and the versions that have a row."""
    stems = choose.sample(["10", "11_a", "12_b", "13", "14_c", "15_d", "9", "b_x"], 6)
    files = {}
    for stem in stems:
        head = "-- atlas:checkpoint\n\n" if choose.random() < 0.2 else ""
        files[f"{stem}.sql"] = f"{head}SELECT 1;\n"
    plain = sorted(name for name, text in files.items() if "checkpoint" not in text)
    versions = [name.removesuffix(".sql").partition("_")[0] for name in plain]
    count = choose.randint(0, len(versions))
    applied = versions[:count]
    if applied and choose.random() < 0.6:
        applied = sorted(choose.sample(applied, choose.randint(1, len(applied))))
    return atlas_files(place, files), applied


def test_the_same_files_are_pending(
    database: Database, tmp_path: Path, atlas_library: Path
) -> None:
    choose = random.Random(3)
    up(request(database, atlas_files(tmp_path / "first", {"1.sql": "SELECT 1;"}))).unwrap()
    refused = 0
    for number in range(30):
        directory, applied = random_history(choose, tmp_path / str(number))
        database.execute(f"DELETE FROM {TABLE}; DROP TABLE IF EXISTS {TABLE}_log")
        for each in applied:
            database.execute(
                f"INSERT INTO {TABLE} VALUES ('{each}', '', 2, 1, 1, now(), 0, '', '', '', 'null',"
                " 'Atlas CLI')"
            )
        order = choose.choice(list(ORDERS))
        told = judge(atlas_library, "pending", database.url, str(directory), order)
        theirs = told.stdout.split() if told.returncode == 0 else None
        assert theirs is not None or "added out of order" in told.stderr, told.stderr
        ours = pending(database, directory, order)
        assert ours == theirs, (order, applied, sorted(path.name for path in directory.iterdir()))
        refused += theirs is None
    assert refused


def test_the_table_is_the_one_that_atlas_makes(
    server: Server, database: Database, tmp_path: Path, atlas_oracle: Path
) -> None:
    other = server.create_database()
    directory = atlas_files(tmp_path / "m", {"1_a.sql": "CREATE TABLE a (x int);\nSELECT 1;\n"})
    up(request(database, directory)).unwrap()
    theirs = judge(
        atlas_oracle, "migrate", "apply", "--dir", f"file://{directory}", "-u", other.url
    )
    assert theirs.returncode == 0, theirs.stderr
    question = (
        "SELECT column_name, data_type, is_nullable, column_default, ordinal_position"
        " FROM information_schema.columns WHERE table_name = 'atlas_schema_revisions' ORDER BY 5"
    )
    keys = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'atlas_schema_revisions.atlas_schema_revisions'::regclass"
        " AND contype = 'p'"
    )
    assert database.query(question) == other.query(question)
    assert database.query(keys) == other.query(keys)
    assert rows(database) == rows(other)
    other.drop()


@pytest.mark.parametrize("seed", [1, 2])
def test_taking_turns_leads_to_the_same_rows(
    server: Server,
    database: Database,
    tmp_path: Path,
    atlas_oracle: Path,
    atlas_library: Path,
    seed: int,
) -> None:
    choose = random.Random(seed)
    other = server.create_database()
    files = {
        "20240101_a.sql": "CREATE TABLE a (x int);\n-- a comment\nINSERT INTO a VALUES (1), (2);\n",
        "20240102_b.sql": "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (x);\n",
        "20240103_c_d.sql": "-- atlas:delimiter -- end\nSELECT 1;\nSELECT 2;\n-- end\nSELECT 3\n",
        "20240104.sql": "DO $$ BEGIN PERFORM 1; END $$;\nALTER TABLE a ADD y text;\n-- the end",
        "20240105_e.sql": "-- atlas:txmode none\n\nVACUUM a;\nINSERT INTO a VALUES (3);\n",
        "20240106_f.sql": "ALTER TABLE a DROP y;",
    }
    directory = atlas_files(tmp_path / "m", files)
    where = ("--dir", f"file://{directory}")
    for _ in files:
        kind = choose.choice(("ours", "command", "command line"))
        if kind == "ours":
            up(request(database, directory), limit=1).unwrap()
        elif kind == "command":
            done = judge(atlas_oracle, "migrate", "apply", *where, "-u", database.url, "1")
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            ran = run("atlas", "migrate", "apply", *where, "-u", database.url, "1")
            assert ran.code == 0, ran.stderr
    done = judge(atlas_library, "apply", other.url, str(directory), "linear", "file")
    assert done.returncode == 0, done.stderr
    assert rows(database) == rows(other)
    state = judge(atlas_oracle, "migrate", "status", *where, "-u", database.url)
    assert "Migration Status: OK" in state.stdout
    other.drop()


HALFWAY = "-- atlas:txmode none\n\nCREATE TABLE first ();\nSELECT 1/a FROM base;\nSELECT 3;\n"
FILES = {"1_a.sql": "SELECT 1;", "2_b.sql": HALFWAY}


def stopped(database: Database) -> tuple[object, ...]:
    return database.query(
        f"SELECT applied, total, error <> '', error_stmt, "
        " coalesce(jsonb_array_length(nullif(partial_hashes, 'null')), 0)"
        f" FROM {TABLE} WHERE version = '2'"
    )[0]


def test_what_we_left_halfway_atlas_goes_on_with(
    database: Database, tmp_path: Path, atlas_library: Path, atlas_oracle: Path
) -> None:
    database.execute("CREATE TABLE base (a int); INSERT INTO base VALUES (0)")
    directory = atlas_files(tmp_path / "m", FILES)
    failed = up(request(database, directory))
    assert (failed.report.version, failed.report.dirty) == ("1", True)
    assert stopped(database) == (1, 3, True, "SELECT 1/a FROM base;", 1)
    told = judge(
        atlas_oracle, "migrate", "status", "--dir", f"file://{directory}", "-u", database.url
    )
    assert "Current Version: 2 (1 statements applied)" in told.stdout
    assert "SELECT 1/a FROM base;" in told.stdout
    database.execute("UPDATE base SET a = 1")
    done = judge(atlas_library, "apply", database.url, str(directory), "linear", "file")
    assert done.returncode == 0, done.stderr
    assert version(request(database, directory)).unwrap() == VersionState(lexical("2"))
    assert up(request(database, directory)).report.pending == 0


def test_what_atlas_left_halfway_we_go_on_with(
    database: Database, tmp_path: Path, atlas_oracle: Path
) -> None:
    database.execute("CREATE TABLE base (a int); INSERT INTO base VALUES (0)")
    directory = atlas_files(tmp_path / "m", FILES)
    where = ("--dir", f"file://{directory}", "-u", database.url)
    failed = judge(atlas_oracle, "migrate", "apply", *where, "--allow-dirty")
    assert failed.returncode == 1
    assert stopped(database) == (1, 3, True, "SELECT 1/a FROM base;", 1)
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.DIRTY
    told = status(request(database, directory)).value
    assert told is not None
    states = {str(row.version): row.state for row in told.rows}
    assert states == {"1": MigrationState.APPLIED, "2": MigrationState.DIRTY}
    database.execute("UPDATE base SET a = 1")
    atlas_files(directory, {"2_b.sql": HALFWAY.replace("first", "other")})
    changed = repair(request(database, directory))
    assert changed.error is not None
    assert changed.error.reason is Reason.CHECKSUM_MISMATCH
    assert "statement 1 from file 2_b.sql changed" in changed.error.message
    atlas_files(directory, {"2_b.sql": HALFWAY.replace("SELECT 3", "SELECT 4")})
    assert run("atlas", "migrate", "apply", *where).code == 0
    assert stopped(database)[:3] == (3, 3, False)
    assert judge(atlas_oracle, "migrate", "apply", *where).stdout.startswith("No migration files")


def test_neither_runs_beside_the_other(
    database: Database, tmp_path: Path, atlas_library: Path
) -> None:
    seen = "CREATE TABLE seen AS SELECT objid FROM pg_locks WHERE locktype = 'advisory';"
    directory = atlas_files(tmp_path / "m", {"1_a.sql": seen})
    holding = subprocess.Popen(
        [atlas_library, "hold", database.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holding.stdin is not None
    assert holding.stdout is not None
    assert holding.stdout.readline() == b"held\n"
    refused = up(request(database, directory, options=Options(lock_timeout=0)))
    holding.communicate()
    assert refused.error is not None
    assert refused.error.reason is Reason.LOCK_TIMEOUT
    up(request(database, directory)).unwrap()
    assert (2686470616,) in database.query("SELECT objid::bigint FROM seen")


def test_the_rows_of_a_baseline_and_of_a_set_version_are_those_of_atlas(
    server: Server, database: Database, tmp_path: Path, atlas_oracle: Path
) -> None:
    other = server.create_database()
    files = {f"{n}_x.sql": f"CREATE TABLE t{n} ();" for n in (1, 2, 3, 4)}
    directory = atlas_files(tmp_path / "m", files)
    for each in (database, other):
        each.execute("CREATE TABLE t1 (); CREATE TABLE t2 ()")
    theirs = ("--dir", f"file://{directory}", "-u", other.url)
    refused = apply(request(database, directory), ApplyOrder())
    assert refused.error is not None
    assert 'not clean: found schema "public"' in refused.error.message
    apply(request(database, directory), ApplyOrder(limit=1, baseline=lexical("2"))).unwrap()
    done = judge(atlas_oracle, "migrate", "apply", "1", *theirs, "--baseline", "2")
    assert done.returncode == 0, done.stderr
    assert rows(database) == rows(other)
    force(request(database, directory), lexical("4")).unwrap()
    done = judge(atlas_oracle, "migrate", "set", "4", *theirs)
    assert done.returncode == 0, done.stderr
    assert rows(database) == rows(other)
    force(request(database, directory), lexical("3")).unwrap()
    judge(atlas_oracle, "migrate", "set", "3", *theirs)
    assert rows(database) == rows(other)
    other.drop()


def test_what_atlas_cloud_wrote_is_let_be_and_nothing_is_undone(
    database: Database, tmp_path: Path
) -> None:
    directory = atlas_files(tmp_path / "m", {"1.sql": "SELECT 1;", "2_b.sql": "SELECT 2;"})
    up(request(database, directory), limit=1).unwrap()
    for limit in (1, None):
        refused = down(request(database, directory), limit)
        assert refused.error is not None
        assert refused.error.reason is Reason.IRREVERSIBLE_MIGRATION
        assert "version 1 is where the history begins" in refused.error.message
    database.execute(
        f"INSERT INTO {TABLE} VALUES ('.atlas_cloud_identifier', 'some-uuid', 2, 0, 0, now(), 0,"
        " NULL, NULL, '', NULL, 'Atlas CLI')"
    )
    assert up(request(database, directory)).report.version == "2"
    refused = down(request(database, directory), 1)
    assert refused.error is not None
    assert refused.error.reason is Reason.IRREVERSIBLE_MIGRATION
    force(request(database, directory), lexical("1")).unwrap()
    assert [row[0] for row in rows(database)] == [".atlas_cloud_identifier", "1"]


def test_the_search_path_of_the_url_leads_to_the_table(database: Database, tmp_path: Path) -> None:
    directory = atlas_files(tmp_path / "m", {"1_a.sql": "SELECT 1;", "2_b.sql": "SELECT 2;"})
    bound = f"{database.url}&search_path=public"
    where = ["atlas", "migrate", "apply", "--dir", f"file://{directory}"]
    assert run(*where, "-u", bound, "1").code == 0
    assert database.query("SELECT version FROM public.atlas_schema_revisions") == [("1",)]
    database.execute("DROP TABLE atlas_schema_revisions, atlas_schema_revisions_log")
    assert run(*where, "-u", database.url, "1").code == 0
    assert len(rows(database)) == 1
    ambiguous = run(*where, "-u", bound)
    assert ambiguous.code == 1
    assert "ambiguous revision table" in ambiguous.stderr
    named = run(*where, "-u", bound, "--revisions-schema", "atlas_schema_revisions")
    assert named.code == 0
    assert len(rows(database)) == 2
