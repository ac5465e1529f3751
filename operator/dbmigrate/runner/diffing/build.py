"""Makes a schema in a scratch database: from migrations, or from a desired schema.

A desired database is only read, by pg_dump, which copies its schema and no rows. A
program is run directly, without a shell; its error output is shown only if it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dbmigrate.child_process import PASSED_ON, Child, Until, run
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, ConnectionTarget
from dbmigrate.postgres.pg_tools import find_program
from dbmigrate.report import Reason
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.diffing.desired import Desired, SchemaProgram, SqlFiles
from dbmigrate.runner.diffing.schema_scripts import (
    SchemaScript,
    hint_for,
    make_role,
    missing_role,
    run_scripts,
)
from dbmigrate.runner.observer import SILENT
from dbmigrate.runner.request import Request
from dbmigrate.runner.scratch.database import ScratchSpace, open_session
from dbmigrate.runner.scratch.schema_dump import dump_schema
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Source
from dbmigrate.sources.script_file import check_script, read_script

ROLE = "diff"
"""How our sessions are told apart in pg_stat_activity."""
_SHOWN = 2000
"""Characters of what a program said that are shown."""


def request_on(scratch: ConnectionTarget, request: Request, source: Source) -> Request:
    """The same request, for migrations on a scratch database, without an observer."""
    options = request.options.on_scratch()
    return replace(request, target=scratch, source=source, options=options, observer=SILENT)


def migrate(request: Request, space: ScratchSpace, *, what: str) -> None:
    """Run all migrations of the request. Raises MigrationError that contains `what`."""
    made: str | None = None
    while True:
        error = goto(request).error
        if error is None:
            return
        role = missing_role(error.message)
        if role is None or role == made or not space.is_ours:
            raise _name(error, what)
        with open_session(request.target, ROLE) as session:
            make_role(session, role)
        made = role


def make_desired(
    scratch: ConnectionTarget, desired: Sequence[Desired], request: Request, space: ScratchSpace
) -> None:
    """Make the desired schema, one part after the other. Raises MigrationError."""
    for each in desired:
        if isinstance(each, Source):
            there = request_on(scratch, request, each)
            migrate(there, space, what="the desired schema can't be made")
            continue
        with open_session(scratch, ROLE) as session:
            run_scripts(
                session,
                _scripts(each, request.stop),
                may_make_roles=space.is_ours,
                stop=request.stop,
            )


def _scripts(
    desired: SqlFiles | ConnectionTarget | SchemaProgram, stop: Stop
) -> Iterator[SchemaScript]:
    if isinstance(desired, SqlFiles):
        for path in desired.paths:
            yield SchemaScript(str(path), read_script(path, str(path)))
    elif isinstance(desired, SchemaProgram):
        output = run_desired(desired, stop)
        yield SchemaScript(f"output of {desired.words[0]}", output)
    else:
        yield SchemaScript(f"schema of {desired.display}", _dump(desired, stop))


def run_desired(program: SchemaProgram, stop: Stop) -> bytes:
    """What a program prints. Raises MigrationError (SourceInvalid, Interrupted)."""
    name = program.words[0]
    try:
        ended = run(Child.PROGRAM, program.words, Until(lambda: stop.is_requested))
    except OSError as error:
        raise _refused(f"{name} can't be run: {cause_of(error)}") from None
    if ended.code != 0:
        said = ended.complaint.decode(errors="replace").strip()[-_SHOWN:]
        how = f"signal {-ended.code}" if ended.code < 0 else f"code {ended.code}"
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{name} ended with {how}",
            detail=said or None,
            hint=f"programs get few of our variables: name those that it needs in {PASSED_ON}",
        )
    return check_script(ended.output, name)


def _dump(database: ConnectionTarget, stop: Stop) -> bytes:
    """The schema of a database as SQL, without owners: two servers have different ones."""
    arguments = ["--no-owner", "--no-security-labels"]
    arguments += ["--no-subscriptions", "--no-tablespaces"]
    # Atlas's history has its own schema, which is not part of the application's.
    arguments.append(f"--exclude-schema={ATLAS_SCHEMA}")
    return dump_schema(
        find_program("pg_dump"),
        arguments,
        database,
        stop=stop,
        stopped="stopped while the schema was copied",
    )


def _name(error: MigrationError, what: str) -> MigrationError:
    return error.but(message=f"{what}: {error.message}", hint=hint_for(error.message))


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
