"""Names and writes the files of a new migration, as golang-migrate's `create`.

Its rules and texts (internal/cli/commands.go), but for three things that bite
there. The next number follows the highest version, not the name that sorts last
(`10_x` sorts before `9_x`). Files that a run would not read, be it another format's,
neither count nor stop it. And a pair that could never be read back, by its name, its
extension or its time format, is refused instead of written. Where the migrations are
goose's or dbmate's it is one file with their annotations.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.go_time import format_time
from dbmigrate.sources.golang_migrate import LARGEST_VERSION, parse_file_name
from dbmigrate.sources.migration import Format

if TYPE_CHECKING:
    from dbmigrate.versions import TextVersion

DEFAULT_TIME_FORMAT = "20060102150405"
"""A Go layout; UTC unless another zone is set."""

DEFAULT_DIGITS = 6

_NUMBERED = re.compile(r"([0-9]+)")
_ATLAS = re.compile(r"[0-9]+(_.*)?\.sql", re.DOTALL)
_ANNOTATED = {
    Format.GOOSE: "-- +goose Up\n\n-- +goose Down\n",
    Format.DBMATE: "-- migrate:up\n\n-- migrate:down\n",
    Format.ATLAS: "",
}


def create_files(
    directory: str | os.PathLike[str],
    name: str,
    *,
    ext: str,
    seq: bool,
    digits: int,
    time_format: str,
    tz: str,
    now: datetime,
) -> list[Path]:
    """Create the empty up and down script of a new migration; absolute paths, up first.

    `now` needs a time zone of its own; `tz` is the one that the version is written
    in, named as in Go: UTC, Local or a name like Europe/Zurich. Raises
    MigrationError (SourceInvalid) and leaves no file behind.
    """
    place = Path(os.path.abspath(directory))
    extension = ext.removeprefix(".")
    existing = [each for each in list_names(place) if parse_file_name(each) is not None]
    version = _choose(existing, seq=seq, digits=digits, time_format=time_format, tz=tz, now=now)
    names = [f"{version}_{name}.{way}.{extension}" for way in ("up", "down")]
    _check(names, version, existing)
    return write_files({place / each: "" for each in names})


def create_annotated_file(
    directory: str | os.PathLike[str],
    name: str,
    *,
    wanted: Format,
    seq: bool,
    digits: int,
    time_format: str,
    tz: str,
    now: datetime,
) -> Path:
    """Create the one file of a new migration of goose's or dbmate's; its absolute path.

    As `create_files`, but that goose numbers beside its versions that are times. A name
    that dbmate would sort elsewhere is refused.
    """
    place = Path(os.path.abspath(directory))
    existing = [each for each in list_names(place) if _is_read(each, wanted)]
    counted = existing
    if wanted is Format.GOOSE:
        # Its sequence is separate, below all versions that are times.
        counted = [each for each in existing if not is_time(each)]
    version = _choose(
        counted,
        seq=seq,
        digits=digits,
        time_format=time_format,
        tz=tz,
        now=now,
        may_be_longer=wanted is Format.GOOSE,
    )
    file_name = f"{version}_{name}.sql" if name else f"{version}.sql"
    if "/" in file_name or "\0" in file_name:
        raise _refused(f"malformed migration filename: {file_name}")
    _check_version(version, existing)
    later = [each for each in existing if each > file_name]
    if wanted in (Format.DBMATE, Format.ATLAS) and later:
        raise _refused(
            f"{wanted} goes by names and would run {file_name} before {later[0]};"
            " give all versions the same number of digits"
        )
    (path,) = write_files({place / file_name: _ANNOTATED[wanted]})
    return path


def create_flyway_files(
    directory: str | os.PathLike[str],
    name: str,
    *,
    seq: bool,
    time_format: str,
    tz: str,
    now: datetime,
) -> list[Path]:
    """Create the empty V and U file of a new migration of Flyway's; absolute paths, V first.

    As `create_files`, but that a number in sequence is not padded: it follows the
    first part of the highest version.
    """
    from dbmigrate.sources.flyway.names import parse_file_name as parse_flyways
    from dbmigrate.versions import dotted

    place = Path(os.path.abspath(directory))
    versions = flyway_versions(place)
    highest = max((version.order[0] for version in versions), default=0)
    version = str(highest + 1)
    if not seq:
        version = version_of_time(now.astimezone(_find_zone(tz)), time_format)
    names = [f"{prefix}{version}__{name}.sql" for prefix in ("V", "U")]
    made = parse_flyways(names[0])
    if made is None or made.name != name or "/" in name or "\0" in name:
        raise _refused(f"malformed migration filename: {names[0]}: choose another name or format")
    if dotted(version) in versions:
        raise _refused(f"duplicate migration version: {version}")
    return write_files({place / each: "" for each in names})


def flyway_versions(directory: Path) -> set[TextVersion]:
    """Those of the files in a directory and below it; none where there is none yet."""
    from dbmigrate.sources.flyway.directory import list_files
    from dbmigrate.sources.flyway.names import parse_file_name as parse_flyways
    from dbmigrate.sources.listing import list_directory

    paths = list_files(list_directory(directory)) if directory.is_dir() else ()
    parsed = (parse_flyways(path.rpartition("/")[2]) for path in paths)
    return {each.version for each in parsed if each is not None and each.version is not None}


def _is_read(name: str, wanted: Format) -> bool:
    """Whether a run takes it for a migration of that format."""
    if wanted is Format.GOOSE:
        from dbmigrate.sources.goose.directory import parse_file_name as parse_gooses

        return parse_gooses(name) is not None
    if wanted is Format.DBMATE:
        from dbmigrate.sources.dbmate import parse_file_name as parse_dbmates

        return parse_dbmates(name) is not None
    return _ATLAS.fullmatch(name) is not None


def is_time(name: str) -> bool:
    """Whether a version is a time since 1970, by goose's rule for sequential numbers."""
    match = _NUMBERED.match(name)
    text = str(int(match[1])) if match else ""
    try:
        return len(text) == 14 and datetime.strptime(text, "%Y%m%d%H%M%S").year >= 1970
    except ValueError:
        return False


