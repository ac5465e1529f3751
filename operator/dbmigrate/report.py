"""The report of one run of the runner, and how it is written.

The runner writes it (`--report FILE`, `--json`, a Job's termination message),
the operator reads it. It is the contract between the two parts, so this module
imports neither. Kubernetes keeps 4,096 bytes of a termination message: what does
not fit is cut from the steps first and from texts next, never from the version,
the dirty flag or the error's reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from dbmigrate.codec import Bound, always, dump, read, wire
from dbmigrate.policies import OWNER_LIMIT
from dbmigrate.untrusted import INT32, read_text

__all__ = [
    "RETRYABLE",
    "SCHEMA_VERSION",
    "TERMINATION_MESSAGE_LIMIT",
    "Backup",
    "FleetCounts",
    "FleetFailure",
    "FleetReport",
    "FleetVersion",
    "FleetWave",
    "LintFinding",
    "Outcome",
    "Reason",
    "RehearsalSummary",
    "Report",
    "ReportError",
    "ReportedDifference",
    "ReportedDrift",
    "ReportedUnfinished",
    "Step",
    "UnknownReport",
]

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
STEPS_LIMIT, FINDINGS_LIMIT, CHANGED_LIMIT, FAILURES_LIMIT = 200, 20, 100, 50
WAVES_LIMIT = VERSIONS_LIMIT = DIFFERENCES_LIMIT = 20
"""Items that are kept of each list."""

VersionText = Annotated[str, Bound(VERSION_LIMIT)]
OwnerText = Annotated[str, Bound(OWNER_LIMIT)]
Name = Annotated[str, Bound(NAME_LIMIT)]
Word = Annotated[str, Bound(WORD_LIMIT)]
Hash = Annotated[str, Bound(HASH_LIMIT)]
FileName = Annotated[str, Bound(FILE_LIMIT)]
Excerpt = Annotated[str, Bound(EXCERPT_LIMIT)]
Text = Annotated[str, Bound(TEXT_LIMIT)]
Count = Annotated[int, Bound(INT32)]


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
    CONNECTION_INVALID = "ConnectionInvalid"
    """The URL, or another setting of the connection, with which no login can work."""
    DATABASE_MISSING = "DatabaseMissing"
    LOCK_TIMEOUT = "LockTimeout"
    BLOCKED_BY_QUERY = "BlockedByQuery"
    STATEMENT_FAILED = "StatementFailed"
    DIRTY = "Dirty"
    DATABASE_CONFLICT = "DatabaseConflict"
    ROLLED_BACK = "RolledBack"
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
    ALREADY_DONE = "AlreadyDone"
    """An order that the database's log has as carried out."""
    LINT_REJECTED = "LintRejected"
    REHEARSAL_FAILED = "RehearsalFailed"
    REHEARSAL_UNAVAILABLE = "RehearsalUnavailable"
    RUNNER_OUTDATED = "RunnerOutdated"
    """The operator's word: the runner's image lacks what the resource asks for."""
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
    """One script that was run in one direction or, in the report of a plan, would be run."""

    version: VersionText
    name: Name
    direction: Word
    """`up` or `down`."""
    milliseconds: int
    destructive: bool = False
    """Of a plan: data would be lost."""
    excerpt: Excerpt | None = None
    """Of a plan: a few words of the SQL, those that lose data where some do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that a run made before it changed anything, or that was its only purpose."""

    name: Name
    """The name of its file, without the directory."""
    size: int
    """Bytes."""
    sha256: Hash


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A finding of lint about a script that was, or would be, run."""

    rule: Word
    severity: Word
    """`error` or `warning`."""
    file: FileName
    line: int
    """Counted from 1."""
    message: Excerpt


@dataclass(frozen=True, slots=True)
class RehearsalSummary:
    """A successful rehearsal, before the steps were run."""

    steps: Count
    without_down: Count
    """How many of them have no down script: they went up alone."""
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ReportedDifference:
    """An object of the live schema that was added, changed or dropped by hand."""

    change: Word
    """`added`, `changed` or `dropped`."""
    kind: Word
    name: Excerpt
    details: Excerpt | None = None
    """What has changed."""
    undo: Excerpt | None = None
    """The statements that would undo it; None: they are not known, or there is no room."""

    def __str__(self) -> str:
        return f"{self.change} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ReportedDrift:
    """How the live schema differs from the one that the applied migrations make."""

    differences_total: Count = always(0)
    checksum: Hash = always("")
    """SHA-256 over all of them, by which two reports are compared."""
    differences: Annotated[tuple[ReportedDifference, ...], Bound(DIFFERENCES_LIMIT)] = ()
    """The first ones."""


@dataclass(frozen=True, slots=True)
class ReportedUnfinished:
    """A step in batches that is not finished: dirty, and the next run continues it."""

    version: VersionText
    name: Name
    direction: Word
    rows: int
    batches: int
    since: Word = wire(absent="", always=True)
    """RFC 3339, by the server's clock."""


