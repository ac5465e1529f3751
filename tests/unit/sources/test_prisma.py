"""Prisma's folders: which are migrations, and which can't be numbered."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.prisma import is_prisma, read_prisma

pytestmark = pytest.mark.quick


def folders(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).mkdir()
        (directory / name / "migration.sql").write_text(f"-- {name}")
    (directory / "migration_lock.toml").write_text("")
    return directory


def test_folders_are_migrations_in_the_order_of_their_names(tmp_path: Path) -> None:
    place = folders(tmp_path, "0_init", "20240101120000_users", "20240202120000_")
    (place / "notes").mkdir()
    assert is_prisma(place)
    source = read_prisma(place)
    assert [(m.version, m.name) for m in source.migrations] == [
        (0, "init"),
        (20240101120000, "users"),
        (20240202120000, ""),
    ]
    up = source.migrations[1].up
    assert up is not None
    assert (up.file, up.load()) == (
        "20240101120000_users/migration.sql",
        b"-- 20240101120000_users",
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("users",), "users does not begin with a number"),
        (("10_b", "9_a"), "Prisma sorts by name and runs 10_b before 9_a"),
        (("1_a", "1_b"), "their numbers say otherwise"),
    ],
)
def test_what_no_number_can_stand_for_is_refused(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(MigrationError, match=said):
        read_prisma(folders(tmp_path, *names))


def test_a_directory_with_files_of_its_own_is_not_prismas(tmp_path: Path) -> None:
    place = folders(tmp_path, "0_init")
    (place / "1_a.up.sql").write_text("")
    assert not is_prisma(place)
    assert not is_prisma(tmp_path / "nowhere")