def _choose(
    existing: list[str],
    *,
    seq: bool,
    digits: int,
    time_format: str,
    tz: str,
    now: datetime,
    may_be_longer: bool = False,
) -> str:
    if seq and time_format != DEFAULT_TIME_FORMAT:
        raise _refused("the seq and format options are mutually exclusive")
    zone = _find_zone(tz)
    if seq:
        return next_in_sequence(existing, digits, may_be_longer=may_be_longer)
    return version_of_time(now.astimezone(zone), time_format)


def next_in_sequence(existing: Iterable[str], digits: int, *, may_be_longer: bool = False) -> str:
    """The number after the highest one in these names, padded with zeros.

    `may_be_longer`: as with goose, which pads and has no limit.
    """
    if digits <= 0:
        raise _refused("digits must be positive")
    highest = max((int(match[1]) for match in map(_NUMBERED.match, existing) if match), default=0)
    version = str(highest + 1).zfill(digits)
    if len(version) > digits and not may_be_longer:
        raise _refused(
            f"next sequence number {version} too large, at most {digits} digits are allowed"
        )
    return version


def version_of_time(moment: datetime, time_format: str) -> str:
    """The version of a moment: `unix`, `unixNano` (of microseconds) or a Go layout."""
    match time_format:
        case "":
            raise _refused("time format may not be empty")
        case "unix":
            return str(int(moment.timestamp()))
        case "unixNano":
            return str(int(moment.timestamp()) * 10**9 + moment.microsecond * 1000)
        case _:
            return format_time(moment, time_format)


def _check(names: list[str], version: str, existing: list[str]) -> None:
    _check_version(version, existing)
    for file_name, way in zip(names, ("up", "down"), strict=True):
        parsed = parse_file_name(file_name)
        if "/" in file_name or "\0" in file_name or parsed is None or parsed.direction != way:
            raise _refused(
                f"malformed migration filename: {file_name}: it could not be read back;"
                " choose a name and an extension of letters, digits and underscores"
            )


def _check_version(version: str, existing: list[str]) -> None:
    if not re.fullmatch("[0-9]+", version) or int(version) > LARGEST_VERSION:
        raise _refused(
            f"the version {version} can't be read back: it has to be a number"
            f" of at most {LARGEST_VERSION}; choose another format"
        )
    for other in existing:
        match = _NUMBERED.match(other)
        if match and int(match[1]) == int(version):
            raise _refused(f"duplicate migration version: {version}: {other} is there")


def _find_zone(name: str) -> tzinfo | None:
    """The zone of that name as Go's time.LoadLocation reads it; None is the local one."""
    if name == "Local":
        return None
    if name in {"", "UTC"}:
        from datetime import UTC

        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise _refused(f"unknown time zone {name}") from None


def list_names(directory: Path) -> list[str]:
    """The names in a directory, sorted; none where there is no directory yet."""
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _refused(f"{directory} can't be read: {cause_of(error)}") from None


def write_files(contents: Mapping[Path, str]) -> list[Path]:
    """Make new files, and the directory of the first; their paths.

    Raises MigrationError (SourceInvalid) where one is there or can't be written,
    and leaves none of the others behind.
    """
    written: list[Path] = []
    try:
        next(iter(contents)).parent.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            with path.open("x", encoding="utf-8", newline="") as file:
                written.append(path)
                file.write(content)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise _refused(f"{error.filename} can't be created: {cause_of(error)}") from None
    return written


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
