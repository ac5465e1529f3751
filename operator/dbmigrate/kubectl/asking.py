"""The question before an order that can do harm."""

from __future__ import annotations

from functools import cmp_to_key, partial

from dbmigrate.api.action import ActionKind
from dbmigrate.api.source import SourceFormat
from dbmigrate.api.status import HistoryEntry, MigrationStatus
from dbmigrate.api.version import is_at_least
from dbmigrate.kubectl.resource import Resource

NOTHING = "-1"
"""golang-migrate's word for a database in which nothing is applied."""


def ask_about(kind: ActionKind, resource: Resource, version: str | None) -> str | None:
    """The question; None: the order needs no confirmation."""
    identity, status = resource.identity, resource.status
    who = f"{identity.name} in namespace {identity.namespace}"
    wanted = "none (nothing is applied)" if version == NOTHING else version
    if kind is ActionKind.FORCE:
        return (
            f"force writes version {wanted} into the history of {who} and clears the dirty "
            f"flag; it runs nothing on the database, which is {_describe(status)} now. Continue?"
        )
    if kind is ActionKind.ROLLBACK and version is not None:
        steps = find_undone(status, version, resource.form)
        named = ", ".join(f"{step.version} {step.name}" for step in steps)
        undone = f" It undoes {named}." if named else ""
        return (
            f"rollback runs the down scripts of {who}, which is {_describe(status)} now, "
            f"down to version {wanted}.{undone} They can destroy data. Go on?"
        )
    return None


def find_undone(
    status: MigrationStatus, version: str, form: SourceFormat = SourceFormat.AUTO
) -> list[HistoryEntry]:
    """The steps above that version that the status shows as applied, newest first."""
    found: list[HistoryEntry] = []
    seen: set[str] = set()
    for entry in status.history:
        if entry.version in seen:
            continue
        seen.add(entry.version)
        is_within = is_at_least(status.version or "", entry.version, form)
        if entry.direction == "up" and is_within and not is_at_least(version, entry.version, form):
            found.append(entry)
    return sorted(found, key=cmp_to_key(partial(_order, form=form)), reverse=True)


def _order(one: HistoryEntry, other: HistoryEntry, form: SourceFormat) -> int:
    return is_at_least(one.version, other.version, form) - is_at_least(
        other.version, one.version, form
    )


def _describe(status: MigrationStatus) -> str:
    at = f"at version {status.version}" if status.version else "at no known version"
    return f"{at}, dirty" if status.dirty else at
