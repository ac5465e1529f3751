"""The two sides of a diff, present and desired, each made in a scratch database and read.

They are made at the same time, by two sessions, unless the migrations of one handle roles
or anything else that the databases of a server share: a role that one side has made would
exist already for the other. Then each side gets a server of its own;
on a named server they are made one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from dbmigrate.diff.names import unquoted
from dbmigrate.diff.objects import Other
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget, HistoryKind, HistoryTable
from dbmigrate.postgres.schema.catalog import Catalog, ObjectName, read_catalog
from dbmigrate.report import Reason
from dbmigrate.runner.diffing.build import ROLE, make_desired, migrate, request_on
from dbmigrate.runner.diffing.desired import Desired
from dbmigrate.runner.request import Request
from dbmigrate.runner.scratch.database import ScratchSpace, open_session, scratch_space
from dbmigrate.sources.migration import Source

SHOWN = 10
"""Objects that an error names."""
_OF_THE_SERVER = re.compile(
    rb"\b(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:ROLE|USER|GROUP|DATABASE|TABLESPACE)\b"
    rb"|\b(?:REASSIGN|DROP)\s+OWNED\b"
    rb"|\b(?:GRANT|REVOKE)\s+(?:(?!\bON\b)[^;])*?\s(?:TO|FROM)\b",
    re.IGNORECASE,
)
"""What a script does to all databases of a server; GRANT without ON is that of a role."""


@dataclass(frozen=True, slots=True)
class Here:
    """The database that the migrations have made."""

    request: Request
    """To run further ones there."""
    reader: Session
    schema: Schema

    def read(self, renames: Sequence[Rename] = ()) -> Schema:
        """The schema as if renamed."""
        return read_schema(self.reader, without=self.request.target.history, renames=renames)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the schema is to become, by both readers."""

    schema: Schema
    catalog: Catalog

    def without(self, *names: ObjectName) -> Wanted:
        """As if these did not exist."""
        schema = self.schema
        for name in names:
            schema = schema.without(name)
        catalog = {name: text for name, text in self.catalog.items() if name not in names}
        return Wanted(schema, catalog)


def make_sides(
    stack: ExitStack,
    request: Request,
    source: Source,
    desired: Sequence[Desired],
    server: ConnectionTarget | None,
) -> tuple[Here, Wanted]:
    """Make both; they exist as long as the stack. Raises MigrationError, ServerFailure."""
    # In its own schema the history would bring that schema with it.
    history = replace(request.target.history, schema=None)
    like = replace(request.target, history=history)
    is_apart = any(map(_is_of_the_server, (source, *_sources(desired))))
    space = there = stack.enter_context(scratch_space(server))
    if is_apart and space.is_ours:
        there = stack.enter_context(scratch_space(None))
    scratch = stack.enter_context(space.database(like, "diff"))
    other = _brought_along(desired, history)
    made = replace(like, history=other)
    goal = stack.enter_context(there.database(made, "desired"))

    def make_wanted() -> Wanted:
        make_desired(goal, desired, request, there)
        return _read_wanted(goal, _lying_there(desired, request.target.history) or other)

    def make_here() -> Here:
        return _make_here(stack, space, request_on(scratch, request, source))

    if is_apart and not space.is_ours:
        wanted = make_wanted()
        here = make_here()
    else:
        here, wanted = _at_once(make_here, make_wanted)
    require_planned(here.schema, wanted.schema)
    return here, _leave_out_schema(wanted, desired, request.target.history, here.schema)


def _at_once(
    make_here: Callable[[], Here], make_wanted: Callable[[], Wanted]
) -> tuple[Here, Wanted]:
    with ThreadPoolExecutor(max_workers=1) as beside:
        making = beside.submit(make_wanted)
        try:
            here = make_here()
        except MigrationError:
            making.result()  # of two errors always the same one is raised
            raise
        return here, making.result()


def _make_here(stack: ExitStack, space: ScratchSpace, request: Request) -> Here:
    if request.source is not None and request.source.migrations:
        migrate(request, space, what="the migrations can't be run")
    reader = stack.enter_context(open_session(request.target, ROLE))
    schema = read_schema(reader, without=request.target.history)
    return Here(request, reader, schema)


def _read_wanted(scratch: ConnectionTarget, history: HistoryTable) -> Wanted:
    with open_session(scratch, ROLE) as reader:
        schema = read_schema(reader, without=history)
        catalog = read_catalog(reader, without=history)
        return Wanted(schema, catalog)


def require_planned(before: Schema, after: Schema) -> None:
    """Raise MigrationError for what differs and has no plan. What is equal stops nothing."""
    sides = (("the migrations make", before, after), ("the desired schema has", after, before))
    for who, one, other in sides:
        names = [name for name, text in one.unhandled.items() if other.unhandled.get(name) != text]
        names += _used_and_different(one, other)
        if names:
            shown = ", ".join(map(str, names[:SHOWN]))
            more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise MigrationError(
                Reason.SOURCE_INVALID,
                f"{who} what diff does not handle: {shown}{more}",
                hint="write the migrations of these by hand: what both sides have alike is left"
                " alone",
            )


def _used_and_different(one: Schema, other: Schema) -> Iterator[ObjectName]:
    """What would have to be created again while columns or constraints need it."""
    for name, each in one.objects.items():
        found = other.objects.get(name)
        if not isinstance(each, Other) or not isinstance(found, Other):
            continue
        if each.statements != found.statements and _NOT_MADE_ANEW & {
            user.kind for user in one.dependents.get(name, ())
        }:
            yield name


_NOT_MADE_ANEW = {"column", "table", "domain", "composite type", "range", "aggregate", "extension"}


def _sources(desired: Sequence[Desired]) -> list[Source]:
    return [each for each in desired if isinstance(each, Source)]


def _is_of_the_server(source: Source) -> bool:
    """Whether a migration may change something that all databases of its server share."""
    for migration in (*source.migrations, *source.checkpoints, *source.repeatables):
        try:
            if migration.up is not None and _OF_THE_SERVER.search(migration.up.show()):
                return True
        except MigrationError:
            continue  # running it will report what is wrong
    return False


def _brought_along(desired: Sequence[Desired], default: HistoryTable) -> HistoryTable:
    """Migrations of another format use another history table, which is not part of a schema."""
    kinds = [HistoryKind(each.format) for each in _sources(desired)]
    if not kinds or kinds[0] is default.kind:
        return default
    return replace(default.of(kinds[0]), schema=None)


def _lying_there(desired: Sequence[Desired], ours: HistoryTable) -> HistoryTable | None:
    """The history of a desired database: where its URL says, else where the request's is."""
    for each in desired:
        if isinstance(each, ConnectionTarget):
            return each.history if each.history != HistoryTable() else ours
    return None


def _leave_out_schema(
    wanted: Wanted, desired: Sequence[Desired], ours: HistoryTable, here: Schema
) -> Wanted:
    """Without a schema that exists only for the history."""
    history = _lying_there(desired, ours)
    if history is None or history.schema is None:
        return wanted
    for name in wanted.schema.objects:
        if name.kind == "schema" and unquoted(name.name) == history.schema:
            is_needed = name in here.objects or wanted.schema.dependents.get(name)
            return wanted if is_needed else wanted.without(name, ObjectName("comment", str(name)))
    return wanted
