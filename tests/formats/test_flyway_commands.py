"""Flyway's files on the command line: dotted versions wherever one is typed or printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.database import Database
from tests.formats.arrange import fill
from tests.formats.flyway_oracle import flyway_rows

pytestmark = pytest.mark.database

FILES = {
    **{f"V1.{n}__t.sql": f"CREATE TABLE t{n} ();" for n in (1, 9, 10)},
    **{f"U1.{n}__t.sql": f"DROP TABLE t{n};" for n in (1, 9, 10)},
}
VIEW = {"R__the_view.sql": "CREATE OR REPLACE VIEW v AS SELECT '${who}' AS who;"}


def where(database: Database, directory: Path) -> list[str]:
    return ["-path", str(directory), "-database", database.url]


def test_versions_are_typed_and_printed_as_flyway_writes_them(
    database: Database, tmp_path: Path
) -> None:
    to = where(database, fill(tmp_path / "m", FILES))
    assert run(*to, "goto", "1.9").code == 0
    assert run(*to, "version").stderr == "1.9\n"
    assert run(*to, "wait", "-version", "1.9.0", "-timeout", "5s").code == 0
    assert run(*to, "wait", "-version", "1.10", "-timeout", "1ms").code == 1
    assert "1.10/u t" in run(*to, "plan").stdout
    assert run(*to, "-json", "up").code == 0
    assert run(*to, "wait", "-version", "1.10", "-timeout", "5s").code == 0
    document = json.loads(run(*to, "-json", "status").stdout)
    assert (document["version"], document["target"]) == ("1.10", "1.10")
    assert [row["version"] for row in document["migrations"]] == ["1.1", "1.9", "1.10"]
    assert run(*to, "down", "1").code == 0
    assert run(*to, "wait", "-version", "1.10", "-timeout", "1ms").code == 1
    assert run(*to, "force", "1.1").code == 0
    assert run(*to, "version").stderr == "1.1\n"
    assert "can't read version argument V" in run(*to, "goto", "1.x").stderr
    assert "no migration found for version 1.5" in run(*to, "goto", "1.5").stderr


def test_a_baseline_is_waited_for_like_any_version(database: Database, tmp_path: Path) -> None:
    to = where(database, fill(tmp_path / "m", FILES))
    assert run(*to, "baseline", "1.9").code == 0
    assert run(*to, "wait", "-version", "1.1", "-timeout", "5s").code == 0
    assert run(*to, "status").stdout.splitlines()[-1] == "version 1.9, latest 1.10, 1 pending"
    assert "it can't be set below" in run(*to, "force", "1.1").stderr


def test_a_plan_is_kept_to_with_repeatables_in_it(database: Database, tmp_path: Path) -> None:
    to = where(database, fill(tmp_path / "m", {**FILES, **VIEW}))
    who = {"FLYWAY_PLACEHOLDERS_WHO": "s3cr3t"}
    planned = run(*to, "-json", "plan", environ=who)
    assert "s3cr3t" not in planned.stdout
    document = json.loads(planned.stdout)
    assert [step["version"] for step in document["plan"]] == ["1.1", "1.9", "1.10", "R"]
    held = ["-plan-checksum", document["planChecksum"]]
    done = run(*to, *held, "up", environ=who)
    assert done.code == 0, done.stderr
    assert "R/u the_view" in done.stderr
    assert database.query("SELECT who FROM v") == [("s3cr3t",)]
    log = database.query("SELECT * FROM flyway_schema_history_log")
    assert "s3cr3t" not in str(log)
    again = run(*to, "status", "-exit-code", environ=who)
    assert again.code == 0, again.stdout
    changed = run(*to, "status", "-exit-code", environ={"FLYWAY_PLACEHOLDERS_WHO": "other"})
    assert (changed.code, "pending, changed" in changed.stdout) == (3, True)
    assert run(*to, *held, "up", environ={"FLYWAY_PLACEHOLDERS_WHO": "other"}).code == 1


def test_flyways_settings_name_the_table(database: Database, tmp_path: Path) -> None:
    settings = {"flyway.conf": "flyway.table=deployments\n"}
    to = where(database, fill(tmp_path / "m", {**FILES, **settings}))
    assert run(*to, "up").code == 0
    assert run(*to, "version").stderr == "1.10\n"
    assert database.query("SELECT count(*) FROM deployments") == [(3,)]
    (tmp_path / "m" / "flyway.conf").write_text("flyway.defaultSchema=app\n")
    refused = run(*to, "version")
    assert "flyway's default schema is app" in refused.stderr
    database.execute("CREATE SCHEMA app")
    there = [*to[:3], f"{database.url}&options=-csearch_path%3Dapp"]
    assert run(*there, "up").code == 0
    assert database.query("SELECT count(*) FROM app.flyway_schema_history") == [(3,)]
    assert database.query("SELECT to_regclass('app.t10') IS NOT NULL") == [(True,)]


def test_a_rehearsal_runs_each_version_and_then_what_repeats(
    database: Database, tmp_path: Path
) -> None:
    view = {"R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS x FROM t1, t9, t10;"}
    to = where(database, fill(tmp_path / "m", {**FILES, **view}))
    assert run(*to, "goto", "1.1").code == 1  # the view needs what comes after
    assert run(*to, "version").stderr == "1.1\n"
    programs = {"PATH": str(database.server.bin_dir)}
    order = ["rehearse", "-dev-url", database.url, "-copy"]
    rehearsed = run(*to, "-json", *order, environ=programs)
    assert rehearsed.code == 0, rehearsed.stderr
    steps = json.loads(rehearsed.stdout)["rehearsal"]
    assert [step["version"] for step in steps] == ["1.9", "1.10", "R"]


def test_rows_of_other_editions_and_of_classes_are_understood(
    database: Database, tmp_path: Path
) -> None:
    to = where(database, fill(tmp_path / "m", FILES))
    assert run(*to, "up").code == 0
    database.execute(
        "INSERT INTO flyway_schema_history VALUES"
        " (4, '2', 'class', 'JDBC', 'V2__class', NULL, 'me', now(), 1, true),"
        " (5, '1.10', 't', 'UNDO_SQL', 'U1.10__t.sql', 7, 'me', now(), 1, true);"
        " DROP TABLE t10"
    )
    assert run(*to, "version").stderr == "2\n"
    late = run(*to, "-json", "verify")
    findings = json.loads(late.stdout)["findings"]
    assert [(each["version"], each["kind"]) for each in findings] == [("1.10", "out of order")]
    fill(tmp_path / "m", {"V3__next.sql": "CREATE TABLE next ();"})
    assert run(*to, "-out-of-order", "apply", "up").code == 0
    rows = flyway_rows(database, "version, type")
    assert rows[-2:] == [("1.10", "SQL"), ("3", "SQL")]


def test_lint_looks_at_repeatable_scripts_too(tmp_path: Path) -> None:
    files = {"R__r.sql": "DROP TABLE ${which};"}
    done = run("-path", str(fill(tmp_path / "m", files)), "lint")
    assert done.code == 1
    assert "R__r.sql:1 error" in done.stdout
    assert "no-down-script" not in done.stdout


def test_create_writes_a_v_and_a_u(tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", FILES)
    made = run("create", "-ext", "sql", "-dir", str(directory), "-seq", "add_phone")
    assert made.stderr.splitlines() == [
        str(directory / "V2__add_phone.sql"),
        str(directory / "U2__add_phone.sql"),
    ]


def leave(database: Database, tmp_path: Path) -> list[str]:
    """A database of Flyway's with two of three versions, and the converted files of all."""
    to = where(database, fill(tmp_path / "m", FILES))
    assert run(*to, "up", "2").code == 0
    done = run("-path", str(tmp_path / "m"), "convert", str(tmp_path / "c"))
    assert done.stdout.splitlines() == [
        "VERSION  NUMBER  NAME",
        "1.1      1       t",
        "1.9      2       t",
        "1.10     3       t",
    ]
    return where(database, tmp_path / "c")


