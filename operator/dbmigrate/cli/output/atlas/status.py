"""The document of `migrate status`: Atlas's MigrateStatus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from dbmigrate.cli.output.atlas.apply import statements_of
from dbmigrate.cli.output.atlas.document import (
    Document,
    Moment,
    environment_document,
    file_document,
)
from dbmigrate.versions import Role

if TYPE_CHECKING:
    from dbmigrate.runner.commands.revisions import RevisionRow, RevisionsState
    from dbmigrate.sources.migration import Migration

_ABOUT_ORDER = "https://atlasgo.io/versioned/apply#non-linear-error"
_KINDS = {1: "baseline", 2: "applied", 4: "manually set", 6: "applied + manually set"}
_ALWAYS = (
    *("Version", "Description", "Type", "Applied", "Total"),
    *("ExecutedAt", "ExecutionTime", "OperatorVersion"),
)


def status_document(state: RevisionsState, *, url: Mapping[str, str], directory: str) -> Document:
    """The state in Atlas's words."""
    rows, pending, late = state.rows, state.pending, state.out_of_order
    last = rows[-1] if rows else None
    has_begun = last is not None and len(pending) != len(state.available)
    partial = last if last is not None and last.is_partial else None
    total = _count_statements(state, partial) if partial else 0
    done = partial.applied if partial else 0
    following = str(pending[0].version) if pending else "Already at latest version"
    fields = {
        "Env": environment_document(url, directory, "?format=atlas"),
        "Available": [] if late else [_file(each) for each in state.available],
        "OutOfOrder": [_file(each) for each in late],
        "Pending": [_file(each) for each in pending],
        "Applied": [_revision(row) for row in rows],
        "Current": last.version if last and has_begun else "No migration applied yet",
        "Next": "" if late else following,
        "Count": done,
        "Total": total,
        "Status": "PENDING" if pending or late else "OK",
        "Error": partial.error.replace("\n", " ") if partial else _late_error(late),
        "SQL": partial.statement.replace("\n", " ") if partial else "",
    }
    return Document(fields, kept=("Env",))


def begins_at_checkpoint(state: RevisionsState) -> bool:
    """Whether the first file to run stands for others."""
    return not state.rows and any(each.role is Role.CHECKPOINT for each in state.pending[:1])


def _late_error(late: Sequence[Migration]) -> str:
    if not late:
        return ""
    names = [each.up.file for each in late if each.up]
    listed = ", ".join(names)
    text = f"file {listed} was" if len(names) == 1 else f"files {listed} were"
    return f"migration {text} added out of order. See: {_ABOUT_ORDER}"


def _count_statements(state: RevisionsState, partial: RevisionRow) -> int:
    files = [each for each in state.available if str(each.version) == partial.version]
    return len(statements_of(files[-1].up)) if files else partial.total


def _file(migration: Migration) -> Document:
    name = migration.up.file if migration.up else ""
    return file_document(name, str(migration.version), migration.description)


def _revision(row: RevisionRow) -> Document:
    fields = {
        "Version": row.version,
        "Description": row.description,
        "Type": _KINDS.get(row.kind, f"unknown ({row.kind:04b})"),
        "Applied": row.applied,
        "Total": row.total,
        "ExecutedAt": Moment(datetime.fromisoformat(row.executed_at)),
        "ExecutionTime": row.nanoseconds,
        "Error": row.error,
        "ErrorStmt": row.statement,
        "OperatorVersion": row.operator,
    }
    return Document(fields, kept=_ALWAYS)
