"""action.yml, run step by step as GitHub's runner would, on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.database import Database

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
INSTALL, RUN = ACTION["runs"]["steps"]


@dataclass(frozen=True, slots=True)
class Runner:
    """What a job's machine has: a checkout, a scratch directory, the installed program."""

    workspace: Path
    temp: Path

    def run(self, **inputs: str) -> tuple[int, dict[str, str], str]:
        """The exit code of the second step, the action's outputs, and what it printed."""
        run, written = self._step(RUN, inputs)
        outputs = {}
        for name, output in ACTION["outputs"].items():
            step = re.fullmatch(r"\$\{\{ steps\.run\.outputs\.(\w+) \}\}", output["value"])
            assert step is not None
            outputs[name] = written[step[1]]
        return run.returncode, outputs, run.stdout + run.stderr

    def install(self) -> None:
        """The first step."""
        run, _ = self._step(INSTALL, {})
        assert run.returncode == 0, run.stderr

    def _step(
        self, step: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        output = self.temp / "output"
        output.write_text("")
        values = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
        values |= inputs

        def fill(text: str) -> str:
            text = text.replace("${{ runner.temp }}", str(self.temp))
            return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: values[found[1]], text)

        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTION_PATH": str(self.temp / "action"),
            "GITHUB_OUTPUT": str(output),
            **{name: fill(value) for name, value in step.get("env", {}).items()},
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }
        # `shell: bash` is this, in GitHub's own words.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        run = subprocess.run(
            command,
            env=environment,
            cwd=self.workspace,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        return run, dict(line.split("=", 1) for line in output.read_text().splitlines())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch directory in which the action has been installed from a copy of the repository."""
    temp = tmp_path_factory.mktemp("machine")
    action = temp / "action"
    action.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, action)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "operator", action / "operator", ignore=ignored)
    Runner(temp, temp).install()
    return temp


@pytest.fixture
def runner(machine: Path, tmp_path: Path) -> Runner:
    """A job with a checkout of the example's migrations."""
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    return Runner(tmp_path, machine)


def test_the_action_migrates_and_says_what_came_of_it(runner: Runner, database: Database) -> None:
    code, outputs, said = runner.run(database=database.url)
    assert (code, outputs["outcome"], outputs["version"]) == (0, "Applied", "2"), said
    report = json.loads(outputs["report"])
    assert [step["version"] for step in report["steps"]] == ["1", "2"]
    code, outputs, _ = runner.run(database=database.url, command="down 1", options="-verbose")
    assert (code, outputs["outcome"], outputs["version"]) == (0, "RolledBack", "1")


def test_a_migration_that_fails_fails_the_job_and_is_still_reported(
    runner: Runner, database: Database
) -> None:
    (runner.workspace / "migrations" / "000003_broken.up.sql").write_text("ALTER TABLE nothing;")
    code, outputs, said = runner.run(database=database.url)
    assert (code, outputs["outcome"], outputs["version"]) == (1, "Failed", "2")
    assert "000003_broken.up.sql:1" in said
    assert json.loads(outputs["report"])["error"]["reason"] == "StatementFailed"


@pytest.mark.parametrize("command", ["up; touch pwned", "up $(touch pwned)", "up `touch pwned`"])
def test_an_input_is_no_command_of_the_shell(
    runner: Runner, database: Database, command: str
) -> None:
    code, outputs, _ = runner.run(database=database.url, command=command)
    assert (code != 0, outputs["outcome"]) == (True, "Failed")
    assert not (runner.workspace / "pwned").exists()
    code, _, _ = runner.run(database=database.url, path="$(touch pwned)")
    assert code == 1
    assert not (runner.workspace / "pwned").exists()
