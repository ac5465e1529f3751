"""The report: what one run of the runner says of itself, and how it is written.

The runner writes it (`--report FILE`, `--json`, a Job's termination message),
the operator reads it. It is the one contract between the two halves, so this
module imports nothing of either. Kubernetes keeps 4,096 bytes of a termination
message: what does not fit is cut from the steps first and from texts next,
never from the version, the dirty flag or the error's reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from dbmigrate.untrusted import INT32, INT64, read_objects, read_text, read_whole

SCHEMA_VERSION = 1

TERMINATION_MESSAGE_LIMIT = 4096
"""Bytes that a kubelet keeps of a termination message."""

VERSION_LIMIT = 200
NAME_LIMIT = 255
WORD_LIMIT = 64
HASH_LIMIT = 128
FILE_LIMIT = 1024
EXCERPT_LIMIT = 1024
TEXT_LIMIT = 4096
"""Characters that are kept of each text when a report is read."""
STEPS_LIMIT, FINDINGS_LIMIT, CHANGED_LIMIT = 200, 20, 100
"""Items that are kept of each list."""


class Outcome(StrEnum):
    """How a run ended."""

    APPLIED = "Applied"
    UP_TO_DATE = "UpToDate"
    ROLLED_BACK = "RolledBack"
    WAITING = "Waiting"
    FAILED = "Failed"


class Reason(StrEnum):
    """Why a run failed: a closed vocabulary, shared with the resource's status."""

    CONNECTION_REFUSED = "ConnectionRefused"
    HOST_NOT_FOUND = "HostNotFound"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    TLS_FAILED = "TlsFailed"
    DATABASE_MISSING = "DatabaseMissing"
    LOCK_TIMEOUT = "LockTimeout"
    BLOCKED_BY_QUERY = "BlockedByQuery"
    STATEMENT_FAILED = "StatementFailed"
    DIRTY = "Dirty"
    MISSING_VERSION = "MissingVersion"
    OUT_OF_ORDER = "OutOfOrder"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    ROLLBACK_FORBIDDEN = "RollbackForbidden"
    IRREVERSIBLE_MIGRATION = "IrreversibleMigration"
    SOURCE_INVALID = "SourceInvalid"
    FOREIGN_HISTORY = "ForeignHistory"
    POOLER_UNSAFE = "PoolerUnsafe"
    INTERRUPTED = "Interrupted"
    CONNECTION_LOST = "ConnectionLost"
    BACKUP_FAILED = "BackupFailed"
    PLAN_CHANGED = "PlanChanged"
    LINT_REJECTED = "LintRejected"
    REHEARSAL_FAILED = "RehearsalFailed"
    REHEARSAL_UNAVAILABLE = "RehearsalUnavailable"
    INTERNAL = "Internal"


RETRYABLE = frozenset(
    {
        Reason.CONNECTION_REFUSED,
        Reason.HOST_NOT_FOUND,
        Reason.CONNECTION_LOST,
        Reason.DATABASE_MISSING,
        Reason.LOCK_TIMEOUT,
        Reason.BLOCKED_BY_QUERY,
        Reason.INTERRUPTED,
        Reason.REHEARSAL_UNAVAILABLE,
    }
)
"""Reasons that may go away by themselves: trying again can help."""


class UnknownReport(ValueError):
    """A report of a runner that is newer than this code, which cannot read it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One script that was run in one direction; in the report of a plan, that would be run."""

    version: str
    name: str
    direction: str
    """`up` or `down`."""
    milliseconds: int
    destructive: bool = False
    """Of a plan: data would be lost."""
    excerpt: str | None = None
    """Of a plan: a few words of the SQL, those that lose data where some do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that a run made before it changed anything, or that was its whole purpose."""

    name: str
    """The name of its file, without the directory."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class LintFinding:
    """What lint holds against a script that was, or would be, run."""

    rule: str
    severity: str
    """`error` or `warning`."""
    file: str
    line: int
    """Counted from 1."""
    message: str


@dataclass(frozen=True, slots=True)
class RehearsalSummary:
    """A rehearsal that went well, before the steps were run."""

    steps: int
    without_down: int
    """How many of them have no down script: they went up alone."""
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ReportedUnfinished:
    """A step in batches that is under way: dirty, and the next run goes on with it."""

    version: str
    name: str
    direction: str
    rows: int
    batches: int
    since: str
    """RFC 3339, by the server's clock."""


