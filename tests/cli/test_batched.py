"""What people see of steps in batches: plan, lint, rehearse, up and status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.program import run, write_scripts
from tests.database import Database
from tests.runner.batches import COUNT_UP, MOVE_OUT, many

pytestmark = pytest.mark.database


@pytest.fixture
def path(tmp_path: Path) -> str:
    table = many()
    assert table.up is not None
    assert table.down is not None
    scripts = {
        "1_many.up.sql": table.up.load().decode(),
        "1_many.down.sql": table.down.load().decode(),
        "2_count.up.sql": COUNT_UP,
        "2_count.down.sql": MOVE_OUT,
    }
    return str(write_scripts(tmp_path / "m", scripts))


def test_plan_says_that_a_step_runs_in_batches(path: str, database: Database) -> None:
    words = ["-path", path, "-database", database.url]
    text = run(*words, "plan").stdout
    assert "--   not in one transaction: line 2: in batches of at most 10 rows, each a" in text
    (_, step) = json.loads(run(*words, "-json", "plan").stdout)["plan"]
    assert (step["transaction"], step["destructive"], step["problem"]) == (False, False, None)
    (Path(path) / "2_count.up.sql").write_text(COUNT_UP.replace(":cursor", ":corsur"))
    text = run(*words, "plan").stdout
    assert "--   can't run: 2_count.up.sql: line 3: :corsur is no parameter" in text
    failed = run(*words, "up")
    assert failed.code == 1
    assert "at 2_count.up.sql:3:34\n" in failed.stderr


def test_lint_knows_such_files_and_names_them_as_the_remedy(path: str) -> None:
    assert run("-path", path, "lint").stderr == "nothing found\n"
    (Path(path) / "2_count.up.sql").write_text("UPDATE users SET a = 1;")
    text = run("-path", path, "lint").stdout
    assert "every-row" in text
    assert "instead: a separate file that begins with `-- dbmigrate:batched`" in text


def test_rehearse_runs_them_on_the_rows_that_the_migrations_make(path: str) -> None:
    ran = run("-path", path, "rehearse")
    # The way down has emptied the table, and the second way up finds nothing to do.
    assert "info: 2_count.up.sql: 45 rows are done, in 5 batches" in ran.stderr
    assert "info: 2_count.up.sql: 0 rows are done, in 0 batches" in ran.stderr
    assert "2 of 2 steps went up, down and up again, and nothing was left" in ran.stderr


def test_up_that_fails_halfway_says_how_to_go_on_and_status_how_far_it_is(
    path: str, database: Database
) -> None:
    words = ["-path", path, "-database", database.url]
    run(*words, "up", "1")
    database.execute("ALTER TABLE many ADD CONSTRAINT c CHECK (touched = 0 OR id <> 25)")
    failed = run(*words, "-json", "up")
    assert failed.code == 1
    assert (
        "batch 3 of version 2 (count) up was rolled back, 20 rows in the batches" in failed.stderr
    )
    assert "hint: remove the cause, then run it again" in failed.stderr
    report = json.loads(failed.stdout)
    unfinished = report["unfinished"]
    assert (report["version"], report["dirty"]) == ("2", True)
    assert (unfinished["version"], unfinished["rows"], unfinished["batches"]) == ("2", 20, 2)
    assert run(*words, "version").stderr == "2 (dirty)\n"
    shown = run(*words, "status", "-exit-code")
    assert shown.code == 3
    assert "unfinished" in shown.stdout
    assert "version 2 (count) up is not finished: 20 rows are done in 2 batches" in shown.stdout
    assert "-- version 2 (count) up is not finished" in run(*words, "plan").stdout
    refused = run(*words, "down", "1")
    assert refused.code == 1
    assert "error: Dirty database version 2. version 2 (count) up is not finished" in refused.stderr
    database.execute("ALTER TABLE many DROP CONSTRAINT c")
    done = run(*words, "repair")
    assert done.code == 0
    assert "continues after batch 2: 20 rows are done" in done.stderr
    assert "version 2 up is finished" in done.stderr
    assert "unfinished" not in json.loads(run(*words, "-json", "status").stdout)


def test_diff_and_rehearse_pass_over_the_table_of_batches(path: str, database: Database) -> None:
    desired = Path(path).parent / "schema.sql"
    desired.write_text((Path(path) / "1_many.up.sql").read_text())
    ran = run("-path", path, "diff", "-dev-url", database.url, "-check")
    assert (ran.code, ran.stderr.splitlines()[-1]) == (0, "no difference"), ran.stderr
    words = ["-path", path, "-database", database.url]
    assert run(*words, "up").code == 0
    # pg_dump of the server's own version: the table of batches is no part of the copy.
    environ = {"PATH": f"{database.server.bin_dir}:{os.environ['PATH']}"}
    ran = run(*words, "rehearse", "-copy", "-dev-url", database.url, environ=environ)
    assert ran.code == 0, ran.stderr
