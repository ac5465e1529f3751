"""What we tell of a resource: `status`, the only part of it that the operator writes.

Version, dirty, target and pending are the database's own words, carried here by
a run's report. `lastRun` is the last run that was to migrate, with the intent it
served: that is how an operator that has just started knows what is done already.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from dbmigrate.api.conditions import Condition, ConditionType, parse_conditions
from dbmigrate.api.fields import Document
from dbmigrate.api.last_check import LastCheck, dump_check, parse_check
from dbmigrate.api.timestamps import format_timestamp, read_timestamp
from dbmigrate.api.trial import NO_TRIAL, Trial, dump_trial, parse_trial
from dbmigrate.report import (
    EXCERPT_LIMIT,
    HASH_LIMIT,
    NAME_LIMIT,
    TEXT_LIMIT,
    VERSION_LIMIT,
    WORD_LIMIT,
    Outcome,
    Reason,
    ReportedUnfinished,
    ReportError,
    is_checksum,
    parse_unfinished,
)
from dbmigrate.untrusted import INT32, INT64, read_text

HISTORY_LIMIT = 20
"""Steps that the status keeps; the database's own log has them all."""

PLAN_LIMIT = 50
"""Steps of a plan that the status shows."""

NEVER_OBSERVED = -1


@dataclass(frozen=True, slots=True)
class LastRun:
    """One run, under way or ended."""

    job: str
    command: str
    generation: int
    """The generation of the resource that the run was made for."""
    intent: str
    """The hash of what it was to achieve (MigrationSpec.intent)."""
    attempts: int
    """Which run of this intent it is, counted from 1."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    """None: it has not ended, or nobody knows yet how."""
    from_version: str | None = None
    version: str | None = None
    milliseconds: int | None = None
    error: ReportError | None = None
    plan: str | None = None
    """The hash of the plan that it was held to."""
    trial: Trial = NO_TRIAL
    """Before its first step."""
    without_progress: int = 0
    """How many runs in a row, this one counted once it has failed, came no further; no matter
    after a success."""

    cleared_by: str | None = None
    """The Job of a Force or Repair that has succeeded since: the target is sought again."""

    @property
    def has_ended(self) -> bool:
        """Whether its outcome is known."""
        return self.outcome is not None

    @property
    def has_succeeded(self) -> bool:
        """Whether it left the database where it was to be."""
        return self.outcome in {Outcome.APPLIED, Outcome.UP_TO_DATE, Outcome.ROLLED_BACK}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A step that a run of this resource has taken."""

    version: str
    name: str
    direction: str
    finished_at: datetime | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The newest backup that a run of this resource has made."""

    name: str
    """The name of its file in spec.backup's directory."""
    size: int
    """Bytes."""
    sha256: str
    version: str | None
    """The version of the database that it holds; None: none."""
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanStepStatus:
    """A step that a plan holds out."""

    version: str
    name: str
    direction: str
    destructive: bool = False
    excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """The steps that wait for a person's approval."""

    hash: str
    intent: str
    steps: tuple[PlanStepStatus, ...]
    created_at: datetime | None
    steps_total: int = 0
    """All of its steps; a long plan shows only some of them."""
    checksum: str | None = None
    """What the run is held to: SHA-256 over all steps and their scripts. A runner older than
    the operator gives none."""
    trial: Trial = NO_TRIAL


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The whole of `status`."""

    observed_generation: int = NEVER_OBSERVED
    version: str | None = None
    dirty: bool | None = None
    unfinished: ReportedUnfinished | None = None
    """The step in batches that makes it dirty, which the next run goes on with."""
    target: str | None = None
    pending: int | None = None
    server_version: str | None = None
    """PostgreSQL's own."""
    last_run: LastRun | None = None
    last_check: LastCheck | None = None
    """None: the last check found the database as the last run left it."""
    history: tuple[HistoryEntry, ...] = ()
    backup: LastBackup | None = None
    plan: PlanStatus | None = None
    next_retry_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type."""
        return next((c for c in self.conditions if c.type is kind), None)

    def to_dict(self) -> Document:
        """As the API server takes it; what is not known is left out."""
        return _without_none(
            {key: _dump(getattr(self, name)) for name, key in STATUS_FIELDS.items()}
        )


def _key(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


STATUS_FIELDS = {each.name: _key(each.name) for each in fields(MigrationStatus)}
"""The attributes and what they are called in the document: all of the status that is ours."""


def parse_status(raw: object) -> MigrationStatus:
    """Read a status back; a part that we can't read counts as absent. It raises nothing."""
    if not isinstance(raw, dict):
        return MigrationStatus()
    return MigrationStatus(
        observed_generation=_read_integer(raw.get("observedGeneration"), NEVER_OBSERVED),
        version=_read_text(raw.get("version"), VERSION_LIMIT),
        dirty=raw.get("dirty") if isinstance(raw.get("dirty"), bool) else None,
        unfinished=_parse_unfinished(raw.get("unfinished")),
        target=_read_text(raw.get("target"), VERSION_LIMIT),
        pending=_read_integer(raw.get("pending"), most=INT32),
        server_version=_read_text(raw.get("serverVersion"), WORD_LIMIT),
        last_run=_parse_run(raw.get("lastRun")),
        last_check=parse_check(raw.get("lastCheck")),
        history=_parse_history(raw.get("history")),
        backup=_parse_backup(raw.get("backup")),
        plan=_parse_plan(raw.get("plan")),
        next_retry_at=read_timestamp(raw.get("nextRetryAt")),
        conditions=parse_conditions(raw.get("conditions")),
    )