@dataclass(frozen=True, slots=True)
class ReportError:
    """What stopped a run, and where."""

    reason: Reason
    message: str
    retryable: bool
    sqlstate: str | None = None
    file: str | None = None
    line: int | None = None
    """Counted from 1."""
    column: int | None = None
    """Counted from 1, in characters."""
    excerpt: str | None = None
    """The line of SQL and a caret below the column, for people."""
    detail: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One run. Versions are strings: they may exceed what JSON readers count exactly."""

    command: str
    outcome: Outcome
    version: str | None
    """The version of the database after the run; None: no migration is applied, or not known."""
    dirty: bool | None
    """None: not known, the database could not be asked."""
    tool_version: str
    started_at: str
    """RFC 3339, UTC."""
    milliseconds: int
    from_version: str | None = None
    target: str | None = None
    pending: int | None = None
    steps: tuple[Step, ...] = ()
    steps_total: int = 0
    error: ReportError | None = None
    unfinished: ReportedUnfinished | None = None
    """Why the database is dirty, where that is no damage."""
    backup: Backup | None = None
    plan_checksum: str | None = None
    """Of a plan: SHA-256 over its steps and their scripts, by which a run can be held to it."""
    changed: tuple[str, ...] = ()
    """Of a status: the first applied files that were edited afterwards."""
    server_version: str | None = None
    """PostgreSQL's own, such as 17.10; None: the database could not be asked."""
    findings: tuple[LintFinding, ...] = ()
    """What lint has found in the pending scripts, the worst first."""
    findings_total: int = 0
    """All of them; the report holds some."""
    rehearsal: RehearsalSummary | None = None
    schema_version: int = field(default=SCHEMA_VERSION)

    def hiding(self, hide: Callable[[str], str]) -> Report:
        """The same, with the texts of its error passed through `hide`."""
        if self.error is None:
            return self
        said = self.error
        error = replace(
            said,
            message=hide(said.message),
            excerpt=said.excerpt and hide(said.excerpt),
            detail=said.detail and hide(said.detail),
            hint=said.hint and hide(said.hint),
        )
        return replace(self, error=error)

    def to_json(self, limit: int | None = None) -> str:
        """The report as one JSON document of at most `limit` bytes of UTF-8."""
        text = _dump(self)
        if limit is None or len(text.encode()) <= limit:
            return text
        return _cut(self, limit)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report back.

        Raises UnknownReport for one of a later schema version or with an outcome that this
        code does not know, and ValueError for anything that is no report. Unknown fields are
        ignored: a newer runner may say more. Numbers, texts and lists that are larger than
        any runner writes are cut.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"not a report: {error}") from None
        if not isinstance(raw, dict) or not isinstance(raw.get("schemaVersion"), int):
            raise ValueError("not a report: it has no schema version")
        _refuse_later(raw)
        try:
            return _parse(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a report: {error!r}") from None


def _refuse_later(raw: dict[str, Any]) -> None:
    """Raise UnknownReport for what only a later version of this code can read."""
    version, outcome = raw["schemaVersion"], raw.get("outcome")
    known = raw.get("toolVersion")
    tool = read_text(known, WORD_LIMIT) if isinstance(known, str) and known else None
    runner = f"runner {tool or 'of an unknown version'}"
    if version != SCHEMA_VERSION:
        raise UnknownReport(
            f"not a report of schema version {SCHEMA_VERSION} but of version {version}, by {runner}"
        )
    if isinstance(outcome, str) and outcome not in set(Outcome):
        raise UnknownReport(
            f"not a report that is known here: its outcome is {outcome[:64]!r}, by {runner}"
        )


_NAMES = {
    "schema_version": "schemaVersion",
    "from_version": "from",
    "steps_total": "stepsTotal",
    "plan_checksum": "planChecksum",
    "tool_version": "toolVersion",
    "started_at": "startedAt",
    "server_version": "serverVersion",
    "findings_total": "findingsTotal",
    "rehearsal": "rehearsed",
}
_ORDER = (
    "schema_version",
    "command",
    "outcome",
    "from_version",
    "version",
    "dirty",
    "target",
    "pending",
    "server_version",
    "error",
    "unfinished",
    "backup",
    "rehearsal",
    "plan_checksum",
    "changed",
    "findings",
    "findings_total",
    "steps",
    "steps_total",
    "tool_version",
    "started_at",
    "milliseconds",
)
_OPTIONAL = frozenset(
    "backup changed findings findings_total plan_checksum rehearsal server_version"
    " unfinished".split()
)
"""Left out where there is nothing to say."""
_FEW_FINDINGS = 3
"""Where room is short, the worst that stay beside the steps."""


def _dump(report: Report) -> str:
    raw = asdict(report)
    if raw["error"] is not None:
        raw["error"] = {key: value for key, value in raw["error"].items() if value is not None}
    order = [key for key in _ORDER if key not in _OPTIONAL or raw[key]]
    if report.rehearsal is not None:
        raw["rehearsal"] = dump_rehearsal(report.rehearsal)
    for step in raw["steps"]:
        if not step["destructive"]:
            del step["destructive"]
        if step["excerpt"] is None:
            del step["excerpt"]
    document = {_NAMES.get(key, key): raw[key] for key in order}
    written = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # A file's name may be no UTF-8: the stray byte then is an escape that JSON knows.
    return written.encode("utf-8", "backslashreplace").decode()


def _cut(report: Report, limit: int) -> str:
    """Drop findings and the oldest steps, then halve the error's texts, until the report fits."""
    if len(report.findings) > _FEW_FINDINGS:
        report = replace(report, findings=report.findings[:_FEW_FINDINGS])
        text = _dump(report)
        if len(text.encode()) <= limit:
            return text
    steps = report.steps
    while steps:
        steps = steps[len(steps) // 2 + 1 :]
        text = _dump(replace(report, steps=steps))
        if len(text.encode()) <= limit:
            return text
    report, error = replace(report, steps=(), changed=(), findings=()), report.error
    size = 1024
    while error is not None and size >= 16:
        error = replace(
            error,
            message=_shorten(error.message, size) or "",
            detail=_shorten(error.detail, size // 2),
            hint=_shorten(error.hint, size // 2),
            excerpt=_shorten(error.excerpt, size // 2),
            file=_shorten(error.file, 256),
        )
        text = _dump(replace(report, error=error))
        if len(text.encode()) <= limit:
            return text
        size //= 2
    return _dump(replace(report, error=error, command=report.command[:256]))


def _shorten(text: str | None, size: int) -> str | None:
    return text if text is None or len(text) <= size else text[: size - 3] + "..."


def _parse(raw: dict[str, Any]) -> Report:
    parts = (raw.get(key) for key in ("error", "backup", "rehearsed", "unfinished"))
    error, backup, rehearsal, unfinished = parts
    changed = raw.get("changed", [])
    if not isinstance(changed, list):
        raise ValueError("changed is not a list")
    return Report(
        command=read_text(raw["command"], TEXT_LIMIT),
        outcome=Outcome(raw["outcome"]),
        version=_optional_text(raw.get("version"), VERSION_LIMIT),
        dirty=_flag(raw.get("dirty")),
        tool_version=read_text(raw.get("toolVersion", ""), NAME_LIMIT),
        started_at=read_text(raw.get("startedAt", ""), WORD_LIMIT),
        milliseconds=read_whole(raw.get("milliseconds", 0)),
        from_version=_optional_text(raw.get("from"), VERSION_LIMIT),
        target=_optional_text(raw.get("target"), VERSION_LIMIT),
        pending=_optional_whole(raw.get("pending"), INT32),
        steps=tuple(
            Step(
                version=read_text(step["version"], VERSION_LIMIT),
                name=read_text(step["name"], NAME_LIMIT),
                direction=read_text(step["direction"], WORD_LIMIT),
                milliseconds=read_whole(step["milliseconds"]),
                destructive=step.get("destructive") is True,
                excerpt=_optional_text(step.get("excerpt"), EXCERPT_LIMIT),
            )
            for step in read_objects(raw.get("steps", ()), STEPS_LIMIT)
        ),
        steps_total=read_whole(raw.get("stepsTotal", 0), most=INT32),
        error=None if error is None else _parse_error(error),
        backup=None if backup is None else _parse_backup(backup),
        unfinished=None if unfinished is None else parse_unfinished(unfinished),
        plan_checksum=_read_checksum(raw.get("planChecksum")),
        changed=tuple(read_text(file, FILE_LIMIT) for file in changed[:CHANGED_LIMIT]),
        server_version=_optional_text(raw.get("serverVersion"), WORD_LIMIT),
        findings=parse_findings(raw.get("findings", ())),
        findings_total=read_whole(raw.get("findingsTotal", 0), most=INT32),
        rehearsal=None if rehearsal is None else parse_rehearsal(rehearsal),
    )


def is_checksum(value: object) -> bool:
    """Whether it is a SHA-256 as a plan has it."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _read_checksum(value: object) -> str | None:
    if value is not None and not is_checksum(value):
        raise ValueError("planChecksum is none")
    return None if value is None else str(value)


def parse_findings(raw: object) -> tuple[LintFinding, ...]:
    """Findings as they stand in a report or a status. Raises KeyError and ValueError."""
    return tuple(
        LintFinding(
            rule=read_text(item["rule"], WORD_LIMIT),
            severity=read_text(item["severity"], WORD_LIMIT),
            file=read_text(item["file"], FILE_LIMIT),
            line=read_whole(item["line"]),
            message=read_text(item["message"], EXCERPT_LIMIT),
        )
        for item in read_objects(raw, FINDINGS_LIMIT)
    )


def dump_rehearsal(rehearsal: RehearsalSummary) -> dict[str, int]:
    """The summary as it stands in a report or a status."""
    return {
        "steps": rehearsal.steps,
        "withoutDown": rehearsal.without_down,
        "milliseconds": rehearsal.milliseconds,
    }


def parse_rehearsal(raw: dict[str, Any]) -> RehearsalSummary:
    """The same read back. Raises KeyError, TypeError and ValueError."""
    return RehearsalSummary(
        steps=read_whole(raw["steps"], most=INT32),
        without_down=read_whole(raw["withoutDown"], most=INT32),
        milliseconds=read_whole(raw["milliseconds"]),
    )


def parse_unfinished(raw: dict[str, Any]) -> ReportedUnfinished:
    """A step under way, as a report or a status has it. Raises KeyError, TypeError, ValueError."""
    return ReportedUnfinished(
        version=read_text(raw["version"], VERSION_LIMIT),
        name=read_text(raw["name"], NAME_LIMIT),
        direction=read_text(raw["direction"], WORD_LIMIT),
        rows=read_whole(raw["rows"]),
        batches=read_whole(raw["batches"]),
        since=read_text(raw["since"], WORD_LIMIT),
    )


def _parse_backup(raw: dict[str, Any]) -> Backup:
    return Backup(
        name=read_text(raw["name"], NAME_LIMIT),
        size=read_whole(raw["size"]),
        sha256=read_text(raw["sha256"], HASH_LIMIT),
    )


def _parse_error(raw: dict[str, Any]) -> ReportError:
    try:
        reason = Reason(raw["reason"])
    except ValueError:
        reason = Reason.INTERNAL
    return ReportError(
        reason=reason,
        message=read_text(raw.get("message", ""), TEXT_LIMIT),
        retryable=raw.get("retryable") is True,
        sqlstate=_optional_text(raw.get("sqlstate"), WORD_LIMIT),
        file=_optional_text(raw.get("file"), TEXT_LIMIT),
        line=_optional_whole(raw.get("line")),
        column=_optional_whole(raw.get("column")),
        excerpt=_optional_text(raw.get("excerpt"), TEXT_LIMIT),
        detail=_optional_text(raw.get("detail"), TEXT_LIMIT),
        hint=_optional_text(raw.get("hint"), TEXT_LIMIT),
    )


def _optional_text(value: object, limit: int) -> str | None:
    return None if value is None else read_text(value, limit)


def _optional_whole(value: object, most: int = INT64) -> int | None:
    return None if value is None else read_whole(value, most=most)


def _flag(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError("dirty is neither true nor false")
    return value
