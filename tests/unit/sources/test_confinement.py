"""A source that is held to a directory shows no file outside of it, whatever its links are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.confinement import confined_to
from dbmigrate.sources.convert import NUMBERS, read_numbers
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format, Source
from dbmigrate.sources.script_file import read_file
from tests.unit.cli.test_main import ran

pytestmark = pytest.mark.quick

CANARY = "canary-7f3a"
NAMES = {
    Format.GOLANG_MIGRATE: "000001_a.up.sql",
    Format.GOOSE: "00001_a.sql",
    Format.DBMATE: "1_a.sql",
    Format.ATLAS: "1_a.sql",
    Format.FLYWAY: "V1__a.sql",
}


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """An empty directory beside one with a secret, in a file of each name that is read."""
    outside = tmp_path / "mount-of-a-secret"  # its path begins like the mount's
    outside.mkdir()
    for name in (*NAMES.values(), "flyway.conf", "atlas.sum", "V1__a.sql.conf"):
        (outside / name).write_text(f"flyway.target={CANARY}\n")
    mount = tmp_path / "mount"
    mount.mkdir()
    return mount


def read_all(path: Path, kind: Format | None) -> Source:
    source = read_source(path, kind, {})
    for migration in source.migrations:
        if migration.up is not None:
            migration.up.load()
    return source


def refused(read: Callable[[], object], mount: Path, name: str) -> None:
    with confined_to(str(mount)), pytest.raises(MigrationError) as caught:
        read()
    assert caught.value.reason is Reason.SOURCE_INVALID
    assert name in str(caught.value)
    assert "leads outside" in str(caught.value)
    assert CANARY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("target", ["../mount-of-a-secret/{}", "/proc/self/environ"])
@pytest.mark.parametrize(("kind", "name"), NAMES.items())
def test_a_link_to_a_file_outside_is_refused(
    mount: Path, kind: Format, name: str, target: str, is_named: bool
) -> None:
    (mount / name).symlink_to(target.format(name))
    refused(lambda: read_all(mount, kind if is_named else None), mount, name)


def test_the_numbers_of_converted_files_are_not_read_from_elsewhere(mount: Path) -> None:
    (mount / NUMBERS).symlink_to("../mount-of-a-secret/flyway.conf")
    refused(lambda: read_numbers(mount, Format.FLYWAY), mount, NUMBERS)


@pytest.mark.parametrize("name", ["flyway.conf", "V1__a.sql.conf", "atlas.sum"])
def test_so_is_what_lies_beside_the_scripts(mount: Path, name: str) -> None:
    kind = Format.ATLAS if name == "atlas.sum" else Format.FLYWAY
    (mount / NAMES[kind]).write_text("SELECT 1;\n")
    (mount / name).symlink_to(f"../mount-of-a-secret/{name}")
    refused(lambda: read_all(mount, kind), mount, name)


def test_so_is_a_directory_below(mount: Path) -> None:
    (mount / "below").symlink_to("../mount-of-a-secret")
    refused(lambda: read_all(mount, Format.FLYWAY), mount, "below")


def test_so_is_the_directory_itself(mount: Path) -> None:
    (mount / "sub").symlink_to("/")
    refused(lambda: read_all(mount / "sub", None), mount, "sub")


def test_links_within_stay_legal_as_those_of_a_mounted_config_map(mount: Path) -> None:
    content = mount / "..2026_11_30"
    content.mkdir()
    (content / "000001_a.up.sql").write_text("SELECT 1;\n")
    (mount / "..data").symlink_to(content.name)
    (mount / "000001_a.up.sql").symlink_to("..data/000001_a.up.sql")
    with confined_to(str(mount)):
        source = read_all(mount, None)
    assert [migration.version for migration in source.migrations] == [1]


def test_without_a_limit_links_lead_anywhere(mount: Path) -> None:
    (mount / "000001_a.up.sql").symlink_to("../mount-of-a-secret/000001_a.up.sql")
    with confined_to(str(mount)):
        pass
    (migration,) = read_all(mount, None).migrations
    assert migration.up is not None
    assert CANARY in migration.up.load().decode()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the kernel names no descriptor")
def test_a_link_that_appears_after_the_look_at_the_path_is_refused(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "000001_a.up.sql"
    file, real = mount / name, os.path.realpath
    file.write_text("SELECT 1;\n")

    def resolve_and_swap(path: str) -> str:
        found = real(path)
        if path == str(file):
            file.unlink()
            file.symlink_to(f"../mount-of-a-secret/{name}")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os.path, "realpath", lambda path: resolve_and_swap(os.fspath(path)))
        refused(lambda: read_file(file, name), mount, name)
    assert file.is_symlink()


def test_the_program_takes_the_directory_from_its_environment(mount: Path) -> None:
    name = NAMES[Format.GOOSE]  # its files are looked into before the database is
    (mount / name).symlink_to(f"../mount-of-a-secret/{name}")
    done = ran(
        "-path", str(mount), "-database", "postgres://db.invalid/a", "plan",
        environ={"DBMIGRATE_CONFINED_TO": str(mount)},
    )  # fmt: skip
    assert done.code == 1
    assert f"{name} leads outside" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_directory_that_does_not_exist_is_said_to_be_missing(mount: Path) -> None:
    with confined_to(str(mount / "nowhere")), pytest.raises(MigrationError) as caught:
        read_all(mount, Format.GOLANG_MIGRATE)
    assert "nowhere" in str(caught.value)
    assert "does not exist" in str(caught.value)
