"""goose's commands on files alone: `fix` and `validate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.goose import directory as goose
from dbmigrate.sources.listing import list_directory
from dbmigrate.sources.new_files import is_time

_DIGITS = 5


def fix(directory: str, terminal: Terminal) -> None:
    """Rename the files whose versions are times: numbers in their order, above all others.

    Nothing is renamed where one of the new names is taken. Raises MigrationError.
    """
    listing = list_directory(directory)
    goose.read_listing(listing, {})
    found = [parsed for name in listing.files if (parsed := goose.parse_file_name(name))]
    found.sort(key=lambda parsed: parsed.version)
    times = [parsed for parsed in found if is_time(parsed.text)]
    highest = max((parsed.version for parsed in found if parsed not in times), default=0)
    names = {}
    for number, parsed in enumerate(times, highest + 1):
        rest = parsed.text.partition("_")[2]
        names[parsed.text] = f"{number:0{_DIGITS}}_{rest}"
    place = Path(directory)
    taken = next((new for new in names.values() if (place / new).exists()), None)
    if taken is not None:
        raise MigrationError(Reason.SOURCE_INVALID, f"{place / taken} is there already")
    for old, new in names.items():
        try:
            (place / old).rename(place / new)
        except OSError as error:
            raise MigrationError(
                Reason.SOURCE_INVALID, f"{place / old} can't be renamed: {cause_of(error)}"
            ) from None
        terminal.line(f"RENAMED {old} => {new}")


def validate(
    directory: str, environ: Mapping[str, str], terminal: Terminal, is_verbose: bool
) -> None:
    """Read all files as a run would. Raises MigrationError for the first that is wrong."""
    source = goose.read_listing(list_directory(directory), environ)
    for warning in source.warnings:
        terminal.warning(warning)
    for migration in source.migrations:
        scripts = [script for script in (migration.up, migration.down) if script is not None]
        for script in scripts:
            if not script.problem:  # a migration in Go cannot be checked
                script.load()
        if is_verbose:
            terminal.line(f"{scripts[0].file}: {', '.join(script.direction for script in scripts)}")