@dataclass(frozen=True, slots=True)
class ReportError:
    """What stopped a run, and where."""

    reason: Reason = wire(unknown=Reason.INTERNAL)
    message: Text = always("")
    retryable: bool = always(False)
    sqlstate: Word | None = None
    file: Text | None = None
    line: int | None = None
    """Counted from 1."""
    column: int | None = None
    """Counted from 1, in characters."""
    excerpt: Text | None = None
    """The line of SQL and a caret below the column, for people."""
    detail: Text | None = None
    hint: Text | None = None


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """The states of a fleet's targets. Each target is counted once, but the migrated ones are
    among the current ones."""

    total: Count
    current: Count = always(0)
    migrated: Count = always(0)
    """The current targets that this run has migrated."""
    pending: Count = always(0)
    failed: Count = always(0)
    dirty: Count = always(0)
    unreachable: Count = always(0)
    skipped: Count = always(0)
    """The targets that were not begun."""


@dataclass(frozen=True, slots=True)
class FleetFailure:
    """One target that failed."""

    name: Name
    outcome: Word
    """`failed`, `dirty` or `unreachable`."""
    reason: Reason = wire(unknown=Reason.INTERNAL)
    message: Excerpt = always("")
    file: FileName | None = None
    line: int | None = None
    """Counted from 1."""


@dataclass(frozen=True, slots=True)
class FleetWave:
    """A wave of a fleet, and how many targets of the list it takes."""

    name: Name
    targets: Count = always(0)


@dataclass(frozen=True, slots=True)
class FleetVersion:
    """A version at which targets are that are behind, and the plan that leads on from there."""

    version: VersionText
    """Empty: nothing is applied."""
    targets: Count
    sample: Name
    """The target on which the plan was made, linted and rehearsed."""
    checksum: Hash = always("")


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The result of a run on many targets."""

    counts: FleetCounts
    wave: Name | None = None
    shard: Word | None = None
    """`3/200`; None: all targets."""
    failures: Annotated[tuple[FleetFailure, ...], Bound(FAILURES_LIMIT)] = ()
    """The first failures; the counts have all."""
    waves: Annotated[tuple[FleetWave, ...], Bound(WAVES_LIMIT)] = ()
    """Of a survey."""
    versions: Annotated[tuple[FleetVersion, ...], Bound(VERSIONS_LIMIT)] = ()
    """Of a survey with samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. Versions are strings: they may exceed what JSON readers count exactly."""

    schema_version: int = always(SCHEMA_VERSION)
    command: Text
    outcome: Outcome
    from_version: VersionText | None = wire(key="from", always=True, default=None)
    version: VersionText | None = always()
    """The version of the database after the run; None: no migration is applied, or not known."""
    dirty: bool | None = always()
    """None: not known, the database could not be asked."""
    target: VersionText | None = always(None)
    pending: Count | None = always(None)
    server_version: Word | None = None
    """PostgreSQL's own, such as 17.10; None: the database could not be asked."""
    format: Word | None = None
    """Whose files the database was migrated with; None: not known, or there is no history yet."""
    error: ReportError | None = always(None)
    fleet: FleetReport | None = None
    """Of a run on many targets. `version` and `dirty` are not known then."""
    unfinished: ReportedUnfinished | None = None
    """Why the database is dirty, where that is no damage."""
    backup: Backup | None = None
    rehearsal: RehearsalSummary | None = wire(key="rehearsed", default=None)
    plan_checksum: Hash | None = None
    """Of a plan: SHA-256 over its steps and their scripts, by which a run can be held to it."""
    changed: Annotated[tuple[FileName, ...], Bound(CHANGED_LIMIT)] = ()
    """Of a status: the first applied files that were edited afterwards."""
    findings: Annotated[tuple[LintFinding, ...], Bound(FINDINGS_LIMIT)] = ()
    """What lint has found in the pending scripts, the worst first."""
    findings_total: Count = 0
    """All of them; the report holds some."""
    drift: ReportedDrift | None = wire(key="drifted", default=None)
    """Of a drift check; None: none was made."""
    owner: OwnerText | None = None
    """Who migrates the database, by its log; None: the log does not say, or was not read."""
    database: Word | None = None
    """The server's system identifier and the database's oid; None: not asked, or not known."""
    restored: FileName | None = None
    """The backup that was put into the database, where nothing was migrated since."""
    steps: Annotated[tuple[Step, ...], Bound(STEPS_LIMIT)] = always(())
    steps_total: Count = always(0)
    tool_version: Name = always("")
    started_at: Word = always("")
    """RFC 3339, UTC."""
    milliseconds: int = always(0)

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
            report = read(cls, raw)
            if report.plan_checksum is not None and not is_checksum(report.plan_checksum):
                raise ValueError("planChecksum is no SHA-256")
            return report
        except (KeyError, ValueError) as error:
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
        raise UnknownReport(f"not a known report: its outcome is {outcome[:64]!r}, by {runner}")