def describe_unfinished(step: ReportedUnfinished) -> str:
    """A step in batches that is under way, in a phrase."""
    return (
        f"version {step.version} is run in batches: {step.rows} rows are done in"
        f" {step.batches} batches, the next run goes on behind them"
    )


def _dump(value: object) -> object:
    """A part of the status as JSON."""
    match value:
        case datetime():
            return format_timestamp(value)
        case tuple():
            return [_dump(item) for item in value]
        case Condition():
            return value.to_dict()
        case LastRun():
            return _dump_run(value)
        case LastCheck():
            return dump_check(value)
        case HistoryEntry():
            return _dump_entry(value)
        case LastBackup():
            return _dump_backup(value)
        case PlanStatus():
            return _dump_plan(value)
        case ReportedUnfinished():
            return asdict(value)
    return value


def _dump_run(run: LastRun) -> Document:
    return _without_none(
        {
            "job": run.job,
            "command": run.command,
            "generation": run.generation,
            "intent": run.intent,
            "attempts": run.attempts,
            "withoutProgress": _dump_count(run),
            "plan": run.plan,
            "clearedBy": run.cleared_by,
            "startedAt": _dump_time(run.started_at),
            "finishedAt": _dump_time(run.finished_at),
            "outcome": run.outcome.value if run.outcome else None,
            "from": run.from_version,
            "version": run.version,
            "milliseconds": run.milliseconds,
            **dump_trial(run.trial),
            "error": _dump_error(run.error) if run.error else None,
        }
    )


def _dump_count(run: LastRun) -> int | None:
    """Left out where it says no more than the number of attempts."""
    is_telling = run.without_progress != _usual_count(run.attempts, run.outcome)
    return run.without_progress if is_telling and not run.has_succeeded else None


def _usual_count(attempts: int, outcome: Outcome | None) -> int:
    """Of attempts that came no further, where none did; one under way is not counted yet."""
    return attempts if outcome is not None else attempts - 1


def _parse_run(raw: Any) -> LastRun | None:
    if not isinstance(raw, dict) or not _read_word(raw.get("job")):
        return None
    outcome = next((word for word in Outcome if word.value == raw.get("outcome")), None)
    attempts = _read_integer(raw.get("attempts"), 1, most=INT32)
    return LastRun(
        job=_read_word(raw["job"]),
        command=_read_word(raw.get("command")),
        generation=_read_integer(raw.get("generation"), 0),
        intent=_read_word(raw.get("intent")),
        attempts=attempts,
        without_progress=_read_integer(
            raw.get("withoutProgress"), _usual_count(attempts, outcome), most=INT32
        ),
        started_at=read_timestamp(raw.get("startedAt")),
        finished_at=read_timestamp(raw.get("finishedAt")),
        outcome=outcome,
        from_version=_read_text(raw.get("from"), VERSION_LIMIT),
        version=_read_text(raw.get("version"), VERSION_LIMIT),
        milliseconds=_read_integer(raw.get("milliseconds")),
        error=_parse_error(raw.get("error")),
        plan=_read_text(raw.get("plan"), HASH_LIMIT),
        trial=parse_trial(raw),
        cleared_by=_read_text(raw.get("clearedBy"), WORD_LIMIT),
    )


def _parse_unfinished(raw: Any) -> ReportedUnfinished | None:
    if not isinstance(raw, dict):
        return None
    known = {
        "version": "",
        "name": "",
        "direction": "",
        "rows": 0,
        "batches": 0,
        "since": "",
        **raw,
    }
    try:
        return parse_unfinished(known)
    except (KeyError, ValueError):
        return None


def _dump_error(error: ReportError) -> Document:
    return _without_none(asdict(error) | {"reason": error.reason.value})


