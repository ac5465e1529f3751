"""Directories of files, requests with them, and what the tools' tables hold."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.request import Options, Request
from dbmigrate.sources.formats import read_source
from dbmigrate.versions import Version
from tests.database import Database
from tests.runner.arrange import Witness
from tests.runner.arrange import request as plain_request


def fill(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files into a directory; the directory."""
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_bytes(text.encode())
    return directory


def request(
    database: Database,
    directory: Path | None,
    *,
    kind: HistoryKind = HistoryKind.GOOSE,
    options: Options | None = None,
    observer: Witness | None = None,
    environ: Mapping[str, str] | None = None,
) -> Request:
    """A request with the files of a directory, by the format that they have."""
    source = None if directory is None else read_source(directory, None, environ or {})
    made = plain_request(database, source, options=options, observer=observer)
    target = made.target
    kind = HistoryKind(source.format) if source else kind
    return replace(made, target=replace(target, history=target.history.of(kind)))


def goose_file(up: str, down: str | None = None) -> str:
    """A file of goose's with these texts."""
    text = f"-- +goose Up\n{up}\n"
    return text if down is None else f"{text}-- +goose Down\n{down}\n"


def dbmate_file(up: str, down: str, options: str = "") -> str:
    """A file of dbmate's with these texts."""
    return f"-- migrate:up{options}\n{up}\n-- migrate:down{options}\n{down}\n"


def goose_tables(*versions: int) -> dict[str, str]:
    """Files that make a table each, and drop it."""
    return {
        f"{v:05}_t{v}.sql": goose_file(f"CREATE TABLE t{v} (id int);", f"DROP TABLE t{v};")
        for v in versions
    }


def goose_rows(database: Database) -> list[tuple[int, bool]]:
    """What goose_db_version holds, in the order in which it came; empty without the table."""
    if database.query("SELECT to_regclass('goose_db_version')") == [(None,)]:
        return []
    query = "SELECT version_id, is_applied FROM goose_db_version ORDER BY id"
    return [(version, is_applied) for version, is_applied in database.query(query)]


def dbmate_rows(database: Database) -> list[str]:
    """What dbmate's schema_migrations holds; empty without the table."""
    if database.query("SELECT to_regclass('schema_migrations')") == [(None,)]:
        return []
    rows = database.query('SELECT version FROM schema_migrations ORDER BY version COLLATE "C"')
    return [version for (version,) in rows]


def log(database: Database, table: str = "goose_db_version_log") -> list[tuple[object, ...]]:
    """Our log in its order."""
    return database.query(f"SELECT version, direction, outcome FROM {table} ORDER BY id")


def table_names(database: Database) -> set[str]:
    """The tables of the public schema, without the histories'."""
    rows = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename !~ '^(goose_db_version|schema_migrations)'"
    )
    return {name for (name,) in rows}


def run_goose(goose: Path, directory: Path, database: Database, *words: str) -> str:
    """What goose says; it has to succeed."""
    command = [str(goose), "-dir", str(directory), "-env", "none", "postgres", database.url]
    run = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stderr


def states(database: Database, directory: Path) -> list[tuple[Version, str]]:
    """Each version with its state, as `status` has it."""
    table = status(request(database, directory)).unwrap()
    assert table is not None
    return [(row.version, row.state.value) for row in table.rows]


def findings(database: Database, directory: Path) -> list[tuple[Version | None, str]]:
    """What `verify` has found, by version and kind."""
    found = verify(request(database, directory)).unwrap()
    return [(finding.version, finding.kind) for finding in found or ()]