_FEW_FINDINGS = 3
"""Where room is short, the worst that stay beside the steps."""


def _dump(report: Report) -> str:
    written = json.dumps(dump(report), ensure_ascii=False, separators=(",", ":"))
    # A file's name may be no UTF-8: the stray byte then is an escape that JSON knows.
    return written.encode("utf-8", "backslashreplace").decode()


def _cut(report: Report, limit: int) -> str:
    """The first of the smaller reports that fits, or else the smallest."""
    text = ""
    for smaller in _cut_report(report):
        text = _dump(smaller)
        if len(text.encode()) <= limit:
            break
    return text


def _cut_report(report: Report) -> Iterator[Report]:
    """The same with less and less: without failures of a fleet, differences, findings and the
    oldest steps, then with the error's texts halved."""
    fleet = report.fleet
    if fleet is not None:
        for count in range(len(fleet.failures) - 1, -1, -1):
            report = replace(report, fleet=replace(fleet, failures=fleet.failures[:count]))
            yield report
    if report.drift is not None:
        for drift in _cut_drift(report.drift):
            report = replace(report, drift=drift)
            yield report
    report = replace(report, findings=report.findings[:_FEW_FINDINGS])
    yield report
    while report.steps:
        report = replace(report, steps=report.steps[len(report.steps) // 2 + 1 :])
        yield report
    report = replace(report, changed=(), findings=())
    yield report
    error, size = report.error, 1024
    while error is not None and size >= 16:
        error = replace(
            error,
            message=_shorten(error.message, size) or "",
            detail=_shorten(error.detail, size // 2),
            hint=_shorten(error.hint, size // 2),
            excerpt=_shorten(error.excerpt, size // 2),
            file=_shorten(error.file, 256),
        )
        report = replace(report, error=error)
        yield report
        size //= 2
    yield replace(report, command=report.command[:256])


def _cut_drift(drift: ReportedDrift) -> Iterator[ReportedDrift]:
    """The same with less and less: without statements, with short details, with fewer of them."""
    shown = tuple(replace(each, undo=None) for each in drift.differences)
    yield replace(drift, differences=shown)
    for size in (256, 64, 0):
        yield replace(
            drift,
            differences=tuple(
                replace(each, details=_shorten(each.details, size) if size else None)
                for each in shown
            ),
        )
    shown = tuple(replace(each, details=None) for each in shown)
    for count in range(len(shown) - 1, -1, -1):
        yield replace(drift, differences=shown[:count])


def _shorten(text: str | None, size: int) -> str | None:
    return text if text is None or len(text) <= size else text[: size - 3] + "..."


def is_checksum(value: object) -> bool:
    """Whether it is a SHA-256 as a plan has it."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None