def _parse_error(raw: Any) -> ReportError | None:
    if not isinstance(raw, dict):
        return None
    reason = next((word for word in Reason if word.value == raw.get("reason")), Reason.INTERNAL)
    return ReportError(
        reason=reason,
        message=_read_text(raw.get("message"), TEXT_LIMIT) or "",
        retryable=raw.get("retryable") is True,
        sqlstate=_read_text(raw.get("sqlstate"), WORD_LIMIT),
        file=_read_text(raw.get("file"), TEXT_LIMIT),
        line=_read_integer(raw.get("line")),
        column=_read_integer(raw.get("column")),
        excerpt=_read_text(raw.get("excerpt"), TEXT_LIMIT),
        detail=_read_text(raw.get("detail"), TEXT_LIMIT),
        hint=_read_text(raw.get("hint"), TEXT_LIMIT),
    )


def _dump_entry(entry: HistoryEntry) -> Document:
    return _without_none(
        {
            "version": entry.version,
            "name": entry.name,
            "direction": entry.direction,
            "finishedAt": _dump_time(entry.finished_at),
            "milliseconds": entry.milliseconds,
        }
    )


def _parse_history(raw: Any) -> tuple[HistoryEntry, ...]:
    return tuple(
        HistoryEntry(
            version=_read_text(item.get("version"), VERSION_LIMIT) or "",
            name=_read_text(item.get("name"), NAME_LIMIT) or "",
            direction=_read_word(item.get("direction")),
            finished_at=read_timestamp(item.get("finishedAt")),
            milliseconds=_read_integer(item.get("milliseconds"), 0),
        )
        for item in _read_objects(raw, HISTORY_LIMIT)
    )


def _dump_backup(backup: LastBackup) -> Document:
    return _without_none(
        {
            "name": backup.name,
            "size": backup.size,
            "sha256": backup.sha256,
            "version": backup.version,
            "createdAt": _dump_time(backup.created_at),
        }
    )


def _parse_backup(raw: Any) -> LastBackup | None:
    if not isinstance(raw, dict) or not _read_word(raw.get("name")):
        return None
    return LastBackup(
        name=_read_text(raw["name"], NAME_LIMIT) or "",
        size=_read_integer(raw.get("size"), 0),
        sha256=_read_text(raw.get("sha256"), HASH_LIMIT) or "",
        version=_read_text(raw.get("version"), VERSION_LIMIT),
        created_at=read_timestamp(raw.get("createdAt")),
    )


def _dump_plan(plan: PlanStatus) -> Document:
    return _without_none(
        {
            "hash": plan.hash,
            "checksum": plan.checksum,
            "intent": plan.intent,
            "steps": [_without_none(asdict(step)) for step in plan.steps],
            "stepsTotal": plan.steps_total,
            **dump_trial(plan.trial),
            "createdAt": _dump_time(plan.created_at),
        }
    )


def _parse_plan(raw: Any) -> PlanStatus | None:
    if not isinstance(raw, dict) or not _read_word(raw.get("hash")):
        return None
    checksum = raw.get("checksum")
    if checksum is not None and not is_checksum(checksum):
        return None  # nothing could be held to it
    steps = tuple(
        PlanStepStatus(
            version=_read_text(item.get("version"), VERSION_LIMIT) or "",
            name=_read_text(item.get("name"), NAME_LIMIT) or "",
            direction=_read_word(item.get("direction")),
            destructive=item.get("destructive") is True,
            excerpt=_read_text(item.get("excerpt"), EXCERPT_LIMIT),
        )
        for item in _read_objects(raw.get("steps"), PLAN_LIMIT)
    )
    created = read_timestamp(raw.get("createdAt"))
    total = _read_integer(raw.get("stepsTotal"), len(steps), most=INT32)
    return PlanStatus(
        hash=_read_text(raw["hash"], HASH_LIMIT) or "",
        intent=_read_word(raw.get("intent")),
        steps=steps,
        created_at=created,
        steps_total=total,
        checksum=checksum,
        trial=parse_trial(raw),
    )


def _dump_time(moment: datetime | None) -> str | None:
    return format_timestamp(moment) if moment else None


def _without_none(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None}


def _read_text(value: Any, limit: int) -> str | None:
    return read_text(value, limit) if isinstance(value, str) else None


def _read_word(value: Any) -> str:
    return _read_text(value, WORD_LIMIT) or ""


def _read_integer(value: Any, default: Any = None, *, most: int = INT64) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and -1 <= value <= most else default


def _read_objects(value: Any, most: int) -> list[Document]:
    items = value if isinstance(value, list) else []
    return [item for item in items[:most] if isinstance(item, dict)]
