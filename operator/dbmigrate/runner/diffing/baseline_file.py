"""The schema of a database as a first migration, for a team that leaves its ORM.

pg_dump writes it. Before the file is shown, the runner applies it in a scratch database
and compares the two catalogs object by object: what an empty database gets from it is
what the old one has. It has no rows, and no publications, subscriptions and user
mappings, because they belong to one database and not to a
schema.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.relations import batches_name, log_name
from dbmigrate.postgres.pg_tools import find_program
from dbmigrate.postgres.schema.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.sqltext.pg_dump_script import as_migration
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import SILENT
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.run import Run
from dbmigrate.runner.scratch.database import open_session, scratch_space
from dbmigrate.runner.scratch.schema_dump import dump_schema
from dbmigrate.sources.golang_migrate import parse_file_name, read_directory
from dbmigrate.temporary import temporary_directory

PURPOSE = "adoption"
SHOWN = 5
"""Differences that the error names."""
_LEAST_DIGITS = 6
_NOT_SCHEMA = ("setting", "publication")
"""Kinds of objects that belong to one database; default privileges go with the privileges."""


@dataclass(frozen=True, slots=True)
class SchemaFileOrder:
    """The requested file."""

    directory: str
    version: int
    name: str
    server: ConnectionTarget | None = None
    """Where a scratch database may be created; None: on a server of our own."""
    keeps_rights: bool = False
    """With owners and privileges; their roles have to be there wherever it is run."""

    @property
    def path(self) -> Path:
        """Where it is to be written."""
        name = f"{self.version:0{_LEAST_DIGITS}}_{self.name}.up.sql"
        return Path(self.directory) / name


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A file that is verified to make the schema; not written yet."""

    path: Path
    sql: bytes
    catalog: Catalog
    """The schema as it was then."""

    def write(self) -> None:
        """Raises MigrationError (SourceInvalid), also when the file exists."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("xb") as file:
                file.write(self.sql)
        except OSError as error:
            raise _invalid(f"{self.path} can't be written: {cause_of(error)}") from None

    def remove(self) -> None:
        """Remove it again: the database has not recorded it."""
        self.path.unlink(missing_ok=True)


def check_place(order: SchemaFileOrder) -> None:
    """Whether the file may be written. Raises MigrationError (SourceInvalid)."""
    parsed = parse_file_name(order.path.name)
    if parsed is None or parsed.name != order.name or "/" in order.name:
        raise _invalid(f"{order.path.name} could not be read back: choose another name")
    if not os.path.isdir(order.directory):
        return
    names = sorted(os.listdir(order.directory))
    there = [name for name in names if name.endswith(".sql") or parse_file_name(name)]
    if there:
        raise _invalid(
            f"{order.directory} holds {there[0]}: the schema is to be the first migration",
            hint="name an empty directory, or say with -as which migration stands for it",
        )


def make_schema_file(
    run: Run, order: SchemaFileOrder, *, without: Sequence[tuple[str, str]], head: Sequence[str]
) -> SchemaFile:
    """Dump the schema without some tables (schema and name), and verify the file.

    Raises MigrationError.
    """
    session, request = run.database.session, run.request
    catalog = read_schema(run, order, without)
    dump = _dump(request, order, [*without, *_sequences(session, without), *_ours(run)])
    (filled,) = session.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'm' AND c.relispopulated"
    )
    sql = as_migration(dump, head=head, filled={row[0] or "" for row in filled})
    made = SchemaFile(order.path, sql, catalog)
    _prove(run, order, made)
    return made


def read_schema(run: Run, order: SchemaFileOrder, without: Sequence[tuple[str, str]]) -> Catalog:
    """The catalog of what the file is to make."""
    session = run.database.session
    (rows,) = session.query(
        "SELECT c.oid FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE {_among([*without, *_sequences(session, without)])}"
    )
    found = read_catalog(
        session,
        without=run.request.target.history,
        ignoring=[int(row[0] or 0) for row in rows],
        with_rights=order.keeps_rights,
    )
    return _comparable(found, order)


def _sequences(session: Session, tables: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sequences of the tables' columns: pg_dump writes them all the same."""
    (rows,) = session.query(
        "SELECT sn.nspname, s.relname FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
        " JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace"
        " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0"
        f" AND d.deptype IN ('a', 'i') AND {_among(tables)}"
    )
    return [(schema or "", name or "") for schema, name in rows]


