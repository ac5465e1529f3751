"""One resource in full: its state, what went wrong and where, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dbmigrate.api.status import HistoryEntry, LastRun, MigrationStatus, describe_unfinished
from dbmigrate.kubectl.resource import Resource
from dbmigrate.kubectl.text.advice import advise
from dbmigrate.kubectl.text.ages import age_of, format_age
from dbmigrate.kubectl.text.drift import summarize_drift
from dbmigrate.kubectl.text.plans import count_steps
from dbmigrate.kubectl.text.rows import NONE, judge
from dbmigrate.kubectl.text.table import Cell, TextTable, Tone
from dbmigrate.kubectl.text.trials import describe_findings, describe_rehearsal

_WIDTH = 12
SHOWN_STEPS = 5
"""Newest steps; the status has twenty, the database all."""


def describe(resource: Resource, now: datetime) -> Iterator[list[Cell]]:
    """The lines, as `status NAME` prints them."""
    identity, status = resource.identity, resource.status
    yield _field("Name", identity.name)
    yield _field("Namespace", identity.namespace)
    yield _field("Database", resource.database or NONE)
    yield from _describe_standing(resource, now)
    if status.owner is not None:
        yield _field("Owner", status.owner)
    yield _field("Version", _describe_version(status))
    if status.server_version is not None:
        yield _field("PostgreSQL", status.server_version)
    if status.unfinished is not None:
        yield _field("Dirty", f"true: {describe_unfinished(status.unfinished)}", Tone.BUSY)
    elif status.dirty:
        yield _field("Dirty", "true: a step was started and not finished", Tone.BAD)
    if status.last_run is not None:
        yield from _describe_run(status.last_run, now)
    if status.next_retry_at is not None:
        wait = format_age(status.next_retry_at - now)
        yield _field("Next try", f"in {wait}" if status.next_retry_at > now else "now")
    if status.plan is not None:
        said = "approved" if resource.is_approved else "not approved"
        yield _field("Plan", f"{status.plan.hash}: {count_steps(status.plan)}, {said}")
    drift = summarize_drift(resource)
    if drift is not None:
        yield _field("Drift", *drift)
    if status.history:
        yield from _describe_history(status.history, now)
    for index, command in enumerate(advise(resource)):
        yield _field("Next" if index == 0 else "", command)


def _describe_standing(resource: Resource, now: datetime) -> Iterator[list[Cell]]:
    ready, identity = resource.ready, resource.identity
    if ready is None:
        age = format_age(now - identity.created_at)
        text = f"Unknown: no operator has reconciled it in {age}; does one run for this namespace?"
        yield _field("Ready", text, Tone.BUSY)
        return
    since = format_age(now - ready.last_transition_time)
    yield _field("Ready", f"{ready.status.value}, {ready.reason}, for {since}", judge(resource))
    if not resource.is_observed:
        seen = resource.status.observed_generation
        text = f"this refers to generation {seen}; the operator has not seen {identity.generation}"
        yield _field("", text, Tone.BUSY)
    for index, line in enumerate(ready.message.splitlines()):
        yield _field("Message" if index == 0 else "", line)


def _describe_version(status: MigrationStatus) -> str:
    version, target = status.version or "none", status.target or "not known"
    if status.pending is None:
        return f"{version}, target {target}"
    return f"{version}, target {target}, {status.pending} pending"


def _describe_run(run: LastRun, now: datetime) -> Iterator[list[Cell]]:
    outcome = run.outcome.value if run.outcome else "under way"
    words = [f"{run.command}: {outcome}", f"attempt {run.attempts}"]
    if run.milliseconds is not None:
        words.append(f"{run.milliseconds} ms")
    age = age_of(run.finished_at or run.started_at, now)
    if age is not None:
        words.append(f"{age} ago")
    yield _field("Last run", ", ".join(words))
    yield _field("", f"Job {run.job}")
    rehearsed = describe_rehearsal(run.trial)
    if rehearsed is not None:
        yield _field("Rehearsal", rehearsed)
    for index, finding in enumerate(describe_findings(run.trial)):
        yield _field("Findings" if index == 0 else "", finding.text, finding.tone)
    error = run.error
    if error is None:
        return
    place = ":".join(str(part) for part in (error.file, error.line, error.column) if part)
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    yield _field("Error", f"{error.reason.value}{code}{' at ' if place else ''}{place}", Tone.BAD)
    for text in (error.message, error.excerpt, error.detail, error.hint):
        for line in (text or "").splitlines():
            yield _field("", line)


def _describe_history(history: tuple[HistoryEntry, ...], now: datetime) -> Iterator[list[Cell]]:
    yield [Cell("Newest steps:")]
    table = TextTable(["VERSION", "NAME", "DIRECTION", "TOOK", "AGE"])
    rows = [
        [
            Cell(entry.version),
            Cell(entry.name),
            Cell(entry.direction),
            Cell(f"{entry.milliseconds} ms"),
            Cell(age_of(entry.finished_at, now) or NONE),
        ]
        for entry in history[:SHOWN_STEPS]
    ]
    for line in table.draw(rows, with_head=True):
        yield [Cell("  "), *line]


def _field(name: str, text: str, tone: Tone = Tone.PLAIN) -> list[Cell]:
    label = f"{name}:" if name else ""
    return [Cell(label.ljust(_WIDTH)), Cell(text, tone)]
