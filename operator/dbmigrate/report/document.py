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
from typing import TYPE_CHECKING, Annotated, Any

from dbmigrate.codec import Bound, always, dump, read, wire
from dbmigrate.report.bounds import (
    CHANGED_LIMIT,
    FINDINGS_LIMIT,
    STEPS_LIMIT,
    WORD_LIMIT,
    Count,
    Excerpt,
    FileName,
    Hash,
    Name,
    OwnerText,
    Text,
    VersionText,
    Word,
)
from dbmigrate.report.reasons import Outcome, Reason
from dbmigrate.untrusted import read_text

if TYPE_CHECKING:
    from dbmigrate.report.drift import ReportedDrift
    from dbmigrate.report.fleet import FleetReport
    from dbmigrate.report.preparation import (
        Backup,
        LintFinding,
        RehearsalSummary,
        ReportedUnfinished,
    )

SCHEMA_VERSION = 1

TERMINATION_MESSAGE_LIMIT = 4096
"""Bytes that a kubelet keeps of a termination message."""


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

    @staticmethod
    def lazy_parts() -> dict[str, Any]:
        """The classes of the fields above that few runs fill: they are imported where a report
        is read."""
        from dbmigrate.report import drift, fleet, preparation

        return {**vars(drift), **vars(fleet), **vars(preparation)}

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
"""Where room is short, the number of findings that are kept in addition to the steps: the worst."""


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
        for count in reversed(range(len(fleet.failures))):
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
    for count in reversed(range(len(shown))):
        yield replace(drift, differences=shown[:count])


def _shorten(text: str | None, size: int) -> str | None:
    return text if text is None or len(text) <= size else text[: size - 3] + "..."


def is_checksum(value: object) -> bool:
    """Whether it is a SHA-256 as a plan has it."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None
