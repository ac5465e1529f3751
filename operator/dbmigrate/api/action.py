"""A MigrationAction: one order of a person, and the record of it.

Its spec never changes. The operator writes the status: an action that cannot be
carried out is refused with the reason, and has changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fields import Document, Fields, SpecError, describe_unknown
from dbmigrate.api.forms import OBJECT_NAME, PLAN_HASH, SENTENCE, VERSION
from dbmigrate.timestamps import format_timestamp, parse_timestamp


class ActionKind(StrEnum):
    """The kinds of orders."""

    APPROVE = "Approve"
    """The plan of that hash may be run."""
    FORCE = "Force"
    """Set the version and clear the dirty flag; nothing is run on the database."""
    RETRY = "Retry"
    """Another attempt now, whatever the result of the last one."""
    ROLLBACK = "Rollback"
    """Migrate down to that version, and stay there until the intent changes."""
    REPAIR = "Repair"
    """Finish a failed step."""
    CONTINUE = "Continue"
    """Of a set: the next wave may begin."""


FOR_SETS_ALONE = frozenset({ActionKind.CONTINUE})


class ActionPhase(StrEnum):
    """The progress of an action."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REFUSED = "Refused"


ENDED = frozenset({ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.REFUSED})


@dataclass(frozen=True, slots=True)
class Action:
    """One order."""

    namespace: str
    name: str
    uid: str
    created_at: datetime
    migration: str
    """The name of the DatabaseMigration, or of the set, that it is for."""
    kind: ActionKind | None
    """None: its spec can't be read."""
    version: str | None = None
    plan_hash: str | None = None
    reason: str = ""
    """The person's reason, for the record."""
    phase: ActionPhase = ActionPhase.PENDING
    message: str = ""
    problem: str | None = None
    """Why its spec can't be read, where it can't."""
    is_acknowledged: bool = False
    """Whether the operator has written a phase."""
    is_owned: bool = False
    """Whether it has an owner, with which it is deleted."""
    is_for_set: bool = False
    """Whether it is for a DatabaseMigrationSet."""

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self.phase in ENDED


def parse_action(body: Document) -> Action:
    """Read a whole action. Raises SpecError when its spec is invalid."""
    raw = body.get("spec")
    fields = Fields({} if raw is None else raw, "spec")
    if not fields.has("action"):
        raise fields.error("action", "is required")
    subject = fields.only_one_of("migration", "set")
    action = replace(
        _read_record(body),
        migration=fields.text(subject, OBJECT_NAME),
        is_for_set=subject == "set",
        kind=fields.choice("action", ActionKind.RETRY),
        version=fields.optional_text("version", VERSION),
        plan_hash=fields.optional_text("planHash", PLAN_HASH),
        reason=fields.optional_text("reason", SENTENCE) or "",
    )
    if action.kind in FOR_SETS_ALONE and not action.is_for_set:
        raise fields.error("action", f"{action.kind} is for a set")
    unknown = fields.find_unknown()
    return replace(action, problem=describe_unknown(unknown)) if unknown else action


def read_action(body: Document) -> Action:
    """An action, even if its spec is invalid: then it is kept, so that it can be refused.

    It is then filed under its own name, because it may name no migration.
    """
    try:
        return parse_action(body)
    except SpecError as problem:
        return replace(_read_record(body), problem=str(problem))


def _read_record(body: Document) -> Action:
    """The action's identity as the API server knows it, and its progress."""
    metadata, status = body["metadata"], body.get("status")
    told = status if isinstance(status, dict) else {}
    phase = next((p for p in ActionPhase if p.value == told.get("phase")), ActionPhase.PENDING)
    return Action(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        migration=metadata["name"],
        kind=None,
        phase=phase,
        message=shorten(str(told.get("message") or "")),
        is_acknowledged=told.get("phase") is not None,
        is_owned=bool(metadata.get("ownerReferences")),
    )


def dump_action_status(
    action: Action, phase: ActionPhase, message: str, *, now: datetime
) -> Document:
    """The status of an action that enters this phase."""
    status: Document = {
        "phase": phase.value,
        "message": shorten(message),
        "requestedAt": format_timestamp(action.created_at),
    }
    if phase in ENDED:
        status["finishedAt"] = format_timestamp(now)
    return status
