"""What a set of migrations makes of an empty database, as one script that is proven to make the
same: it is run in a second scratch database, and the catalogs are compared, and the rows
where those are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from dbmigrate.child_process import Stopped, Until
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.pg_tools import find_program, run_program
from dbmigrate.postgres.schema.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.sqltext.pg_dump_script import as_migration
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import SILENT
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.scratch.database import open_session, scratch_space
from dbmigrate.sources.migration import Source

PURPOSE = "squash"
SHOWN = 5
"""Differences that the error names."""
_PSQL = re.compile(rb"^(?:\\|--)[^\n]*\n?", re.MULTILINE)

Load = Callable[[bytes], Source]
"""Makes a source of the script, as it will be read from its file."""


@dataclass(frozen=True, slots=True)
class SquashedSchema:
    """The script, and the rows that the migrations leave behind."""

    sql: bytes
    filled: tuple[str, ...]
    """The tables that have rows, and the sequences that were moved, quoted."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What was found in a scratch database."""

    catalog: Catalog
    filled: tuple[str, ...]
    dump: bytes
    views: frozenset[str]
    rows: bytes


def make_squashed(
    request: Request, source: Source, load: Load, server: ConnectionTarget | None, *, keeps: bool
) -> SquashedSchema:
    """Run the migrations, dump what they made, and prove the script. `keeps`: with the rows.

    Without `keeps` nothing is proven of a schema that has rows: the caller has to look.
    Raises MigrationError.
    """
    try:
        with scratch_space(server) as space:
            with space.database(request.target, PURPOSE) as first:
                _run(request, source, first, "the files that are to be replaced fail")
                old = _read(request, first, keeps=keeps)
            sql = as_migration(old.dump, head=(), filled=old.views)
            with space.database(request.target, PURPOSE) as second:
                _run(request, load(sql), second, "the squashed file fails")
                new = _read(request, second, keeps=keeps)
    except (ServerFailure, ConnectionBroken) as raised:
        raise MigrationError(
            Reason.CONNECTION_LOST, f"the scratch database failed: {raised}"
        ) from None
    _require_same(old, new)
    return SquashedSchema(sql, old.filled)


def _run(request: Request, source: Source, target: ConnectionTarget, problem: str) -> None:
    options = Options(lock_timeout=request.options.lock_timeout, who=request.options.who)
    done = up(replace(request, target=target, source=source, options=options, observer=SILENT))
    if done.error is not None:
        raise MigrationError(
            done.error.reason,
            f"{problem} in an empty database: {done.error.message}",
            sqlstate=done.error.sqlstate,
            location=done.error.location,
            detail=done.error.detail,
            hint="where an extension or a role is missing, name a server that has it with -dev-url",
        )


def _read(request: Request, target: ConnectionTarget, *, keeps: bool) -> _Made:
    history = request.target.history
    with open_session(target, PURPOSE) as session:
        catalog = read_catalog(session, without=history)
        filled = _filled(session, history.name)
        (views,) = session.query(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'm' AND c.relispopulated"
        )
        remedy = find_program("pg_dump").remedy_for(session.server_version // 10000)
        if remedy is not None:
            raise MigrationError(
                Reason.BACKUP_FAILED,
                f"the pg_dump on the PATH is older than the scratch server {target.display}",
                hint=remedy,
            )
    without = [f"--exclude-table=*.{identifier(name)}" for name in own_relations(history.name)]
    words = ["--no-owner", *without]
    kept = ["--inserts", "--rows-per-insert=100"]
    dump = _dump(request, target, [*words, *(kept if keeps else ["--schema-only"])])
    rows = _dump(request, target, [*words, *kept, "--data-only"]) if keeps else b""
    found = frozenset(row[0] or "" for row in views)
    return _Made(catalog, filled, dump, found, _PSQL.sub(b"", rows))


def _dump(request: Request, target: ConnectionTarget, words: list[str]) -> bytes:
    stop = request.stop
    try:
        return run_program(find_program("pg_dump"), words, target, Until(lambda: stop.is_requested))
    except Stopped:
        raise MigrationError(Reason.INTERRUPTED, "stopped while the schema was read") from None


def _filled(session: Session, table: str) -> tuple[str, ...]:
    """Tables with rows, sequences that gave a number, and large objects; without those of the
    history and of extensions."""
    ours = ", ".join(literal(name) for name in own_relations(table))
    (found,) = session.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, c.oid"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> "
        f"'information_schema' AND c.relname NOT IN ({ours})"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')"
        " ORDER BY 1"
    )
    names = []
    for name, kind, _ in found:
        asked = f"EXISTS (SELECT FROM {name})" if kind == "r" else f"(SELECT is_called FROM {name})"
        (((answer,),),) = session.query(f"SELECT {asked}")
        if answer == "t":
            names.append(name or "")
    (((objects,),),) = session.query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)"
    )
    return (*names, *(("large objects",) if objects == "t" else ()))


def _require_same(old: _Made, new: _Made) -> None:
    differences = [difference.describe() for difference in compare(old.catalog, new.catalog)]
    if not differences and old.rows != new.rows:
        differences = ["the rows that the files leave"]
    if differences:
        more = f", and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise MigrationError(
            Reason.SOURCE_INVALID,
            "one file would not make what the replaced ones do: in a scratch database"
            f" {', '.join(differences[:SHOWN])}{more}",
            hint="nothing was written; squash to a version below the file that makes it, or keep"
            " the files",
        )
