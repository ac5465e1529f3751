"""Flyway's own settings for a run: its table, and how strict it is.

An option of the command line, or its variable, wins over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dbmigrate import policies
from dbmigrate.cli.arguments.options import GlobalOptions
from dbmigrate.cli.arguments.source_location import find_directory, has_source
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import ConnectionTarget, HistoryKind, HistoryTable
from dbmigrate.report import Reason
from dbmigrate.runner import request as runner
from dbmigrate.sources.flyway.settings import Settings, read_settings
from dbmigrate.versions import Version, dotted

_IGNORED = {
    ("*", "missing"): ("missing", "missing repeatable"),
    ("versioned", "missing"): ("missing",),
    ("repeatable", "missing"): ("missing repeatable",),
    ("*", "future"): ("future",),
    ("versioned", "future"): ("future",),
    ("*", "pending"): ("outdated repeatable",),
    ("*", "ignored"): ("out of order",),
    ("versioned", "ignored"): ("out of order",),
}
"""What `verify` finds of each pattern; all other states are no findings here."""


def find_settings(options: GlobalOptions, environ: Mapping[str, str]) -> Settings:
    """Read them where Flyway looks. Raises MigrationError (SourceInvalid)."""
    directory = Path(find_directory(options)) if has_source(options) else None
    return read_settings(directory, environ)


def find_table(settings: Settings, target: ConnectionTarget) -> HistoryTable:
    """The table that they name. Raises MigrationError (SourceInvalid)."""
    history = target.history.of(HistoryKind.FLYWAY)
    is_said = "search_path" in target.conninfo.get("options", "")
    if settings.schema not in ("", "public") and not is_said:
        # Flyway resolves names there first, so scripts create their tables in it.
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"flyway's default schema is {settings.schema}: the database's address has to say so",
            hint=f"add options=-csearch_path%3D{settings.schema} to the URL",
        )
    return replace(
        history,
        schema=settings.schema or history.schema,
        name=settings.table or history.name,
    )


def heed(settings: Settings, given: GlobalOptions, options: runner.Options) -> runner.Options:
    """The run's options with these settings. Raises MigrationError (SourceInvalid)."""
    ignored = {kind for pattern in settings.ignored for kind in _IGNORED.get(pattern, ())}
    if given.out_of_order is None and settings.out_of_order:
        options = replace(options, out_of_order=policies.OutOfOrder.APPLY)
    elif given.out_of_order is None and "out of order" in ignored:
        options = replace(options, out_of_order=policies.OutOfOrder.IGNORE)
    if given.changed_files is None and not settings.validates:
        options = replace(options, changed_files=policies.ChangedFiles.WARN)
    return replace(
        options,
        goal=_read_target(settings.target),
        baseline=_read(settings.baseline_version, "baselineVersion")
        if settings.baseline_on_migrate
        else None,
        ignored=frozenset(ignored),
    )


def _read_target(text: str) -> runner.Goal | None:
    if text.lower() in ("", "latest"):
        return None
    if text.lower() in ("next", "current"):
        return runner.Goal(is_next=text.lower() == "next")
    version = _read(text.removesuffix("?"), "target")
    return runner.Goal(version, must_exist=not text.endswith("?"))


def _read(text: str, name: str) -> Version:
    try:
        return dotted(text)
    except ValueError:
        raise MigrationError(
            Reason.SOURCE_INVALID, f"flyway.{name} is {text!r}: expected a version, such as 1.2"
        ) from None
