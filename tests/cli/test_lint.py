"""`lint` as people and machines read it; what it says of rewrites is what a server does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbmigrate.lint.script import judge_script
from dbmigrate.postgres.sqltext import syntax_tree
from tests.cli.program import run, run_here
from tests.database import Database

FILES = {
    "1_users.up.sql": "CREATE TABLE users (id int PRIMARY KEY, name text);\n",
    "1_users.down.sql": "DROP TABLE users;\n",
    "2_index.up.sql": "SELECT 1;\nCREATE INDEX users_name ON users (name);\n",
    "2_index.down.sql": "DROP INDEX users_name;\n",
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return str(tmp_path)


def test_people_read_the_place_the_reason_and_the_remedy(path: str) -> None:
    ran = run("-path", path, "lint")
    assert ran.code == 1
    place, reason, remedy = ran.stdout.splitlines()
    assert place == "2_index.up.sql:2 error index-blocks-writes"
    assert reason.strip().startswith("users: CREATE INDEX blocks writes")
    assert remedy.strip().startswith("instead: CREATE INDEX CONCURRENTLY")
    assert ran.stderr == "1 error in 1 file\n"


def test_versions_that_are_applied_already_can_be_left_out(path: str) -> None:
    ran = run("-path", path, "lint", "-since", "2")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "nothing found\n")


def test_strict_makes_a_warning_an_error(path: str) -> None:
    Path(path, "2_index.up.sql").write_text("UPDATE users SET name = 'x';")
    assert run("-path", path, "lint").code == 0
    assert run("-path", path, "lint", "-strict").code == 1


def test_machines_read_json_sarif_and_annotations(path: str) -> None:
    (found,) = json.loads(run("-path", path, "lint", "-output", "json").stdout)["findings"]
    assert (found["rule"], found["line"], found["table"]) == ("index-blocks-writes", 2, "users")
    (log,) = json.loads(run("-path", path, "lint", "-output", "sarif").stdout)["runs"]
    (result,) = log["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 2}
    assert place["artifactLocation"]["uri"].endswith("/2_index.up.sql")
    assert result["ruleId"] in {rule["id"] for rule in log["tool"]["driver"]["rules"]}
    Path(path, "2_index.up.sql").write_text('DROP TABLE "a,b:%\n";')
    line = run("-path", path, "lint", "-output", "github").stdout
    assert line.startswith("::error file=")
    assert line.count("\n") == 1
    assert ",line=1,title=table-dropped::" in line
    assert "%25%0A" in line


@pytest.mark.database
def test_a_small_table_makes_it_worth_knowing_and_no_more(path: str, database: Database) -> None:
    words = ["-path", path, "-database", database.url, "lint", "-sizes", "-output", "json"]
    database.execute("CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1, 'a')")
    database.execute("ANALYZE users")
    ran = run(*words)
    (found,) = json.loads(ran.stdout)["findings"]
    assert (ran.code, found["severity"]) == (0, "info")
    assert "1 rows, 0.0 MB" in found["message"]
    database.execute(
        "INSERT INTO users SELECT n, repeat('x', 900) FROM generate_series(1, 20000) n;"
        "ANALYZE users"
    )
    ran = run(*words)
    (found,) = json.loads(ran.stdout)["findings"]
    assert (ran.code, found["severity"]) == (1, "error")
    assert "20,001 rows" in found["message"]


REWRITING = [
    "ALTER TABLE t ALTER a TYPE bigint",
    "ALTER TABLE t ADD r float DEFAULT random()",
    "ALTER TABLE t ADD s serial",
    "ALTER TABLE t ADD g int GENERATED ALWAYS AS (a + 1) STORED",
    "VACUUM FULL t",
    "ALTER TABLE t SET UNLOGGED",
]
KEEPING = [
    "ALTER TABLE t ADD c int",
    "ALTER TABLE t ADD c int NOT NULL DEFAULT 7",
    "ALTER TABLE t ADD c timestamptz DEFAULT now()",
    "ALTER TABLE t DROP b",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
]


@pytest.mark.database
@pytest.mark.parametrize(
    ("statement", "rewrites"),
    [*((each, True) for each in REWRITING), *((each, False) for each in KEEPING)],
)
def test_what_is_said_to_rewrite_a_table_does(
    database: Database, statement: str, rewrites: bool
) -> None:
    database.execute("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')")
    before = database.query("SELECT pg_relation_filenode('t')")
    database.execute(statement)
    assert (database.query("SELECT pg_relation_filenode('t')") != before) is rewrites
    said = {finding.rule.name for finding in judge_script(statement.encode(), "f")}
    assert bool(said & {"type-rewrites", "default-rewrites", "table-rewrites"}) is rewrites


def test_without_the_parser_lint_says_so_in_a_line(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syntax_tree, "find_spec", lambda _: None)
    ran = run_here("-path", path, "lint")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == (
        "error: lint can't read the files: the SQL parser is not installed"
        " (pip install 'dbmigrate[sql]')\n"
    )


@pytest.mark.database
def test_without_the_parser_plan_and_runs_say_so_in_a_line(
    path: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syntax_tree, "find_spec", lambda _: None)
    options = ["-path", path, "-database", database.url]
    said = "the SQL parser is not installed (pip install 'dbmigrate[sql]')"
    plan = run_here(*options, "plan")
    assert plan.stdout.count(said) == 1
    document = json.loads(run_here(*options, "-json", "plan").stdout)
    assert [step["analysed"] for step in document["plan"]] == [False, False]
    ran = run_here(*options, "-lint", "reject", "up")
    assert (ran.code, ran.stderr.count(said)) == (0, 1)