def _among(tables: Sequence[tuple[str, str]]) -> str:
    pairs = ", ".join(f"({literal(schema)}, {literal(name)})" for schema, name in tables)
    return f"(n.nspname, c.relname) IN ({pairs})"


def _ours(run: Run) -> list[tuple[str, str]]:
    history = run.database.history
    names = (history.table, log_name(history.table), batches_name(history.table))
    return [(history.schema, name) for name in names]


def _dump(request: Request, order: SchemaFileOrder, without: Sequence[tuple[str, str]]) -> bytes:
    words = ["--no-publications", "--no-subscriptions"]
    words += [] if order.keeps_rights else ["--no-owner", "--no-privileges"]
    words += [f"--exclude-table={identifier(s)}.{identifier(name)}" for s, name in without]
    return dump_schema(
        find_program("pg_dump"),
        words,
        request.target,
        stop=request.stop,
        stopped="stopped while the schema was read",
    )


def _prove(run: Run, order: SchemaFileOrder, made: SchemaFile) -> None:
    """Run the file in an empty database, and compare. Raises MigrationError."""
    request = run.request
    try:
        with (
            scratch_space(order.server) as space,
            space.database(request.target, PURPOSE) as scratch,
        ):
            with open_session(scratch, PURPOSE) as session:
                _check_major(run, session, scratch)
                if space.is_ours:
                    _make_roles(run, session)
                _load(request, scratch, made)
                history, rights = request.target.history, order.keeps_rights
                found = read_catalog(session, without=history, with_rights=rights)
    except (ServerFailure, ConnectionBroken) as raised:
        raise MigrationError(
            Reason.CONNECTION_LOST, f"the scratch database failed: {raised}"
        ) from None
    differences = [d.describe() for d in compare(made.catalog, _comparable(found, order))]
    if differences:
        more = f", and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise MigrationError(
            Reason.SOURCE_INVALID,
            "the file would not make the same schema:"
            f" in a scratch database {', '.join(differences[:SHOWN])}{more}",
        )


def _check_major(run: Run, scratch: Session, target: ConnectionTarget) -> None:
    """Catalogs of two major versions differ, and so does what they make of a file."""
    (((number,),),) = scratch.query("SELECT pg_catalog.current_setting('server_version_num')")
    there, here = int(number or 0) // 10000, run.database.server_version // 10000
    if there != here:
        raise MigrationError(
            Reason.DATABASE_MISSING,
            f"the schema of PostgreSQL {here} can't be tried on {target.display}, which is {there}",
            hint=f"name a server of PostgreSQL {here} with -dev-url, on which a database may be"
            " created and dropped again",
        )


def _make_roles(run: Run, scratch: Session) -> None:
    """Create all roles on the temporary server: policies name them."""
    names = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'"
    (wanted,), (there,) = run.database.session.query(names), scratch.query(names)
    missing = [row[0] or "" for row in wanted if row not in there]
    if missing:
        scratch.query("; ".join(f"CREATE ROLE {identifier(name)}" for name in missing))


def _load(request: Request, scratch: ConnectionTarget, made: SchemaFile) -> None:
    with temporary_directory("dbmigrate-adopt-") as directory:
        (directory / made.path.name).write_bytes(made.sql)
        options = Options(lock_timeout=request.options.lock_timeout, who=request.options.who)
        loaded = up(
            replace(
                request,
                target=scratch,
                source=read_directory(directory),
                options=options,
                observer=SILENT,
            )
        )
    if loaded.error is not None:
        raise loaded.error.but(
            message=f"the schema can't be made again in a scratch database: {loaded.error.message}",
            hint="where an extension or a role is missing, name a server that has it with -dev-url",
        )


def _comparable(catalog: Catalog, order: SchemaFileOrder) -> Catalog:
    """Without what belongs to one database, such as the release of an extension."""
    passed_over = _NOT_SCHEMA if order.keeps_rights else (*_NOT_SCHEMA, "default acl")
    return {
        name: text.partition(" in ")[2] if name.kind == "extension" else text
        for name, text in catalog.items()
        if name.kind not in passed_over
    }


def _invalid(message: str, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, hint=hint)
