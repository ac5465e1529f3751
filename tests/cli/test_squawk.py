"""squawk's findings in lint's report, by squawk's own program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.lint.script import judge_script
from dbmigrate.lint.source import LintedScript
from dbmigrate.lint.squawk import PASSED_OVER, ask_squawk, find_squawk
from tests.cli.program import Ran, run
from tests.database import Database

GOOSE = """-- +goose Up
CREATE TABLE t (
    id bigint PRIMARY KEY,
    code char(3)
);

-- +goose Down
DROP TABLE t;
"""


def lint(path: Path, *words: str, **environ: str) -> Ran:
    return run("-path", str(path), *words, "lint", "-squawk", "-output", "json", environ=environ)


def found(ran: Ran) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    return findings


def test_a_finding_of_squawks_stands_among_ours_with_the_files_own_line(tmp_path: Path) -> None:
    (tmp_path / "00001_t.sql").write_text(GOOSE)
    (finding,) = found(lint(tmp_path))
    assert (finding["rule"], finding["severity"]) == ("squawk:ban-char-field", "warning")
    assert (finding["file"], finding["line"]) == ("00001_t.sql", 4)
    assert finding["remedy"]
    assert found(run("-path", str(tmp_path), "lint", "-output", "json")) == []


def test_what_our_rules_say_and_what_the_runner_sees_to_is_not_said_twice() -> None:
    text = (
        "ALTER TABLE t ADD COLUMN n int NOT NULL;\nCREATE INDEX i ON t (n);\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0);\nDROP TABLE o;\n"
        "ALTER TABLE t RENAME n TO m;\nALTER TABLE t ALTER m TYPE bigint;\n"
        "TRUNCATE u CASCADE;\nALTER TABLE t ADD CONSTRAINT u UNIQUE (m);\n"
        "ALTER TABLE w DETACH PARTITION p;\nREINDEX TABLE t;\n"
    )
    script = LintedScript("1_a.up.sql", text.encode())
    said = {each.rule.name for each in ask_squawk([script]).get(script.file, ())}
    assert said == {"squawk:prefer-bigint-over-int"}
    lines = {each.line for each in judge_script(script.sql, script.file)}
    assert lines >= set(range(1, 11))


def test_both_kinds_of_ignore_comments_are_heeded(tmp_path: Path) -> None:
    parts = [
        "CREATE TABLE a (\n  -- squawk-ignore ban-char-field\n  c char(3)\n);",
        "-- dbmigrate:ignore squawk:ban-char-field three letters, always\n"
        "CREATE TABLE b (\n  c char(3)\n);",
        "CREATE TABLE d (\n  c char(3)\n);",
    ]
    file = tmp_path / "1_a.up.sql"
    file.write_text("\n".join(parts))
    (tmp_path / "1_a.down.sql").write_text("SELECT 1;")
    assert [(each["rule"], each["line"]) for each in found(lint(tmp_path))] == [
        ("squawk:ban-char-field", 10)
    ]
    file.write_text("-- dbmigrate:ignore-file squawk:ban-char-field\nSELECT 1;")
    (unused,) = found(lint(tmp_path))
    assert (unused["rule"], "squawk:ban-char-field" in unused["message"]) == ("ignore-unused", True)
    assert found(run("-path", str(tmp_path), "lint", "-output", "json")) == []


def test_a_file_that_squawk_cant_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("CREATE TABLE t (a bigint);\nCOPY t FROM stdin;\n1\n\\.\n")
    (tmp_path / "1_a.down.sql").write_text("SELECT 1;")
    ran = lint(tmp_path)
    assert ran.code == 0
    (finding, *_) = found(ran)
    assert (finding["rule"], finding["severity"]) == ("squawk:syntax-error", "warning")
    assert "squawk can't read the file" in finding["message"]


def test_each_script_is_told_whether_it_is_one_transaction() -> None:
    scripts = [
        LintedScript("1", b"CREATE INDEX CONCURRENTLY i ON t (a);"),
        LintedScript("2", b"SELECT 1; COMMIT;"),
        LintedScript(
            "4",
            b"-- dbmigrate:batched start=0\nUPDATE t SET a = 1 WHERE id IN"
            b" (SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT :batch_size) RETURNING id;",
        ),
        LintedScript("3", b"CREATE TABLE t (a timestamp);"),
    ]
    said = ask_squawk(scripts)
    assert [each.rule.name for each in said["3"]] == ["squawk:prefer-timestamp-tz"]
    assert not {"1", "4"} & said.keys()


def test_a_missing_program_is_an_error_that_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    script = (
        "import sys; sys.executable = sys.argv.pop(1);"
        " from dbmigrate.cli.main import main; sys.exit(main())"
    )
    words = ["-c", script, str(python), "-path", str(tmp_path), "lint", "-squawk"]
    ran = run(*words, program=Path(sys.executable), environ={"PATH": str(python.parent)})
    assert ran.code == 1
    assert "squawk is not installed" in ran.stderr
    assert "pip install 'dbmigrate[lint]'" in ran.stderr


def test_a_program_that_says_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    fake = tmp_path / "bin" / "squawk"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 2\n")
    fake.chmod(0o755)
    ran = lint(tmp_path, PATH=f"{fake.parent}:{os.environ['PATH']}")
    assert ran.code == 1
    assert "squawk does not work (exit code 2): no such option" in ran.stderr


@pytest.mark.database
def test_the_version_of_the_database_is_told(database: Database, tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    fake = tmp_path / "bin" / "squawk"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\necho '[]'\n")
    fake.chmod(0o755)
    words = ["-path", str(tmp_path), "-database", database.url, "lint", "-squawk", "-sizes"]
    ran = run(*words, environ={"PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert ran.code == 0, ran.stderr
    ((number,),) = database.query("SELECT current_setting('server_version_num')::int")
    asked = (tmp_path / "asked").read_text()
    assert f"--assume-in-transaction --pg-version={number // 10000}.{number % 10000}" in asked


def test_only_rules_that_squawk_has_are_passed_over() -> None:
    known = Path(find_squawk()).read_bytes()
    assert [name for name in PASSED_OVER if name.encode() not in known] == []


def test_squawks_own_settings_hold(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("CREATE TABLE t (c char(3));")
    (tmp_path / "1_a.down.sql").write_text("SELECT 1;")
    words = ["-path", ".", "lint", "-squawk", "-output", "json"]
    assert len(found(run(*words, cwd=tmp_path))) == 1
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-char-field"]\n')
    assert found(run(*words, cwd=tmp_path)) == []
