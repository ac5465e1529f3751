"""`--format '{{ json . }}'`: the documents of Atlas, with Atlas itself as the judge."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cli.program import run_here as run
from tests.database import Database, Server
from tests.formats.arrange import fill

pytestmark = pytest.mark.database

FILES = {
    "1_a.sql": 'CREATE TABLE a (x int);\n-- why\nINSERT INTO a VALUES (0); SELECT "x" FROM a;\n',
    "2_b.sql": "CREATE TABLE b (x int);\nDROP TABLE b;",
    "3_c_d.sql": "-- atlas:txmode none\n\nSELECT 1;\n SELECT 'e',\n  1/x FROM a;\nSELECT 2;",
    "4.sql": "SELECT 4;",
}
TIMES = {"Start", "End", "ExecutedAt", "ExecutionTime", "OperatorVersion", "Dir"}
"""And the directory, which 0.13.1 wrote as a path: test_atlas_sessions.py has it as 1.2.3 does."""


def without_times(told: str) -> Any:
    """A document without what differs from run to run, or the text that is none."""
    try:
        document = json.loads(told)
    except ValueError:
        return told

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            if "Total" in value and value.get("Applied") == value["Total"]:
                # A row that is complete by now keeps its old error with Atlas, not with us.
                value = {**value, "Error": None, "ErrorStmt": None}
            return {name: strip(each) for name, each in value.items() if name not in TIMES}
        return [strip(each) for each in value] if isinstance(value, list) else value

    document = strip(document)
    if isinstance(document, dict) and "Error" in document:
        # Atlas wraps its errors once more in a transaction, and once less in a newer version.
        text = document["Error"].rpartition("sql/migrate: ")[2]
        document["Error"] = text.removeprefix("execute: ")
    return document


def tell(
    server: Server,
    directory: Path,
    command: str,
    work: Callable[..., tuple[int, str]],
) -> list[tuple[int, Any]]:
    """What a program says of a database that goes through all there is to be told."""
    database = server.create_database()
    told: list[tuple[int, Any]] = []

    def call(name: str, *words: str) -> None:
        where = (name, "--dir", f"file://{directory}", "--url", database.url)
        told.append(work("migrate", *where, *words))

    form = ("--format", "{{ json . }}")
    if command == "apply":
        call("apply", "--dry-run", *form)
        call("apply", "1", *form)
        call("apply", *form)
        call("apply", *form)
        database.execute("UPDATE a SET x = 3")
        call("apply", "1", *form)
        call("apply", *form)
        call("apply", *form)
    else:
        for step in ("none", "1", "all", "mended"):
            if step == "mended":
                database.execute("UPDATE a SET x = 3")
            if step != "none":
                work(
                    "migrate",
                    "apply",
                    *([step] if step == "1" else []),
                    "--dir",
                    f"file://{directory}",
                    "--url",
                    database.url,
                )
            call("status", *form)
    hidden = database.url.rpartition("/")[2].partition("?")[0]
    database.drop()
    # The driver of 0.13.1 did not say the SQLSTATE yet.
    plain = [(code, re.sub(r" \(\w{5}\)", "", said.replace(hidden, "DB"))) for code, said in told]
    return [(code, without_times(said)) for code, said in plain]


@pytest.mark.parametrize("command", ["apply", "status"])
def test_a_document_is_what_it_is_with_atlas(
    server: Server, tmp_path: Path, atlas_oracle: Path, command: str
) -> None:
    directory = fill(tmp_path / "m", FILES)
    renew_sum(directory, Format.ATLAS)

    def theirs(*words: str) -> tuple[int, str]:
        ran = subprocess.run(
            [str(atlas_oracle), *words], capture_output=True, text=True, check=False
        )
        return ran.returncode, ran.stdout

    def ours(*words: str) -> tuple[int, str]:
        ran = run("atlas", *words)
        return ran.code, ran.stdout

    expected = tell(server, directory, command, theirs)
    told = tell(server, directory, command, ours)
    for mine, wanted in zip(told, expected, strict=True):
        assert mine == wanted


def test_what_fails_before_there_is_a_plan_is_an_error_without_a_document(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", FILES)
    where = ("--dir", f"file://{directory}", "--url", database.url, "--format", "{{ json . }}")
    unhashed = run("atlas", "migrate", "apply", *where)
    assert (unhashed.code, unhashed.stdout) == (1, "")
    assert "checksum file not found" in unhashed.stderr
    renew_sum(directory, Format.ATLAS)
    database.execute("CREATE TABLE mine ()")
    unclean = run("atlas", "migrate", "apply", *where)
    assert (unclean.code, unclean.stdout) == (1, "")
    assert 'not clean: found schema "public"' in unclean.stderr


def test_another_template_is_refused_before_anything_is_run(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {"1_a.sql": FILES["1_a.sql"]})
    renew_sum(directory, Format.ATLAS)
    where = ("--dir", f"file://{directory}", "--url", database.url)
    refused = run("atlas", "migrate", "apply", *where, "--format", "{{ .Pending }}")
    assert (refused.code, refused.stdout) == (1, "")
    assert "--format: the only template is '{{ json . }}'" in refused.stderr
    assert database.query("SELECT pg_catalog.to_regclass('a')") == [(None,)]


def test_a_document_stands_alone_and_holds_no_secret_of_the_url(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {"1_a.sql": "SELECT 1;"})
    renew_sum(directory, Format.ATLAS)
    address = database.url.partition("://")[2].rpartition("@")[2]
    url = f"postgres://postgres:s3/cr3t@{address}&sslpassword=s3cr3t"
    words = ("--dir", f"file://{directory}", "--url", url, "--format", "{{ json . }}")
    for command in ("status", "apply"):
        told = run("atlas", "migrate", command, *words)
        assert (told.code, told.stderr) == (0, "")
        assert json.loads(told.stdout)
        assert "cr3t" not in told.stdout + told.stderr


def test_lint_tells_its_findings_under_the_codes_of_atlas(
    server: Server, tmp_path: Path, atlas_oracle: Path
) -> None:
    files = {
        "1_a.sql": "CREATE TABLE a (x int, y int);\n",
        "2_b.sql": "CREATE TABLE b (x int);\n  ALTER TABLE a DROP COLUMN x;\nDROP TABLE a;\n",
        "3_c.sql": "SELECT 1;\n",
    }
    directory = fill(tmp_path / "m", files)
    renew_sum(directory, Format.ATLAS)
    dev = server.create_database()
    where = ("--dir", f"file://{directory}", "--dev-url", dev.url)
    words = ("migrate", "lint", *where, "--latest", "2", "--format")
    line = [str(atlas_oracle), *words]
    theirs = subprocess.run([*line, "{{ json . }}"], capture_output=True, text=True, check=False)
    ours = run("atlas", *words, "{{ json . }}")
    assert (ours.code, theirs.returncode) == (1, 1)

    def places(told: str) -> dict[str, set[tuple[int, str]]]:
        return {
            file["Name"]: {
                (each["Pos"], each["Code"])
                for report in file.get("Reports", ())
                for each in report["Diagnostics"]
                if each["Code"].startswith("DS")
            }
            for file in json.loads(told)["Files"]
        }

    assert places(ours.stdout) == places(theirs.stdout)
    assert places(ours.stdout)["2_b.sql"] == {(26, "DS103"), (55, "DS102")}

    def texts(told: str) -> tuple[Any, ...]:
        file = json.loads(told)["Files"][0]
        return file["Name"], file["Error"], [report["Text"] for report in file["Reports"]]

    assert texts(ours.stdout) == texts(theirs.stdout)
    dev.drop()
