"""Writes the migrations of another format as golang-migrate's pairs of files.

Every migration is read before anything is written: one that cannot be converted
leaves no half of the others behind. Lines before a script's first SQL or comment are
removed; a script that is a file of its own (Prisma's) is copied byte for byte.
Versions that are no numbers are numbered from 1 in their order; the mapping is written
beside the files, where `adopt` reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.confinement import open_inside
from dbmigrate.sources.golang_migrate import parse_file_name
from dbmigrate.sources.migration import Format, Migration, Source
from dbmigrate.sources.squashed import head_of, head_of_copy
from dbmigrate.versions import Role, Version, are_numbers, number, reader_of

LEAST_DIGITS = 6
NUMBERS = "versions.tsv"
"""The file that maps each version to its number, with its name."""

_NO_TRANSACTION = b"-- dbmigrate:no-transaction\n"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written."""

    paths: tuple[Path, ...]
    numbers: tuple[tuple[Version, int, str], ...] = ()
    """Each version, its number and its name, where versions were no numbers."""


def convert(source: Source, directory: str | os.PathLike[str]) -> Conversion:
    """Write all files of a source into a directory, which is created if needed.

    Raises MigrationError (SourceInvalid): for migrations that are golang-migrate's
    already, not SQL, filled in from the environment, or without a version, and for a
    directory that holds migrations.
    """
    if source.format is Format.GOLANG_MIGRATE:
        raise _refused(
            f"{source.location} holds no files of another format",
            hint="golang-migrate's own need no conversion: `dbmigrate up` runs them",
        )
    return _write(source, directory, is_trimmed=True)


def convert_prisma(source: Source, directory: str | os.PathLike[str]) -> Conversion:
    """The same for Prisma's folders; the checksums in its table stay those of the files."""
    return _write(source, directory, is_trimmed=False)


def _write(source: Source, directory: str | os.PathLike[str], *, is_trimmed: bool) -> Conversion:
    place = Path(directory)
    numbered = _number(source)
    digits = max(LEAST_DIGITS, *(len(str(version)) for version, _ in numbered), 0)
    contents = {
        name: content.lstrip(b"\n") if is_trimmed else content
        for version, migration in numbered
        for name, content in _files_of(migration, version, digits)
    }
    numbers: tuple[tuple[Version, int, str], ...] = ()
    if not are_numbers(source.format):
        numbers = tuple((m.version, new, m.name) for new, m in numbered)
        lines = (f"{old}\t{new}\t{name}\n" for old, new, name in numbers)
        contents[NUMBERS] = "".join(lines).encode()
    there = _first_in_the_way(place, contents)
    if there:
        raise _refused(f"{place / there} already exists; choose another directory")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (place / name).write_bytes(content)
    except OSError as error:
        raise _refused(f"{error.filename} can't be written: {cause_of(error)}") from None
    return Conversion(tuple(place / name for name in contents), numbers)


def _first_in_the_way(place: Path, contents: Mapping[str, bytes]) -> str:
    """A file that would be overwritten, or that a run would read beside the new ones.

    Files of the old format count: a directory of two formats cannot be read.
    """
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return ""  # it does not exist yet, or cannot be written either
    others = (name for name in names if name.lower().endswith(".sql") or parse_file_name(name))
    return next((name for name in names if name in contents), next(others, ""))


def read_numbers(directory: str | os.PathLike[str], form: Format) -> dict[Version, Version]:
    """The versions of the converted files, by their numbers. Raises MigrationError."""
    path = Path(directory) / NUMBERS
    try:
        with open(path, encoding="utf-8", opener=open_inside) as file:
            rows = [line.split("\t") for line in file.read().splitlines()]
        return {number(row[1]): reader_of(form)(row[0]) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        why = cause_of(error) if isinstance(error, OSError) else error
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{path} should say which version of {form}'s each file was: {why}",
            hint="give the directory that `dbmigrate convert` has written",
        ) from None


def _number(source: Source) -> list[tuple[int, Migration]]:
    """All migrations in order, by the numbers that they get."""
    if source.repeatables:
        raise _refused(
            f"{_file_of(source.repeatables[0])} runs again whenever it has changed, which"
            " golang-migrate's files do not: convert it to a migration, or run it with another tool"
        )
    chain = list(source.migrations)
    if source.checkpoints:
        first = source.checkpoints[-1]
        if chain and chain[0].version <= first.version:
            raise _refused(
                f"{_file_of(first)} stands for {_file_of(chain[0])} and others in an empty"
                " database: keep one of the two"
            )
        chain.insert(0, first)
    numbers = _as_numbers(chain)
    if are_numbers(source.format) or numbers is not None:
        return list(zip(numbers or (), chain, strict=True))
    return list(enumerate(chain, 1))


def _as_numbers(chain: list[Migration]) -> list[int] | None:
    """The versions as numbers, if all of them are: Atlas's usually look like numbers."""
    try:
        found = [number(str(migration.version)) for migration in chain]
    except ValueError:
        return None
    return found if found == sorted(set(found)) else None


def _files_of(migration: Migration, version: int, digits: int) -> Iterator[tuple[str, bytes]]:
    for script in (migration.up, migration.down):
        if script is None:
            continue
        if script.problem:
            raise _refused(script.problem)
        if script.is_template:
            raise _refused(
                f"{script.file} takes values from the environment, which golang-migrate does not:"
                " write them into it first"
            )
        name = f"{version:0{digits}}_{migration.name}.{script.direction}.sql"
        parsed = parse_file_name(name)
        if parsed is None or (parsed.name, parsed.extension) != (migration.name, "sql"):
            raise _refused(f"{script.file}: {name} would be read otherwise; rename the file first")
        content = script.load()
        if script is migration.up:
            content = _mark_of(migration, version) + content
        if not script.is_transactional:
            content = _NO_TRANSACTION + content.lstrip(b"\n")
        yield name, content


def _mark_of(migration: Migration, version: int) -> bytes:
    """What a squashed file says of itself; also for one of a format that has a kind of file for
    that, where the versions stay what they are."""
    if migration.role is Role.CHECKPOINT and str(migration.version) == str(version):
        return head_of(0, version, ()).encode()
    return head_of_copy(migration).encode()


def _file_of(migration: Migration) -> str:
    return migration.up.file if migration.up else migration.name


def _refused(message: str, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, hint=hint)
