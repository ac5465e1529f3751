"""A command imports what it uses and nothing else: its start is part of every run's time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database import Database

IMPORTS = Path(__file__).with_name("imports_of_up.txt")
"""What `up` imports of ours where nothing is pending."""
SLOW = {
    "psycopg",
    "psycopg.pq",
    "postgast",
    "asyncio",
    "argparse",
    "inspect",
    "logging",
    "ssl",
    "socket",
    "subprocess",
}

PROBE = """
import json, os, sys
sys.argv = json.loads(sys.argv[1])
from dbmigrate.cli import main as program
os._exit = lambda code: (print(json.dumps([code, sorted(sys.modules)])), sys.stdout.flush())
program.main()
"""
RECORDS = """
import sys
from dbmigrate.runner import perform
from dbmigrate.report import Outcome, Report
Report(command="up", outcome=Outcome.UP_TO_DATE, version=None, dirty=None).to_json()
print(sum(
    "__dataclass_fields__" in vars(kind) and kind.__module__ == name
    for name, module in sys.modules.items() if name.startswith("dbmigrate")
    for kind in vars(module).values() if isinstance(kind, type)
))
"""


def imported(*args: str, cwd: Path) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(["dbmigrate", *args])],
        cwd=cwd,
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("args", [["-version"], ["-help"], ["up", "-help"], ["ups"], ["drop"]])
def test_what_needs_no_database_loads_nothing_that_is_slow(args: list[str], tmp_path: Path) -> None:
    _, modules = imported(*args, cwd=tmp_path)
    assert not modules & (SLOW | {"dataclasses"})
    assert not {name for name in modules if name.startswith("dbmigrate.runner")}


def test_create_loads_neither_the_runner_nor_psycopg(tmp_path: Path) -> None:
    code, modules = imported("create", "-ext", "sql", "-seq", "users", cwd=tmp_path)
    assert code == 0
    assert not modules & (SLOW - {"inspect"})
    assert not {name for name in modules if name.startswith("dbmigrate.runner")}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001_users.down.sql",
        "000001_users.up.sql",
    ]


def test_a_mistyped_url_is_told_without_loading_psycopg(tmp_path: Path) -> None:
    code, modules = imported("-database", "mysql://db", "version", cwd=tmp_path)
    assert code == 1
    assert not {name for name in modules if name.startswith("psycopg")}


@pytest.mark.database
@pytest.mark.parametrize("command", ["up", "status", "version", "verify"])
def test_what_does_not_analyse_loads_no_parser(
    database: Database, tmp_path: Path, command: str
) -> None:
    (tmp_path / "1_x.up.sql").write_text("CREATE TABLE x (a int);")
    args = ["-path", ".", "-database", database.url]
    imported(*args, "up", cwd=tmp_path)
    code, modules = imported(*args, command, cwd=tmp_path)
    assert code == 0
    assert not {name for name in modules if "syntax_tree" in name or "postgast" in name}


@pytest.mark.database
def test_lint_before_a_run_loads_the_parser_alone(database: Database, tmp_path: Path) -> None:
    (tmp_path / "1_x.up.sql").write_text("CREATE TABLE x (a int);\nDROP TABLE x;\n")
    args = ["-path", ".", "-database", database.url, "-lint", "warn", "up"]
    code, modules = imported(*args, cwd=tmp_path)
    assert code == 0
    assert {name for name in modules if name.startswith("postgast")} == {"postgast.native"}
    assert not {name for name in modules if name.startswith("google")}
    assert len(modules) <= 358


@pytest.mark.parametrize("command", ["up", "status"])
def test_only_the_module_of_the_command_is_loaded(command: str, tmp_path: Path) -> None:
    _, modules = imported("-path", "missing", command, cwd=tmp_path)
    loaded = {name for name in modules if name.startswith("dbmigrate.cli.commands.")}
    assert loaded == {f"dbmigrate.cli.commands.{command}"}


@pytest.mark.database
def test_a_run_that_finds_nothing_to_do_imports_these_modules(
    database: Database, tmp_path: Path
) -> None:
    """A module that is added to the list makes every run slower: import it where it is used."""
    (tmp_path / "1_x.up.sql").write_text("CREATE TABLE x (a int);")
    args = ["-path", ".", "-database", database.url, "up"]
    imported(*args, cwd=tmp_path)
    code, modules = imported(*args, cwd=tmp_path)
    assert code == 0
    ours = sorted(name for name in modules if name.partition(".")[0] == "dbmigrate")
    assert ours == IMPORTS.read_text().split()
    bindings = {name for name in modules if name.startswith("psycopg")}
    assert not bindings & {"psycopg", "psycopg.connection", "psycopg.cursor", "psycopg.types"}
    assert len(modules) <= 294


def test_a_report_is_written_without_the_classes_of_its_rare_parts() -> None:
    """Each dataclass costs a run's start about a millisecond."""
    done = subprocess.run(
        [sys.executable, "-c", RECORDS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= 38
