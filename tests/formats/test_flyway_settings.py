"""What Flyway's users have set, and what Flyway refuses: ours does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Ran, run, run_here
from tests.database import Database, Server
from tests.formats.arrange import fill, findings
from tests.formats.flyway_oracle import Flyway, flyway_rows

pytestmark = pytest.mark.database

FILES = {f"V{n}__t{n}.sql": f"CREATE TABLE t{n} ();" for n in (1, 2, 3)}


def ran(database: Database, directory: Path, *words: str, **settings: str) -> Ran:
    environ = {f"FLYWAY_{name.upper()}": value for name, value in settings.items()}
    return run_here("-path", str(directory), "-database", database.url, *words, environ=environ)


@pytest.mark.parametrize(
    ("made", "is_empty"),
    [
        ("CREATE TABLE old ()", False),
        ("CREATE VIEW old AS SELECT 1", False),
        ("CREATE SEQUENCE old", False),
        ("CREATE TYPE old AS ENUM ('a')", False),
        ("CREATE DOMAIN old AS int", False),
        ("CREATE FUNCTION old() RETURNS int LANGUAGE sql RETURN 1", False),
        ("CREATE SCHEMA other; CREATE TABLE other.old ()", True),
        ("CREATE EXTENSION citext", True),
    ],
)
def test_a_history_begins_in_an_empty_schema_alone_as_with_flyway(
    database: Database, tmp_path: Path, flyway: Flyway, made: str, is_empty: bool
) -> None:
    directory = fill(tmp_path / "m", FILES)
    database.execute(made)
    planned, done = ran(database, directory, "plan"), ran(database, directory, "up")
    if is_empty:
        assert (planned.code, done.code) == (0, 0), planned.stderr + done.stderr
        return
    said = 'Found non-empty schema(s) "public" but no schema history table'
    assert (planned.code, done.code) == (1, 1)
    assert said in planned.stderr
    assert said in done.stderr
    assert flyway_rows(database) == []
    assert said in flyway.try_to("migrate", database, directory)
    assert ran(database, directory, "baseline", "2").code == 0
    assert ran(database, directory, "up").code == 0
    assert flyway_rows(database) == [("2", "BASELINE", True), ("3", "SQL", True)]


@pytest.mark.parametrize("version", ["", "2", "1.5", "0"])
def test_baseline_on_migrate_begins_where_flyway_would(
    database: Database, tmp_path: Path, flyway: Flyway, version: str
) -> None:
    said = f"flyway.baselineVersion={version}\n" if version else ""
    directory = fill(
        tmp_path / "m", {**FILES, "flyway.conf": f"flyway.baselineOnMigrate=true\n{said}"}
    )
    other = database.server.create_database()
    for each in (database, other):
        each.execute("CREATE TABLE old ()")
    settings = {"flyway__baselineVersion": version} if version else {}
    flyway.do("migrate", other, directory, flyway__baselineOnMigrate="true", **settings)
    planned = ran(database, directory, "plan")
    assert planned.code == 0
    assert flyway_rows(database) == []
    done = ran(database, directory, "up")
    assert done.code == 0, done.stderr
    assert done.stderr.count("/u ") == planned.stdout.count("CREATE TABLE")
    columns = "installed_rank, version, description, type, script, checksum, success"
    assert flyway_rows(database, columns) == flyway_rows(other, columns)
    other.drop()


def test_in_an_empty_database_baseline_on_migrate_does_nothing(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", FILES)
    assert ran(database, directory, "up", baseline_on_migrate="true").code == 0
    assert [row[0] for row in flyway_rows(database)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("SET description = 'other' WHERE version = '2'", "was called 'other'"),
        ("SET type = 'JDBC' WHERE version = '2'", "is of type SQL, and was JDBC"),
        ("SET checksum = 7 WHERE version = '2'", "was edited after it was applied"),
        ("SET script = 'elsewhere.sql' WHERE version = '2'", ""),
        ("SET installed_by = 'me'", ""),
    ],
)
def test_what_flyways_validate_compares_is_compared(
    database: Database, tmp_path: Path, flyway: Flyway, change: str, kind: str
) -> None:
    directory = fill(tmp_path / "m", FILES)
    flyway.do("migrate", database, directory)
    database.execute(f"UPDATE flyway_schema_history {change}")
    refused = bool(flyway.try_to("validate", database, directory))
    assert refused == bool(kind)
    verified, done = ran(database, directory, "verify"), ran(database, directory, "up")
    assert (verified.code, done.code) == (int(refused), int(refused))
    assert kind in verified.stdout
    assert bool(flyway.try_to("migrate", database, directory)) == refused


def test_a_renamed_file_is_noticed_and_repaired_as_with_flyway(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = fill(tmp_path / "m", FILES)
    assert ran(database, directory, "up").code == 0
    (directory / "V2__t2.sql").rename(directory / "V2__other_name.sql")
    assert findings(database, directory)[0][1] == "changed"
    assert ran(database, directory, "up", validate_on_migrate="false").code == 0
    assert "changed after being applied" in ran(database, directory, "up").stderr
    assert ran(database, directory, "repair").code == 0
    assert ran(database, directory, "verify").code == 0
    flyway.do("validate", database, directory)


def test_out_of_order_and_patterns_count_unless_an_option_says_otherwise(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = fill(tmp_path / "m", {k: v for k, v in FILES.items() if "2" not in k})
    assert ran(database, directory, "up").code == 0
    fill(directory, FILES)
    assert ran(database, directory, "up").code == 1
    assert flyway.try_to("migrate", database, directory)
    assert ran(database, directory, "verify").code == 1
    ignoring = {"ignore_migration_patterns": "*:ignored"}
    assert ran(database, directory, "up", **ignoring).code == 0
    assert ran(database, directory, "verify", **ignoring).code == 0
    flyway.do("migrate", database, directory, flyway__ignoreMigrationPatterns="*:ignored")
    assert [row[0] for row in flyway_rows(database)] == ["1", "3"]
    rejecting = ran(database, directory, "-out-of-order", "reject", "up", out_of_order="true")
    assert rejecting.code == 1
    assert ran(database, directory, "up", out_of_order="true").code == 0
    assert [row[0] for row in flyway_rows(database)] == ["1", "3", "2"]
    (directory / "V1__t1.sql").unlink()
    assert ran(database, directory, "verify").code == 1
    missing = {"ignore_migration_patterns": "versioned:missing"}
    assert ran(database, directory, "verify", **missing).code == 0
    flyway.do("validate", database, directory, flyway__ignoreMigrationPatterns="versioned:missing")


def test_a_target_holds_for_up_alone(database: Database, tmp_path: Path) -> None:
    toml = (
        '[flyway]\ntarget = "2"\nenvironment = "prod"\n[environments.prod]\nschemas = ["public"]\n'
    )
    directory = fill(tmp_path / "m", {**FILES, "flyway.toml": toml})
    assert ran(database, directory, "up").code == 0
    assert ran(database, directory, "version").stderr == "2\n"
    assert ran(database, directory, "up").stderr == "no change\n"
    assert ran(database, directory, "goto", "3").code == 0
    refused = ran(database, directory, "up", target="soon")
    assert "flyway.target is 'soon'" in refused.stderr


@pytest.mark.parametrize(
    "targets",
    [
        ("next", "next", "next", "next"),
        ("current", "1", "current", "latest"),
        ("99", "1", "2.5", "2.5?", "99", "99?", "0"),
    ],
)
def test_a_target_leads_as_far_as_with_flyway(
    flyway: Flyway, server: Server, database: Database, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    directory, other = fill(tmp_path / "m", FILES), server.create_database()
    for target in targets:
        problem = flyway.try_to("migrate", other, directory, flyway__target=target)
        code = ran(database, directory, "up", target=target).code
        assert (code != 0, flyway_rows(database)) == (bool(problem), flyway_rows(other)), target
    other.drop()


def test_an_encoding_and_marks_between_statements_are_read_as_flyway_reads_them(
    flyway: Flyway, database: Database, tmp_path: Path
) -> None:
    mark = "\ufeff"
    directory = fill(
        tmp_path / "m", {"V1__a.sql": f"{mark}CREATE TABLE a ();\n{mark}CREATE TABLE b ();\n"}
    )
    assert ran(database, directory, "up").code == 0
    flyway.do("validate", database, directory)
    text = "CREATE TABLE c AS SELECT 'é' AS x;\n"
    (directory / "V2__c.sql").write_bytes(text.encode("latin-1"))
    wrong = ran(database, directory, "up")
    assert (wrong.code, "V2__c.sql: line 1" in wrong.stderr) == (1, True)
    fill(directory, {"V2__c.sql.conf": "encoding=ISO-8859-1\n"})
    assert ran(database, directory, "up").code == 0
    flyway.do("validate", database, directory)
    assert database.query("SELECT x FROM c") == [("é",)]
    unknown = ran(database, directory, "up", encoding="klingon")
    assert "flyway.encoding is 'klingon', which is not known" in unknown.stderr


def test_repeatables_are_rehearsed_again_with_what_they_have_become(
    database: Database, tmp_path: Path
) -> None:
    view = "CREATE OR REPLACE VIEW v AS SELECT {} AS x;"
    undo = {f"U{n}__t{n}.sql": f"DROP TABLE t{n};" for n in (1, 2, 3)}
    directory = fill(tmp_path / "m", {"V1__t1.sql": FILES["V1__t1.sql"], **undo})
    fill(directory, {"R__v.sql": view.format("1")})
    assert ran(database, directory, "up").code == 0
    fill(directory, {**FILES, "R__v.sql": view.format("2"), "R__a.sql": "SELECT 1;"})
    with Server.start(settings={"max_connections": "20"}) as scratch:
        done = run(
            *("-path", str(directory), "-database", database.url),
            *("-rehearse-on", scratch.url("postgres"), "up"),
            environ={"PATH": str(database.server.bin_dir)},
        )
    assert done.code == 0, done.stderr
    assert database.query("SELECT x FROM v") == [(2,)]
    assert [row[0] for row in flyway_rows(database)] == ["1", None, "2", "3", None, None]


def test_a_schema_that_is_not_there_is_made_as_flyway_makes_it(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = fill(tmp_path / "m", {**FILES, "flyway.conf": "flyway.defaultSchema=app\n"})
    where = ["-path", str(directory), "-database", f"{database.url}&options=-csearch_path%3Dapp"]
    done = run(*where, "up")
    assert done.code == 0, done.stderr
    assert database.query("SELECT count(*) FROM app.flyway_schema_history") == [(3,)]
    assert database.query("SELECT to_regclass('app.t3') IS NOT NULL") == [(True,)]
    flyway.do("validate", database, directory, flyway__defaultSchema="app")


VIEW = {"R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS x;"}


@pytest.mark.parametrize(
    ("gone", "patterns"),
    [
        ("V2__t2.sql", ""),
        ("V2__t2.sql", "*:missing"),
        ("V2__t2.sql", "*:future"),
        ("V3__t3.sql", ""),
        ("V3__t3.sql", "*:missing"),
        ("R__v.sql", ""),
        ("R__v.sql", "repeatable:missing"),
        ("R__v.sql", "versioned:missing"),
    ],
)
def test_a_file_that_is_gone_stops_a_run_where_it_stops_flyways(
    database: Database, tmp_path: Path, flyway: Flyway, gone: str, patterns: str
) -> None:
    """One below the newest, the newest (of a later release, for all that is known), and one that
    has no version."""
    directory = fill(tmp_path / "m", {**FILES, **VIEW})
    assert ran(database, directory, "up").code == 0
    (directory / gone).unlink()
    ours = {"ignore_migration_patterns": patterns} if patterns else {}
    theirs = {"flyway__ignoreMigrationPatterns": patterns} if patterns else {}
    refused = bool(flyway.try_to("validate", database, directory, **theirs))
    assert bool(flyway.try_to("migrate", database, directory, **theirs)) == refused
    verified, done = (ran(database, directory, word, **ours) for word in ("verify", "up"))
    assert (verified.code, done.code) == (int(refused), int(refused)), verified.stdout + done.stderr
    if refused:
        assert "applied, and without a file" in done.stderr
    lenient = ran(database, directory, "up", validate_on_migrate="false", **ours)
    assert lenient.code == 0, lenient.stderr
    if refused:
        assert ran(database, directory, "repair").code == 0
        assert ran(database, directory, "up").code == 0
        flyway.do("validate", database, directory)


def test_a_repeatable_file_that_has_changed_does_not_agree(
    database: Database, tmp_path: Path, flyway: Flyway
) -> None:
    directory = fill(tmp_path / "m", {**FILES, **VIEW})
    assert ran(database, directory, "up").code == 0
    fill(directory, {"R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 2 AS x;"})
    for patterns in ("", "*:missing", "*:pending", "repeatable:pending", "*:*"):
        ours = {"ignore_migration_patterns": patterns} if patterns else {}
        theirs = {"flyway__ignoreMigrationPatterns": patterns} if patterns else {}
        refused = bool(flyway.try_to("validate", database, directory, **theirs))
        assert ran(database, directory, "verify", **ours).code == int(refused), patterns
    assert ran(database, directory, "up").code == 0
    assert ran(database, directory, "verify").code == 0
