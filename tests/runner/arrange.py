"""Migrations, requests and an observer that remembers, for the tests of the use cases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.observer import Notice, Observer, Progress
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Direction, Migration, Script, Source
from dbmigrate.versions import Version
from tests.database import Database


@dataclass
class Witness(Observer):
    """An observer that keeps what it was told."""

    plans: list[tuple[list[Version], int]] = field(default_factory=list)
    started: list[Version] = field(default_factory=list)
    finished: list[Version] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    waits: list[tuple[OtherSession, ...]] = field(default_factory=list)
    blocks: list[tuple[OtherSession, ...]] = field(default_factory=list)
    progresses: list[Progress] = field(default_factory=list)
    on_start: Callable[[PlannedStep], object] | None = None
    on_wait: Callable[[], object] | None = None
    on_blocked: Callable[[], object] | None = None

    def planned(self, steps: Sequence[PlannedStep], done: int = 0) -> None:
        self.plans.append(([step.version for step in steps], done))

    def step_started(self, step: PlannedStep) -> None:
        self.started.append(step.version)
        if self.on_start is not None:
            self.on_start(step)

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        del read_seconds, run_seconds
        self.finished.append(step.version)

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        self.waits.append(holders)
        if self.on_wait is not None:
            self.on_wait()

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        self.blocks.append(by)
        if self.on_blocked is not None:
            self.on_blocked()

    def progress(self, progress: Progress) -> None:
        self.progresses.append(progress)


def migration(
    version: int, up: str | bytes | None = None, down: str | bytes | None = None, name: str = ""
) -> Migration:
    """A migration whose scripts are these texts."""
    name = name or f"m{version}"
    return Migration(
        version,
        name,
        _script(version, name, Direction.UP, up),
        _script(version, name, Direction.DOWN, down),
    )


def table(version: int) -> Migration:
    """A migration that makes a table t<version>, and a down script that drops it."""
    return migration(version, f"CREATE TABLE t{version} (id int);", f"DROP TABLE t{version};")


def source(*migrations: Migration) -> Source:
    """A source of these, sorted."""
    return Source("test", tuple(sorted(migrations, key=lambda each: each.version)))


def tables(*versions: int) -> Source:
    """A source of table migrations."""
    return source(*(table(version) for version in versions))


def request(
    database: Database | str,
    files: Source | None = None,
    *,
    options: Options | None = None,
    observer: Witness | None = None,
    stop: Stop | None = None,
    command: str = "test",
) -> Request:
    """A request to a test's database."""
    url = database if isinstance(database, str) else database.url
    return Request(
        command=command,
        target=parse_target(url, {}),
        source=files,
        options=options or Options(who="tester"),
        observer=observer or Witness(),
        stop=stop or Stop(),
    )


def version_row(database: Database) -> list[tuple[int, bool]]:
    """What schema_migrations holds."""
    return [(v, d) for v, d in database.query("SELECT version, dirty FROM schema_migrations")]


def log(
    database: Database, columns: str = "version, direction, outcome"
) -> list[tuple[object, ...]]:
    """The log in its order."""
    return database.query(f"SELECT {columns} FROM schema_migrations_log ORDER BY id")


def table_names(database: Database) -> set[str]:
    """The tables of the public schema, without the history's."""
    rows = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename NOT LIKE 'schema_migrations%'"
    )
    return {name for (name,) in rows}


def _script(
    version: int, name: str, direction: Direction, text: str | bytes | None
) -> Script | None:
    if text is None:
        return None
    content = text.encode() if isinstance(text, str) else text
    return Script(f"{version:06}_{name}.{direction}.sql", direction, lambda: content)


BEGUN = "CREATE TABLE begun ();\n"
"""Comes first in a script: a step that has done nothing is not left dirty."""


def leave_running(database: Database, before: str = BEGUN, script: str | None = None) -> None:
    """Make the newest row of the log that of a run which was killed behind `before`.

    `script` is the whole file that it ran; None: it is not the one that the row is about.
    """
    text = before.rstrip().removesuffix(";") if before else ""
    checksum = "checksum" if script is None else _sha256(script)
    database.execute(
        "UPDATE schema_migrations_log SET outcome = 'running', finished_at = NULL, error = NULL,"
        f" statements_done = {before.count(';')}, done_checksum = {_sha256(text)},"
        f" checksum = {checksum} WHERE id = (SELECT max(id) FROM schema_migrations_log)"
    )


def _sha256(text: str) -> str:
    return f"'{hashlib.sha256(text.encode()).hexdigest()}'"
