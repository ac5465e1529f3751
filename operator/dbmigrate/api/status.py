"""What we tell of a resource: `status`, the only part of it that the operator writes.

Version, dirty, target and pending are the database's own words, carried here by
a run's report. `lastRun` is the last run that was to migrate, with the intent it
served: that is how an operator that has just started knows what is done already.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dbmigrate.api.conditions import Condition, ConditionType, parse_conditions
from dbmigrate.api.fields import Document
from dbmigrate.api.last_check import LastCheck, dump_check, parse_check
from dbmigrate.api.timestamps import format_timestamp, read_timestamp
from dbmigrate.api.trial import NO_TRIAL, Trial, dump_trial, parse_trial
from dbmigrate.report import Outcome, Reason, ReportedUnfinished, ReportError

HISTORY_LIMIT = 20
"""Steps that the status keeps; the database's own log has them all."""

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
            {
                "observedGeneration": self.observed_generation,
                "version": self.version,
                "dirty": self.dirty,
                "unfinished": asdict(self.unfinished) if self.unfinished else None,
                "target": self.target,
                "pending": self.pending,
                "serverVersion": self.server_version,
                "lastRun": _dump_run(self.last_run) if self.last_run else None,
                "lastCheck": dump_check(self.last_check) if self.last_check else None,
                "history": [_dump_entry(entry) for entry in self.history],
                "backup": _dump_backup(self.backup) if self.backup else None,
                "plan": _dump_plan(self.plan) if self.plan else None,
                "nextRetryAt": _dump_time(self.next_retry_at),
                "conditions": [condition.to_dict() for condition in self.conditions],
            }
        )


def parse_status(raw: Document) -> MigrationStatus:
    """Read a status back; a part that we can't read counts as absent."""
    return MigrationStatus(
        observed_generation=_read_integer(raw.get("observedGeneration"), NEVER_OBSERVED),
        version=_read_text(raw.get("version")),
        dirty=raw.get("dirty") if isinstance(raw.get("dirty"), bool) else None,
        unfinished=_parse_unfinished(raw.get("unfinished")),
        target=_read_text(raw.get("target")),
        pending=_read_integer(raw.get("pending")),
        server_version=_read_text(raw.get("serverVersion")),
        last_run=_parse_run(raw.get("lastRun")),
        last_check=parse_check(raw.get("lastCheck")),
        history=_parse_history(raw.get("history")),
        backup=_parse_backup(raw.get("backup")),
        plan=_parse_plan(raw.get("plan")),
        next_retry_at=read_timestamp(raw.get("nextRetryAt")),
        conditions=parse_conditions(raw.get("conditions") or ()),
    )


def describe_unfinished(step: ReportedUnfinished) -> str:
    """A step in batches that is under way, in a phrase."""
    return (
        f"version {step.version} is run in batches: {step.rows} rows are done in"
        f" {step.batches} batches, the next run goes on behind them"
    )


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
    if not isinstance(raw, dict) or not raw.get("job"):
        return None
    try:
        outcome = Outcome(raw["outcome"]) if raw.get("outcome") else None
    except ValueError:
        outcome = None
    attempts = _read_integer(raw.get("attempts"), 1)
    return LastRun(
        job=str(raw["job"]),
        command=str(raw.get("command", "")),
        generation=_read_integer(raw.get("generation"), 0),
        intent=str(raw.get("intent", "")),
        attempts=attempts,
        without_progress=_read_integer(raw.get("withoutProgress"), _usual_count(attempts, outcome)),
        started_at=read_timestamp(raw.get("startedAt")),
        finished_at=read_timestamp(raw.get("finishedAt")),
        outcome=outcome,
        from_version=_read_text(raw.get("from")),
        version=_read_text(raw.get("version")),
        milliseconds=_read_integer(raw.get("milliseconds")),
        error=_parse_error(raw.get("error")),
        plan=_read_text(raw.get("plan")),
        trial=parse_trial(raw),
        cleared_by=_read_text(raw.get("clearedBy")),
    )


def _parse_unfinished(raw: Any) -> ReportedUnfinished | None:
    if not isinstance(raw, dict) or not raw.get("version"):
        return None
    return ReportedUnfinished(
        version=str(raw["version"]),
        name=str(raw.get("name", "")),
        direction=str(raw.get("direction", "")),
        rows=_read_integer(raw.get("rows"), 0),
        batches=_read_integer(raw.get("batches"), 0),
        since=str(raw.get("since", "")),
    )


def _dump_error(error: ReportError) -> Document:
    return _without_none(asdict(error) | {"reason": error.reason.value})


def _parse_error(raw: Any) -> ReportError | None:
    if not isinstance(raw, dict):
        return None
    try:
        reason = Reason(str(raw.get("reason")))
    except ValueError:
        reason = Reason.INTERNAL
    return ReportError(
        reason=reason,
        message=str(raw.get("message", "")),
        retryable=raw.get("retryable") is True,
        sqlstate=_read_text(raw.get("sqlstate")),
        file=_read_text(raw.get("file")),
        line=_read_integer(raw.get("line")),
        column=_read_integer(raw.get("column")),
        excerpt=_read_text(raw.get("excerpt")),
        detail=_read_text(raw.get("detail")),
        hint=_read_text(raw.get("hint")),
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
            version=str(item.get("version", "")),
            name=str(item.get("name", "")),
            direction=str(item.get("direction", "")),
            finished_at=read_timestamp(item.get("finishedAt")),
            milliseconds=_read_integer(item.get("milliseconds"), 0),
        )
        for item in raw or ()
        if isinstance(item, dict)
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
    if not isinstance(raw, dict) or not raw.get("name"):
        return None
    return LastBackup(
        name=str(raw["name"]),
        size=_read_integer(raw.get("size"), 0),
        sha256=str(raw.get("sha256", "")),
        version=_read_text(raw.get("version")),
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
    if not isinstance(raw, dict) or not raw.get("hash"):
        return None
    steps = tuple(
        PlanStepStatus(
            version=str(item.get("version", "")),
            name=str(item.get("name", "")),
            direction=str(item.get("direction", "")),
            destructive=item.get("destructive") is True,
            excerpt=_read_text(item.get("excerpt")),
        )
        for item in raw.get("steps") or ()
        if isinstance(item, dict)
    )
    created = read_timestamp(raw.get("createdAt"))
    total = _read_integer(raw.get("stepsTotal"), len(steps))
    return PlanStatus(
        hash=str(raw["hash"]),
        intent=str(raw.get("intent", "")),
        steps=steps,
        created_at=created,
        steps_total=total,
        checksum=_read_text(raw.get("checksum")),
        trial=parse_trial(raw),
    )


def _dump_time(moment: datetime | None) -> str | None:
    return format_timestamp(moment) if moment else None


def _without_none(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None}


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_integer(value: Any, default: Any = None) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
