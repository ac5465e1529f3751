"""`--tx-mode none|file|all`, a dry run and an amount, held against Atlas's own command."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from dbmigrate.policies import Transactions
from dbmigrate.report import Reason
from dbmigrate.runner.commands.apply import ApplyOrder, apply, preview_apply
from dbmigrate.runner.request import Options
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from dbmigrate.versions import lexical
from tests.cli.program import Ran
from tests.cli.program import run_here as run
from tests.database import Database, Server
from tests.formats.arrange import fill, request
from tests.runner.arrange import Witness

pytestmark = pytest.mark.database

TABLE = "atlas_schema_revisions.atlas_schema_revisions"
FILES = {
    "1_a.sql": "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n",
    "2_b.sql": "CREATE TABLE b (x int);\nSELECT 2;\n",
    "3_c.sql": "CREATE TABLE c (x int);\nINSERT INTO c SELECT 1 / (x - 1) FROM a;\nSELECT 3;\n",
    "4_d.sql": "CREATE TABLE d (x int);\n",
}
NONE = "-- atlas:txmode none\n\n"


def atlas_files(directory: Path, files: dict[str, str]) -> Path:
    fill(directory, files)
    renew_sum(directory, Format.ATLAS)
    return directory


def ours(database: Database, directory: Path, *words: str) -> Ran:
    where = ("--dir", f"file://{directory}", "--url", database.url)
    return run("atlas", "migrate", "apply", *where, *words)


def theirs(
    oracle: Path, database: Database, directory: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    line = [
        str(oracle),
        "migrate",
        "apply",
        "--dir",
        f"file://{directory}",
        "-u",
        database.url,
        *words,
    ]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def outcome(database: Database) -> tuple[Sequence[object], Sequence[object]]:
    """Rows of the history, and which tables there are."""
    rows = database.query(
        f"SELECT version, type, applied, total, error_stmt FROM {TABLE} ORDER BY version"
    )
    tables = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    return rows, tables


@pytest.mark.parametrize("mode", ["none", "file", "all"])
def test_a_failure_leaves_behind_what_it_leaves_with_atlas(
    server: Server, database: Database, tmp_path: Path, atlas_oracle: Path, mode: str
) -> None:
    directory = atlas_files(tmp_path / "m", FILES)
    other = server.create_database()
    assert ours(database, directory, "--tx-mode", mode).code == 1
    failed = theirs(atlas_oracle, other, directory, "--tx-mode", mode)
    assert failed.returncode == 1
    assert "division by zero" in failed.stdout
    assert outcome(database) == outcome(other)
    atlas_files(directory, {"3_c.sql": FILES["3_c.sql"].replace("x - 1", "x")})
    mended = ours(database, directory, "--tx-mode", mode)
    assert mended.code == 0, mended.stderr
    assert theirs(atlas_oracle, other, directory, "--tx-mode", mode).returncode == 0
    assert outcome(database)[0] == [
        (str(n), 2, t, t, "") for n, t in ((1, 2), (2, 2), (3, 3), (4, 1))
    ]
    assert outcome(database)[1] == outcome(other)[1]
    other.drop()


def test_all_files_are_one_transaction_or_none(database: Database, tmp_path: Path) -> None:
    # What a file sets must not reach the next one, as little as in a transaction of its own.
    second = "SET search_path = pg_catalog;\nCREATE TABLE public.b (x int);\n"
    directory = atlas_files(tmp_path / "m", {**FILES, "2_b.sql": second})
    failed = ours(database, directory, "--tx-mode", "all")
    assert failed.code == 1
    assert "division by zero" in failed.stderr
    assert "3_c.sql:2" in failed.stderr
    assert outcome(database) == ([], [])
    log = database.query(f"SELECT version, outcome FROM {TABLE}_log")
    assert log == [("3", "failed")]
    told = apply(
        request(database, directory, options=Options(transactions=Transactions.ALL)),
        ApplyOrder(limit=2, may_hold_something=True),
    )
    told.unwrap()
    assert [step.version for step in told.report.steps] == ["1", "2"]
    ids = database.query(f"SELECT count(DISTINCT xmin::text) FROM {TABLE}")
    assert ids == [(1,)]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (f"{NONE}SELECT 1;", 'cannot set txmode directive to "none" in "2_b.sql"'),
        ("-- atlas:txmode file\n\nSELECT 1;", 'cannot set txmode directive to "file"'),
        ("CREATE INDEX CONCURRENTLY i ON a (x);", "2_b.sql can't be in one transaction with all"),
    ],
)
def test_what_cant_be_in_the_one_transaction_is_refused_before_anything_is_run(
    database: Database, tmp_path: Path, file: str, said: str
) -> None:
    directory = atlas_files(tmp_path / "m", {"1_a.sql": FILES["1_a.sql"], "2_b.sql": file})
    refused = ours(database, directory, "--tx-mode", "all")
    assert refused.code == 1
    assert said in refused.stderr
    assert database.query("SELECT to_regclass('a')") == [(None,)]


def test_a_stop_between_two_files_leaves_nothing_of_the_one_transaction(
    database: Database, tmp_path: Path
) -> None:
    directory = atlas_files(tmp_path / "m", FILES)
    witness = Witness()
    asked = request(
        database, directory, options=Options(transactions=Transactions.ALL), observer=witness
    )
    witness.on_start = lambda step: asked.stop.request() if str(step.version) == "2" else None
    stopped = apply(asked, ApplyOrder())
    assert stopped.error is not None
    assert stopped.error.reason is Reason.INTERRUPTED
    assert "nothing was applied" in stopped.error.message
    assert outcome(database) == ([], [])
    assert (stopped.report.steps, stopped.report.version, witness.finished) == ((), None, [])


def test_a_file_may_keep_its_transaction_where_the_others_have_none(
    database: Database, tmp_path: Path
) -> None:
    body = "CREATE TABLE {0} ();\nSELECT 1/0;\n"
    files = {"1_a.sql": f"-- atlas:txmode file\n\n{body.format('a')}"}
    directory = atlas_files(tmp_path / "m", files)
    assert ours(database, directory, "--tx-mode", "none").code == 1
    assert outcome(database) == ([], [])


def test_a_dry_run_tells_what_an_amount_a_baseline_and_a_half_would_do(
    database: Database, tmp_path: Path
) -> None:
    directory = atlas_files(tmp_path / "m", FILES)
    database.execute("CREATE TABLE a (x int); INSERT INTO a VALUES (1)")
    unclean = ours(database, directory, "--dry-run")
    assert "connected database is not clean" in unclean.stderr

    def versions(order: ApplyOrder) -> list[str]:
        found = preview_apply(request(database, directory), order).unwrap()
        assert found is not None
        return [str(step.step.version) for step in found.steps]

    assert versions(ApplyOrder(baseline=lexical("1"))) == ["2", "3", "4"]
    assert versions(ApplyOrder(limit=1, baseline=lexical("1"))) == ["2"]
    assert database.query("SELECT to_regnamespace('atlas_schema_revisions')") == [(None,)]
    halfway = ours(database, directory, "--baseline", "1", "--tx-mode", "none")
    assert halfway.code == 1
    assert versions(ApplyOrder()) == ["3", "4"]
    assert versions(ApplyOrder(limit=1)) == ["3"]
    shown = ours(database, directory, "--dry-run")
    assert shown.code == 0, shown.stderr
    assert "-- migrating version 3\n" in shown.stdout


def test_the_file_that_is_finished_first_counts_in_the_amount(
    server: Server, database: Database, tmp_path: Path, atlas_oracle: Path
) -> None:
    directory = atlas_files(tmp_path / "m", FILES)
    other = server.create_database()
    for each in (database, other):
        theirs(atlas_oracle, each, directory, "--tx-mode", "none")
        each.execute("UPDATE a SET x = 2")
    assert ours(database, directory, "1").code == 0
    assert theirs(atlas_oracle, other, directory, "1").returncode == 0
    versions = f"SELECT version, applied, total FROM {TABLE} ORDER BY 1"
    assert (
        database.query(versions) == other.query(versions) == [("1", 2, 2), ("2", 2, 2), ("3", 3, 3)]
    )
    other.drop()


def test_all_files_wait_together_for_a_lock_that_others_hold(
    database: Database, tmp_path: Path
) -> None:
    files = {"1_b.sql": "CREATE TABLE b ();", "2_a.sql": "ALTER TABLE a ADD y int;"}
    directory = atlas_files(tmp_path / "m", files)
    database.execute("CREATE TABLE a (x int)")
    witness = Witness()
    options = Options(transactions=Transactions.ALL, statement_lock_timeout_ms=200)
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE a")
        # The second try at the first file finds the table free.
        witness.on_start = lambda _: holder.rollback() if len(witness.started) == 3 else None
        asked = request(database, directory, options=options, observer=witness)
        told = apply(asked, ApplyOrder(may_hold_something=True))
    told.unwrap()
    assert [str(each) for each in witness.started] == ["1", "2", "1", "2"]
    assert [str(each) for each in witness.finished] == ["1", "2"]
    assert outcome(database)[0] == [("1", 2, 1, 1, ""), ("2", 2, 1, 1, "")]


def test_patience_for_all_files_ends_and_leaves_nothing(database: Database, tmp_path: Path) -> None:
    files = {"1_b.sql": "CREATE TABLE b ();", "2_a.sql": "ALTER TABLE a ADD y int;"}
    directory = atlas_files(tmp_path / "m", files)
    database.execute("CREATE TABLE a (x int)")
    options = Options(transactions=Transactions.ALL, statement_lock_timeout_ms=100, lock_timeout=0)
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE a")
        told = apply(
            request(database, directory, options=options), ApplyOrder(may_hold_something=True)
        )
    assert told.error is not None
    assert told.error.reason is Reason.BLOCKED_BY_QUERY
    assert told.error.location is not None
    assert told.error.location.file == "2_a.sql"
    assert database.query("SELECT to_regclass('b')") == [(None,)]