def test_leaving_numbers_the_versions_and_adopts_by_these_numbers(
    database: Database, tmp_path: Path
) -> None:
    to = leave(database, tmp_path)
    adopted = run(*to, "adopt", "-from", "flyway", "-f")
    assert adopted.stderr.splitlines() == [
        "Flyway's public.flyway_schema_history: 2 applied, the highest is 1.9",
        "public.schema_migrations will say: version 2",
    ]
    assert database.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]
    assert run(*to, "up").stderr.startswith("3/u t (")
    assert len(flyway_rows(database)) == 2


def test_adopt_needs_to_know_which_version_became_which_number(
    database: Database, tmp_path: Path
) -> None:
    to = leave(database, tmp_path)
    (tmp_path / "c" / "versions.tsv").unlink()
    refused = run(*to, "adopt", "-from", "flyway", "-f")
    assert refused.code == 1
    assert "give the directory that `dbmigrate convert` has written" in refused.stderr


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (VIEW, "R__the_view.sql runs again whenever it has changed"),
        ({"V1__a.sql": "SELECT '${a}';"}, "takes values from the environment"),
        ({"V1__a.sql": "", "B1__b.sql": ""}, "B1__b.sql stands for V1__a.sql"),
        ({"V1__a.py": ""}, "is a script that only Flyway can run"),
    ],
)
def test_what_cant_be_converted_is_named(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    directory = fill(tmp_path / "m", files)
    done = run("-path", str(directory), "convert", str(tmp_path / "c"))
    assert (done.code, problem in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "c").exists()


def test_a_checkpoint_alone_becomes_the_first_file(tmp_path: Path) -> None:
    files = {"B1.5__all.sql": "CREATE TABLE a ();", "V2__b.sql": "CREATE TABLE b ();"}
    directory = fill(tmp_path / "m", files)
    assert run("-path", str(directory), "convert", str(tmp_path / "c")).code == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "000001_all.up.sql",
        "000002_b.up.sql",
        "versions.tsv",
    ]
