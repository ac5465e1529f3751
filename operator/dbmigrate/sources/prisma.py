"""Prisma's folder of migrations: `20240101120000_users/migration.sql` in each.

They are read to be converted: Prisma's table is no history that we go on in. Prisma has
no down scripts, but its guide shows how to write one beside the other as `down.sql`.
It runs the folders in the order of their names; where that is not the order of their
numbers, they are refused.
"""

from __future__ import annotations

import os
import re
from functools import partial
from itertools import pairwise
from pathlib import Path

from dbmigrate.sources.golang_migrate import LARGEST_VERSION
from dbmigrate.sources.listing import invalid, list_directory, printable
from dbmigrate.sources.migration import Direction, Migration, Script, Source
from dbmigrate.sources.script_file import read_script

UP_FILE, DOWN_FILE = "migration.sql", "down.sql"
_FOLDER = re.compile(r"([0-9]+)_(.*)")


def is_prisma(path: str | os.PathLike[str]) -> bool:
    """Whether the directory holds Prisma's migrations, and no files of its own but the lock."""
    try:
        with os.scandir(path) as entries:
            names = [(e.name, e.is_dir()) for e in entries if not e.name.startswith(".")]
    except OSError:
        return False
    if any(not is_folder and name.endswith((".sql", ".go")) for name, is_folder in names):
        return False
    return any(is_folder and (Path(path) / name / UP_FILE).is_file() for name, is_folder in names)


def parse_folder(text: str) -> tuple[int, str] | None:
    """Version and name of a folder; None for one that begins with no number."""
    found = _FOLDER.fullmatch(text)
    if found is None or len(found[1]) > 20 or int(found[1]) > LARGEST_VERSION:
        return None
    return int(found[1]), found[2]


def read_prisma(path: str | os.PathLike[str]) -> Source:
    """The migrations of all folders. Raises MigrationError (SourceInvalid)."""
    listing = list_directory(path)
    migrations: list[Migration] = []
    for folder in listing.directories:
        place = Path(listing.location) / folder
        if not (place / UP_FILE).is_file():
            continue
        parsed = parse_folder(folder)
        if parsed is None:
            raise invalid(
                listing.location,
                f"{printable(folder)} does not begin with a number that can be a version:"
                " rename the folder, and its row in _prisma_migrations",
            )
        version, name = parsed
        down = _script(place, Direction.DOWN) if (place / DOWN_FILE).is_file() else None
        migrations.append(Migration(version, printable(name), _script(place, Direction.UP), down))
    for before, after in pairwise(migrations):
        if before.version >= after.version:
            raise invalid(
                listing.location,
                f"Prisma sorts by name and runs {before.version}_{before.name} before"
                f" {after.version}_{after.name}: their numbers say otherwise",
            )
    return Source(listing.location, tuple(migrations))


def _script(place: Path, direction: Direction) -> Script:
    file = UP_FILE if direction is Direction.UP else DOWN_FILE
    name = f"{printable(place.name)}/{file}"
    return Script(name, direction, partial(read_script, place / file, name))
