"""The verification of new migrations: run as files, up and down again, catalogs compared.

The files are written to a scratch directory and read back in the directory's own format, so
that what is verified is what will be there. Verified is that all of them lead to the
desired catalog, that the plan from there is empty, and that each down script leads to the
same catalog as before its step. The catalogs are compared in full; of what is read after a step,
see dbmigrate.postgres.schema.incremental.

The down script of a step is planned from the schema after it back to the schema before it;
both are read from the server, not derived from the plan. Before a step that only creates
an index, the schema was the one after it, without that index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbmigrate.diff.change import Change
from dbmigrate.diff.objects import Extension
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.policies import ChangedFiles
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.schema.catalog import Catalog, ObjectName, compare
from dbmigrate.postgres.schema.incremental import IncrementalCatalog
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.diffing.build import ROLE
from dbmigrate.runner.diffing.drafting import Group, plan_down, write_text
from dbmigrate.runner.diffing.rows import insert_rows
from dbmigrate.runner.diffing.sides import Here
from dbmigrate.runner.request import Request
from dbmigrate.runner.scratch.database import open_session
from dbmigrate.sources.drafts import Draft, write_draft
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format, Source
from dbmigrate.sources.sums import renew_sum
from dbmigrate.versions import Version, reader_of

SHOWN = 10
"""Objects that an error names."""
SHOWN_SQL = 120
"""Characters of a statement that a warning shows."""
_RENAME = "rename"


@dataclass(frozen=True, slots=True)
class NewMigration:
    """A new migration."""

    version: str
    name: str
    up: Group
    down: Group = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Their names and texts."""
    up_script: bytes = b""
    """What of them is run upwards."""
    no_way_back: str | None = None
    """Why the down script can only fail."""


@dataclass(frozen=True, slots=True)
class _State:
    """The schema between two steps."""

    catalog: Catalog
    schema: Schema | None
    """None: that after the next step, but for the index that it creates."""
    unrenamed: Schema | None = None
    """As if the renames of the step that led here were undone."""

    @property
    def known(self) -> Schema:
        """The schema, once the down scripts are planned."""
        assert self.schema is not None
        return self.schema


class Proof:
    """The scratch database with the existing migrations, and the progress of the new ones."""

    def __init__(
        self,
        here: Here,
        source: Source,
        directory: Path,
        wanted: Schema,
        renames: Sequence[Rename],
    ) -> None:
        # The files get their down scripts only after their up scripts were run.
        options = replace(here.request.options, changed_files=ChangedFiles.WARN)
        self._request = replace(here.request, options=options)
        self._source = source
        self._directory = directory
        self._here = here
        self._wanted = wanted
        self._renames = tuple(renames)
        self._catalog = IncrementalCatalog(here.reader, here.request.target.history)
        self._states = [_State(self._catalog.read(), here.schema)]
        self._written: dict[str, str] = {}
        self.steps: list[NewMigration] = []

    def go_up(self, groups: Sequence[Group], versions: Sequence[str], names: Sequence[str]) -> None:
        """Run the new migrations, and plan the down script of each. Raises MigrationError."""
        for number, group in enumerate(groups):
            step = self._draft(NewMigration(versions[number], names[number], group))
            self.steps.append(step)
            self._run_up(step)
            catalog = self._catalog.read()
            following = groups[number + 1] if number + 1 < len(groups) else ()
            self._states.append(self._look(catalog, group, following))
        self._plan_ways_back()

    def _plan_ways_back(self) -> None:
        after = self._states[-1]
        for number in reversed(range(len(self.steps))):
            step, before = self.steps[number], self._states[number]
            if before.schema is None:
                schema = after.known.without(step.up[0].about)
                before = self._states[number] = replace(before, schema=schema)
            reason = _find_no_way(after.known, before.known)
            if reason is not None:
                back: Group = (_refusal(reason, step.up[0].about),)
            else:
                back = plan_down(after.unrenamed or after.known, before.known)
            self.steps[number] = self._draft(replace(step, down=back, no_way_back=reason))
            after = before

    def require(self, goal: Catalog) -> None:
        """Raise MigrationError where the new migrations do not lead to the desired schema."""
        reached = self._states[-1]
        require_same(goal, reached.catalog, "the new migrations don't lead to the desired schema")
        left = plan_changes(reached.known, self._wanted)
        if left:
            raise _unproven("the plan has to be made twice", [str(each.about) for each in left])

    def go_down(self) -> None:
        """Run the down scripts, step by step. Raises MigrationError."""
        source = self._with_new()
        request = replace(self._request, source=source)
        for index in reversed(range(len(self.steps))):
            step = self.steps[index]
            written = source.find(self._version(step))
            if written is not None and written.up is not None:
                self.steps[index] = replace(step, up_script=written.up.load())
            if source.format is Format.ATLAS or self._is_cut_off(index):
                continue  # there is no down script, or none that can be reached
            what = f"the way back of {step.version}_{step.name}"
            self._run_down(request, what)
            catalog = self._catalog.read()
            require_same(self._states[index].catalog, catalog, what)

    def _is_cut_off(self, index: int) -> bool:
        """Whether no down script leads back to below this step."""
        return any(step.no_way_back is not None for step in self.steps[index:])

    def try_with_rows(self) -> tuple[str, ...]:
        """What fails where each table has a row, and which tables took none.

        Behind `go_down`, as the last thing: the scratch database is not brought back. A failure
        may be the rows' own, such as NULL in a column that becomes NOT NULL.
        """
        if self._source.format is Format.ATLAS:
            return ()  # its files have no way back to the schema before them
        if self._is_cut_off(0):
            reasons = (step.no_way_back for step in self.steps)
            return tuple(f"there is no way back: {reason}" for reason in reasons if reason)
        with open_session(self._request.target, ROLE) as session:
            empty = insert_rows(session, self._states[0].known)
            for step in self.steps:
                failure = _run_on_rows(session, step.up)
                if failure is not None:
                    return (f"{step.version}_{step.name} fails where tables have rows: {failure}",)
        about = {change.about.name for step in self.steps for change in step.up}
        touched = [
            table
            for table in empty
            if any(name == table or name.startswith(f"{table}.") for name in about)
        ]
        if not touched:
            return ()
        shown = ", ".join(touched[:SHOWN])
        return (f"not tried with rows, because none could be made for it: {shown}",)

    def _run_up(self, step: NewMigration) -> None:
        request = replace(self._request, source=self._with_new())
        error = goto(request, self._version(step)).error
        if error is not None:
            raise _failed(error, f"{step.version}_{step.name}")

    def _run_down(self, request: Request, what: str) -> None:
        error = down(request, 1).error
        if error is not None:
            raise _failed(error, what)

    def _with_new(self) -> Source:
        """The existing migrations and the new ones, these read from files."""
        for step in self.steps:
            for name, text in step.files.items():
                if self._written.get(name) != text:
                    (self._directory / name).write_text(text, encoding="utf-8", newline="")
                    self._written[name] = text
        if self._source.format is Format.ATLAS:
            renew_sum(self._directory, Format.ATLAS)
        new = read_source(self._directory, self._source.format, {})
        return replace(self._source, migrations=self._source.migrations + new.migrations)

    def _version(self, step: NewMigration) -> Version:
        return reader_of(self._source.format)(step.version)

    def _draft(self, step: NewMigration) -> NewMigration:
        draft = Draft(step.name, write_text(step.up), write_text(step.down))
        return replace(step, files=write_draft(draft, step.version, self._source.format))

    def _turned_round(self) -> tuple[Rename, ...]:
        return tuple(Rename(each.after, each.before) for each in reversed(self._renames))

    def _look(self, catalog: Catalog, group: Group, following: Group) -> _State:
        """The state after a group. Reading the schema costs more than reading the catalog."""
        is_renaming = bool(self._renames) and any(change.action == _RENAME for change in group)
        if not is_renaming and following and _only_creates_index(following, catalog):
            return _State(catalog, None)
        schema = self._here.read()
        unrenamed = self._here.read(self._turned_round()) if is_renaming else None
        return _State(catalog, schema, unrenamed)


