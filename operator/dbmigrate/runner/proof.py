"""The proof of new migrations: run as files, up and down again, the catalog compared each time.

The files are written to a scratch directory and read back as the directory's own format
reads them, so that what is proven is what will lie there. The down script of a step is
planned from the schema after it back to the schema before it; both are what the server
says they are, and not what the plan thinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.session import Session
from dbmigrate.report import Reason
from dbmigrate.runner.down import down
from dbmigrate.runner.drafting import Group, plan_down, write_text
from dbmigrate.runner.goto import goto
from dbmigrate.runner.request import ChangedFiles, Request
from dbmigrate.sources.drafts import Draft, write_draft
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Source

SHOWN = 10
"""Objects that an error names."""
_RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Step:
    """A new migration."""

    version: str
    name: str
    up: Group
    down: Group = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Their names and texts."""
    up_script: bytes = b""
    """What of them is run upwards."""


@dataclass(frozen=True, slots=True)
class _State:
    """The schema between two steps."""

    schema: Schema
    catalog: Catalog
    unrenamed: Schema | None = None
    """As if the renames of the step that led here were undone."""


class Proof:
    """The scratch database with the migrations that are there, and how far the new ones are."""

    def __init__(
        self,
        request: Request,
        source: Source,
        directory: Path,
        reader: Session,
        renames: Sequence[Rename],
    ) -> None:
        # The files get their down scripts only after they were run upwards.
        options = replace(request.options, changed_files=ChangedFiles.WARN)
        self._request = replace(request, options=options)
        self._source = source
        self._directory = directory
        self._reader = reader
        self._renames = tuple(renames)
        self._states = [self._read(())]
        self.steps: list[Step] = []

    def go_up(self, groups: Sequence[Group], versions: Sequence[str], names: Sequence[str]) -> None:
        """Run the new migrations, and plan the way back of each. Raises MigrationError."""
        for group, version, name in zip(groups, versions, names, strict=True):
            self.steps.append(self._draft(Step(version, name, group)))
            self._run_up(self.steps[-1])
            renamed = any(change.action == _RENAME for change in group)
            self._states.append(self._read(self._turned_round() if renamed else ()))
        for index, (before, after) in enumerate(zip(self._states, self._states[1:], strict=False)):
            back = plan_down(after.unrenamed or after.schema, before.schema)
            self.steps[index] = self._draft(replace(self.steps[index], down=back))

    def require(self, wanted: Schema, goal: Catalog) -> None:
        """Raise MigrationError where the new migrations don't lead to what is wanted."""
        reached = self._states[-1]
        require_same(goal, reached.catalog, "the new migrations don't lead to the desired schema")
        left = plan_changes(reached.schema, wanted)
        if left:
            raise _unproven("the plan has to be made twice", [str(each.about) for each in left])

    def go_down(self) -> None:
        """Run the way back, step by step. Raises MigrationError."""
        source = self._with_new()
        request = replace(self._request, source=source)
        for index in reversed(range(len(self.steps))):
            step = self.steps[index]
            written = source.find(int(step.version))
            if written is not None and written.up is not None:
                self.steps[index] = replace(step, up_script=written.up.load())
            what = f"the way back of {step.version}_{step.name}"
            error = down(request, 1).error
            if error is not None:
                raise _failed(error, what)
            catalog = read_catalog(self._reader, without=self._request.target.history)
            require_same(self._states[index].catalog, catalog, what)

    def _run_up(self, step: Step) -> None:
        request = replace(self._request, source=self._with_new())
        error = goto(request, int(step.version)).error
        if error is not None:
            raise _failed(error, f"{step.version}_{step.name}")

    def _with_new(self) -> Source:
        """The migrations that are there and the new ones, these read from files."""
        for step in self.steps:
            for name, text in step.files.items():
                (self._directory / name).write_text(text, encoding="utf-8", newline="")
        new = read_source(self._directory, self._source.format, {})
        return replace(self._source, migrations=self._source.migrations + new.migrations)

    def _draft(self, step: Step) -> Step:
        draft = Draft(step.name, write_text(step.up), write_text(step.down))
        return replace(step, files=write_draft(draft, step.version, self._source.format))

    def _turned_round(self) -> tuple[Rename, ...]:
        return tuple(Rename(each.after, each.before) for each in reversed(self._renames))

    def _read(self, renames: Sequence[Rename]) -> _State:
        history = self._request.target.history
        schema = read_schema(self._reader, without=history)
        catalog = read_catalog(self._reader, without=history)
        unrenamed = None
        if renames:
            unrenamed = read_schema(self._reader, without=history, renames=renames)
        return _State(schema, catalog, unrenamed)


def require_same(goal: Catalog, found: Catalog, what: str) -> None:
    """Raise MigrationError (Internal), naming the objects that are not the same."""
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
    named = MigrationError(
        error.reason,
        f"the proof failed at {what}: {error.message}",
        sqlstate=error.sqlstate,
        location=error.location,
        detail=error.detail,
        hint="nothing was written; this is a fault of dbmigrate: please report it with the schema",
    )
    named.__cause__ = error
    return named
