"""The image does what its users rely on, with its root file system read-only."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.cloud import aws
from tests.database import Database
from tests.image.build import ROOT, Builder, ImageUnavailable, kept_builder, require_tools

pytestmark = [pytest.mark.database, pytest.mark.timeout(900)]

TAG = "localhost/dbmigrate:test"
USER = "65532:65532"
PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """The image, built from the Dockerfile; skipped loudly where it can't be."""
    try:
        require_tools()
    except ImageUnavailable as problem:
        pytest.skip(f"NOT TESTED, the image can't be built here: {problem}")
    with kept_builder() as made:
        try:
            build = made.take("build", "ca-certificates")
            runtime = made.take("runtime", "ca-certificates", "python3")
        except ImageUnavailable as problem:
            pytest.skip(f"NOT TESTED, the image can't be built here: {problem}")
        bases = {"BUILD_IMAGE": build, "RUNTIME_IMAGE": runtime}
        made.build(TAG, layers=True, **bases, VERSION="9.8.7", REVISION="abc")
        yield made
        made.run("rmi", TAG)


@pytest.fixture(scope="module")
def root(builder: Builder) -> Iterator[Path]:
    """The root directory of a container."""
    with builder.mounted(TAG) as directory:
        (directory / "data").mkdir()
        yield directory


def run(root: Path, *command: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it as the image's user with a read-only root; `data` is mounted writable at /data."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"'
    if data is not None:
        script += ' && mount --bind "$2" "$1/data"'
    script += ' && mount -t proc proc "$1/proc" && root=$1 && shift 2'
    script += f' && exec chroot --userspec {USER} "$root" /usr/bin/env -i HOME=/ PATH={PATH} "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(root), str(data or ""), *command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_image_says_what_it_is_and_runs_as_nobody(builder: Builder) -> None:
    config = builder.inspect(TAG)
    assert config["User"] == USER
    assert config["Entrypoint"] == ["/usr/local/bin/dbmigrate"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == "9.8.7"
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_programs_say_the_version_that_the_image_was_built_as(root: Path) -> None:
    assert run(root, "dbmigrate", "-version").stderr == "9.8.7\n"


def test_it_stands_in_for_migrate_migrate(root: Path, database: Database) -> None:
    (root / "migrations").mkdir()
    for path in (ROOT / "migrations").iterdir():
        shutil.copy(path, root / "migrations")
    command = ["migrate", "-path", "/migrations", "-database", database.url]
    applied = run(root, *command, "up")
    assert applied.returncode == 0, applied.stderr
    assert "2/u add_user_phone" in applied.stderr
    assert run(root, *command, "version").stderr == "2\n"


def test_pg_dump_of_the_newest_major_makes_its_backups(
    root: Path, database: Database, tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    database.execute("CREATE TABLE t (id int)")
    made = run(root, "dbmigrate", "-database", database.url, "backup", "/data/x.dump", data=place)
    assert made.returncode == 0, made.stderr
    assert (place / "x.dump").stat().st_size > 0
    assert run(root, "pg_dump", "--version").stdout.startswith("pg_dump (PostgreSQL) 18")
    for program in ("psql", "pg_restore"):
        assert run(root, program, "--version").returncode == 0


def test_a_directory_of_somebody_else_is_told_with_its_owner_and_ours(
    root: Path, database: Database, tmp_path: Path
) -> None:
    tmp_path.chmod(0o750)
    tried = run(root, "dbmigrate", "-database", database.url, "backup", "/data/", data=tmp_path)
    assert tried.returncode != 0
    assert "this process has uid 65532 and gid 65532; /data" in tried.stderr
    assert "belongs to uid 0 and gid 0 with mode 0750" in tried.stderr
    assert "chown" in tried.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_authorities_of_the_machine_are_found(root: Path) -> None:
    find = "import os; from dbmigrate.postgres.connection.certificates import *;"
    script = f"{find} print(name_system_bundle(), os.environ['SSL_CERT_FILE'])"
    found = run(root, "/opt/dbmigrate/bin/python", "-c", script)
    assert found.stdout.split() == ["True", "/etc/ssl/certs/ca-certificates.crt"], found.stderr


def test_a_project_file_of_atlas_is_read_in_it(root: Path, database: Database) -> None:
    place = root / "project"
    place.mkdir()
    (place / "1_a.sql").write_text("CREATE TABLE a ();")
    renew_sum(place, Format.ATLAS)
    text = f'env "ci" {{\n  url = "{database.url}"\n  migration {{ dir = "file:///project" }}\n}}\n'
    (place / "atlas.hcl").write_text(text)
    words = ["dbmigrate", "atlas", "migrate", "apply", "--env", "ci"]
    applied = run(root, *words, "--config", "file:///project/atlas.hcl")
    assert applied.returncode == 0, applied.stderr
    assert applied.stderr.startswith("1/u a (")


def test_it_logs_in_as_an_identity_of_each_provider(root: Path, database: Database) -> None:
    """Of AWS by a ServiceAccount's role, for which botocore describes the service in it."""
    authority, place = trustme.CA(), root / "identity"
    place.mkdir(mode=0o755)
    authority.cert_pem.write_to_path(str(place / "roots.pem"))
    account = aws.Account()
    with aws.rds(database, account, authority, Path("/identity/roots.pem")) as instance:
        with aws.from_service_account(account, place) as environ:
            environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/identity/service-account-token"
            said = run(
                root,
                *(f"{name}={value}" for name, value in environ.items()),
                *("dbmigrate", "-identity", "aws", "-database", instance.url(), "version"),
            )
    assert said.stderr == "error: no migration\n", said.stderr
    assert instance.gate.tokens
    for words, error in (
        (("NO_GCE_CHECK=true", "dbmigrate", "-identity", "gcp"), "DefaultCredentialsError"),
        (
            ("AZURE_TOKEN_CREDENTIALS=EnvironmentCredential", "dbmigrate", "-identity", "azure"),
            "ClientAuthenticationError",
        ),
    ):
        url = "postgres://team@localhost/shop?sslmode=require"
        told = run(root, *words, "-database", url, "version").stderr
        assert told.startswith(f"error: no token of {words[-1]}: {error}"), told


def test_the_operator_is_in_it(root: Path) -> None:
    asked = run(root, "dbmigrate-operator", "--help")
    assert "Migrates PostgreSQL databases" in asked.stdout


def test_nothing_of_the_build_is_left_in_it(root: Path) -> None:
    installed = root / "opt" / "dbmigrate"
    assert not list(installed.glob("bin/pip*"))
    assert not (root / "tools").exists()
    assert not (root / "build").exists()
    modes = [path.lstat().st_mode for path in installed.rglob("*")]
    assert not [mode for mode in modes if mode & 0o6000]
    sources = list(installed.rglob("dbmigrate/**/*.py"))
    assert sources
    assert all(list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc")) for path in sources)
