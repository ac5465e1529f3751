"""Workflow files are what their services take, and what security linters pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database.oracle import OracleUnavailable, find_actionlint

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
USERS_WORKFLOW = ROOT / "examples" / "ci" / "github.yml"
SCHEMAS = [
    *(("github-workflows", path) for path in (*WORKFLOWS, USERS_WORKFLOW)),
    ("github-actions", ROOT / "action.yml"),
    ("gitlab-ci", ROOT / "examples" / "ci" / "gitlab.yml"),
    ("compose-spec", ROOT / "compose.yaml"),
]
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def check(*command: str | Path) -> None:
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("schema", "path"), SCHEMAS, ids=lambda value: getattr(value, "name", value)
)
def test_a_file_is_what_its_service_takes(schema: str, path: Path) -> None:
    check(PROGRAMS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", path)


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    try:
        program = find_actionlint()
    except OracleUnavailable as problem:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT TESTED: {problem}")
    check(program, "-no-color", *WORKFLOWS, USERS_WORKFLOW)


def test_zizmor_finds_nothing_that_an_attacker_could_use() -> None:
    check(PROGRAMS / "zizmor", "--offline", "--no-progress", *WORKFLOWS, ROOT / "action.yml")


@pytest.mark.parametrize("path", [*WORKFLOWS, USERS_WORKFLOW], ids=lambda path: path.name)
def test_what_others_wrote_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    ours = "dbmigrate/dbmigrate@v0.1.0"
    assert [line for line in used if line != ours and not PINNED.fullmatch(line)] == []
