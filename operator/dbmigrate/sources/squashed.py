"""Squashed files: one file that stands for all migrations up to its own version.

    -- dbmigrate:replaces 1-50
    -- dbmigrate:replaced 1-17 19-50

The first line is the mark. It stands among the comments at the top of the first file of a
directory, whose version is the end of the range. The second names each version that had a file, so
that a database can be asked whether it has had them all; there is one such line for each time that
the files were squashed, and a range in it means each number. Flyway's squashed file is a baseline
migration, which has the second line alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Format, Migration, Script, Source
from dbmigrate.versions import LARGEST_NUMBER, Version, are_numbers, reader_of

DIRECTIVE = b"dbmigrate:replaces"
_LINE = rb"^[ \t]*--[ \t]*dbmigrate:%s\b[ \t]*([^\r\n]*?)[ \t\r]*$"
_MARK = re.compile(_LINE % b"replaces", re.MULTILINE)
_LIST = re.compile(_LINE % b"replaced", re.MULTILINE)
_RANGE = re.compile(rb"([0-9]{1,20})[ \t]*-[ \t]*([0-9]{1,20})")
_ABOVE_SQL = re.compile(rb"(?:[ \t\r\f\v]*(?:--[^\n]*)?\n)*(?:--[^\n]*)?")
"""The lines of comment that a file begins with."""
_MARKED = (Format.GOLANG_MIGRATE, Format.GOOSE, Format.DBMATE)
"""The formats in which a mark says that a file stands for others; Flyway and Atlas have files of
their own for that."""
_LONGEST_RANGE = 100_000

Generations = tuple[tuple[Version, ...], ...]
"""The versions that had files, the oldest squashed file's first; the last of each was its own."""


def head_of(low: Version, high: Version, replaced: Generations) -> str:
    """The lines that name the files that a file replaces."""
    return f"-- {DIRECTIVE.decode()} {low}-{high}\n{list_of(replaced)}"


def list_of(replaced: Generations) -> str:
    """Those that name each version."""
    return "".join(f"-- dbmigrate:replaced {' '.join(_spans(versions))}\n" for versions in replaced)


def head_of_copy(migration: Migration) -> str:
    """The lines of a squashed file, for one that holds its script under the same version."""
    if migration.replaces is None:
        return ""
    return head_of(*migration.replaces, migration.replaced)


def with_squash(source: Source, heads: Mapping[Script, bytes]) -> Source:
    """The source, with the marks of its squashed file.

    `heads` are the beginnings of those up files in which there may be a mark. Raises
    MigrationError (SourceInvalid) for a mark that is invalid, or in a file that is not the first.
    """
    found = source
    for migration in source.migrations:
        script = migration.up
        comments = _comments(heads.get(script, b"")) if script else b""
        mark = _MARK.search(comments)
        if script is None or mark is None:
            continue
        if source.format not in _MARKED:
            raise _other_way(script.file, source.format)
        low, high = _read_range(script.file, migration.version, mark, comments)
        first = source.migrations[0]
        if migration is not first:
            raise _not_first(script.file, low, high, first)
        lists = _read_lists(source.format, script.file, comments)
        marked = replace(first, replaces=(low, high), replaced=lists)
        found = replace(source, migrations=(marked, *source.migrations[1:]))
    last = source.checkpoints[-1] if source.checkpoints else None
    if last is None or last.up is None:
        return found
    lists = _read_lists(source.format, last.up.file, _comments(heads.get(last.up, b"")))
    return replace(found, checkpoints=(*source.checkpoints[:-1], replace(last, replaced=lists)))


def _comments(head: bytes) -> bytes:
    head = head.removeprefix(b"\xef\xbb\xbf")
    above = _ABOVE_SQL.match(head)
    return head[: above.end() if above else 0]


def _read_range(
    file: str, version: Version, found: re.Match[bytes], comments: bytes
) -> tuple[int, int]:
    line = comments.count(b"\n", 0, found.start()) + 1
    match = _RANGE.fullmatch(found[1])
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    if match is None or not low <= high <= LARGEST_NUMBER:
        raise _invalid(
            f"{file}: line {line}: expected the first and the last version that the file replaces:"
            " dbmigrate:replaces 1-50",
            Location(file, line),
        )
    if high != version:
        raise _invalid(
            f"{file}: line {line}: the file replaces the versions up to {high}, so {high} has to be"
            f" its own version, and not {version}",
            Location(file, line),
        )
    return low, high


def _read_lists(form: Format, file: str, comments: bytes) -> Generations:
    lists = []
    for found in _LIST.finditer(comments):
        try:
            lists.append(tuple(_read_list(form, found[1])))
        except ValueError:
            line = comments.count(b"\n", 0, found.start()) + 1
            raise _invalid(
                f"{file}: line {line}: expected the versions that the file replaces, or ranges in"
                " which each number is one: dbmigrate:replaced 1-17 19-50",
                Location(file, line),
            ) from None
    return tuple(lists)


def _read_list(form: Format, text: bytes) -> Iterator[Version]:
    """Raises ValueError."""
    for word in text.split():
        span = _RANGE.fullmatch(word) if are_numbers(form) else None
        if span is None:
            yield reader_of(form)(word.decode("utf-8"))
            continue
        low, high = int(span[1]), int(span[2])
        if not low <= high <= low + _LONGEST_RANGE:
            raise ValueError(word)
        yield from range(low, high + 1)


def _spans(versions: Iterable[Version]) -> Iterator[str]:
    """Three or more numbers in a row are a range."""
    run: list[Version] = []
    for version in versions:
        is_next = isinstance(version, int) and run and run[-1] == version - 1
        if not is_next or len(run) >= _LONGEST_RANGE:
            yield from _span(run)
            run = []
        run.append(version)
    yield from _span(run)


def _span(run: list[Version]) -> Iterator[str]:
    if len(run) > 2:
        yield f"{run[0]}-{run[-1]}"
    else:
        yield from map(str, run)


def _not_first(file: str, low: Version, high: Version, first: Migration) -> MigrationError:
    script = first.up or first.down
    lowest = script.file if script else first.name
    if first.version >= low:
        message = (
            f"{file} replaces the versions {low} to {high}, and there is {lowest}: it would run"
            " before the file that replaces it"
        )
        hint = (
            f"give it a version above {high}, if it came later; or move it, and the other"
            " replaced files, from the directory to an archive"
        )
    else:
        message = (
            f"{file} replaces the versions {low} to {high}, and {lowest} is below them: a"
            " squashed file must be the first of its directory"
        )
        hint = f"also squash the versions below it: dbmigrate squash -to {high}"
    return _invalid(message, Location(file), hint=hint)


def _other_way(file: str, form: Format) -> MigrationError:
    way = (
        "a baseline migration (B3__squash.sql) replaces the files below it"
        if form is Format.FLYWAY
        else "a checkpoint replaces the files below it"
    )
    return _invalid(
        f"{file}: the mark dbmigrate:replaces has no effect in a file of {form}'s: {way}",
        Location(file),
    )


def _invalid(message: str, location: Location, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, location=location, hint=hint)