def _find_no_way(after: Schema, before: Schema) -> str | None:
    """Why no plan leads back: an extension is seldom brought back to an earlier version."""
    for name, new in after.objects.items():
        old = before.objects.get(name)
        if not isinstance(new, Extension) or not isinstance(old, Extension):
            continue
        if old.version != new.version and old.version not in new.updates_to:
            return f"extension {name.name} can not go from {new.version} to {old.version}"
    return None


def _refusal(reason: str, about: ObjectName) -> Change:
    """A down script that says why it does nothing."""
    text = literal(reason).strip()
    return Change(f"DO $$BEGIN RAISE EXCEPTION USING MESSAGE = {text}; END$$", about, "refuse", 0)


def _run_on_rows(session: Session, group: Group) -> str | None:
    """Run the statements of a file; the one that fails, with the server's words."""
    is_transaction = all(change.can_be_in_transaction for change in group)
    last = ""
    try:
        if is_transaction:
            session.execute(b"BEGIN")
        for change in group:
            last = change.sql
            session.execute(last.encode())
        if is_transaction:
            session.execute(b"COMMIT")
    except ServerFailure as failure:
        session.roll_back()
        return f"{' '.join(last.split())[:SHOWN_SQL]}: {failure}"
    return None


def _only_index(group: Group) -> ObjectName | None:
    """The only index that a step outside of a transaction changes."""
    if len(group) != 1 or group[0].can_be_in_transaction or group[0].about.kind != "index":
        return None
    return group[0].about


def _only_creates_index(group: Group, before: Catalog) -> bool:
    """An index that does not replace another one, which begins under another name."""
    name = _only_index(group)
    return name is not None and name not in before and group[0].action == "create"


def require_same(goal: Catalog, found: Catalog, what: str) -> None:
    """Raise MigrationError (Internal) with the objects that differ."""
    differences = []
    for each in compare(goal, found):
        if each.before is None:
            differences.append(f"{each.object} should not be there")
        elif each.after is None:
            differences.append(f"{each.object} is missing")
        else:
            differences.append(f"{each.object} is {each.after!r} and should be {each.before!r}")
    if differences:
        raise _unproven(what, differences)


def _unproven(what: str, differences: Sequence[str]) -> MigrationError:
    shown = "; ".join(differences[:SHOWN])
    more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return MigrationError(
        Reason.INTERNAL,
        f"{what}: {shown}{more}",
        hint="nothing was written; this is a fault of dbmigrate: please report it with the schema",
    )


def _failed(error: MigrationError, what: str) -> MigrationError:
    return error.but(
        message=f"the proof failed at {what}: {error.message}",
        hint="nothing was written; this is a fault of dbmigrate: please report it with the schema",
    )
