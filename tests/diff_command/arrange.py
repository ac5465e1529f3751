"""A directory with migrations in it, a schema to go to, and `diff` run on them in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dbmigrate.diff.renames import Rename, RenameCandidate
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.commands.diff import Diff, DiffOrder, diff
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.diffing.desired import read_desired
from dbmigrate.runner.request import Options, Request
from dbmigrate.sources.formats import read_source
from tests.database import Database, Server

ROLES = ("tenant_user", "auditor", "reader", "diff_reader")
"""Roles that the schemas grant to."""


def make_roles(server: Server) -> None:
    """They belong to the server, and stay."""
    database = Database(server, "postgres")
    for role in ROLES:
        if not database.query("SELECT FROM pg_roles WHERE rolname = %s", role):
            database.execute(f"CREATE ROLE {role}")


def no_renames(_: Sequence[RenameCandidate]) -> Sequence[Rename]:
    """Nobody says yes."""
    return ()


def run_diff(server: Server, migrations: Path, *desired: Path | str, online: bool = True) -> Diff:
    """Write what leads there. Raises MigrationError."""
    request = Request("diff", parse_target(server.url("postgres"), {}))
    order = DiffOrder(
        name="change",
        desired=tuple(read_desired(str(each), {}) for each in desired),
        choose=no_renames,
        server=parse_target(server.url("postgres"), {}),
        online=online,
    )
    source = read_source(migrations, None, {})
    found = diff(replace(request, source=source), order).unwrap()
    assert found is not None
    return found


def migrate(database: Database, migrations: Path) -> None:
    """Bring a database to the latest version. Raises MigrationError."""
    source = read_source(migrations, None, {})
    up(Request("up", parse_target(database.url, {}), source, Options(lock_timeout=30))).unwrap()


def migrate_down(database: Database, migrations: Path, count: int) -> None:
    """Undo the last migrations. Raises MigrationError."""
    source = read_source(migrations, None, {})
    down(Request("down", parse_target(database.url, {}), source), count).unwrap()


def begin(directory: Path, sql: str) -> Path:
    """A directory of migrations whose first one makes that schema."""
    directory.mkdir(parents=True)
    (directory / "000001_start.up.sql").write_text(sql)
    return directory
