"""The document of `migrate apply`: Atlas's MigrateApply, gathered while we run.

The recorder observes the run instead of the narrator: a document has no lines about steps,
but a lock that is waited for is still reported on the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.output.atlas.document import (
    Document,
    Moment,
    environment_document,
    file_document,
)
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import SYNTAX_ERROR
from dbmigrate.postgres.history.formats.atlas_errors import driver_text
from dbmigrate.runner.observer import Notice, Observer, Progress

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.other_sessions import OtherSession
    from dbmigrate.runner.planning.step import PlannedStep
    from dbmigrate.sources.migration import Script

STATEMENT_ERROR = "migration failed: "
"""What our message says before the server's own words."""


class ApplyRecorder(Observer):
    """Remembers what the document needs, and passes on what can't wait."""

    def __init__(self, observer: Observer, *, passes_steps: bool = False) -> None:
        self._observer = observer
        self._passes_steps = passes_steps
        """Whether people may read along: the report comes at the end alone."""
        self.start = Moment.now()
        self.steps: tuple[PlannedStep, ...] = ()
        self.done = 0
        self.is_planned = False
        """Before that there is nothing to tell but an error."""
        self.started: dict[int, Moment] = {}
        """By the number of the step."""
        self.ran: dict[int, float] = {}
        """Seconds that a step took that is done."""

    def planned(self, steps: Sequence[PlannedStep], done: int = 0) -> None:
        """The steps to come."""
        self.steps, self.done, self.is_planned = tuple(steps), done, True

    def step_started(self, step: PlannedStep) -> None:
        """It is under way; perhaps once more, after a lock was not to be had."""
        self.started[self._number(step)] = Moment.now()
        if self._passes_steps:
            self._observer.step_started(step)

    def step_finished(self, step: PlannedStep, read_seconds: float, run_seconds: float) -> None:
        """It is done."""
        self.ran[self._number(step)] = read_seconds + run_seconds
        if self._passes_steps:
            self._observer.step_finished(step, read_seconds, run_seconds)

    def notice(self, notice: Notice) -> None:
        """Passed on."""
        self._observer.notice(notice)

    def waiting_for_lock(self, holders: tuple[OtherSession, ...]) -> None:
        """Passed on."""
        self._observer.waiting_for_lock(holders)

    def blocked(self, by: tuple[OtherSession, ...]) -> None:
        """Passed on."""
        self._observer.blocked(by)

    def progress(self, progress: Progress) -> None:
        """Passed on."""
        self._observer.progress(progress)

    def _number(self, step: PlannedStep) -> int:
        places = (n for n, each in enumerate(self.steps) if each.version == step.version)
        return next(places, len(self.steps))


def apply_document(
    teller: ApplyRecorder,
    error: MigrationError | None,
    *,
    url: Mapping[str, str],
    directory: str,
    version: str,
    is_dry: bool = False,
) -> Document:
    """`version` is the database's now."""
    steps = teller.steps
    current, target = version, ""
    if steps:
        before = steps[0].version if teller.done else steps[0].before
        current, target = "" if before is None else str(before), str(steps[-1].version)
    pending = [_file(step) for step in steps]
    shown = range(len(steps)) if is_dry else sorted(teller.started)
    applied = [_applied_file(teller, number, error) for number in shown]
    fields = {
        **environment_document(url, directory),
        "Pending": pending,
        "Applied": applied,
        "Current": current,
        "Target": target,
        "Start": teller.start,
        "End": Moment.now(),
        "Error": _sentence(applied, error),
        "Message": _message(applied, error, current, target),
    }
    return Document(fields, kept=("Start", "End"))


def _message(
    applied: Sequence[Document], error: MigrationError | None, current: str, target: str
) -> str:
    if error is not None:
        return ""
    if not applied:
        return "No migration files to execute"
    total = f"{len(applied)} migrations in total"
    return f"Migrated to version {target} from {current} ({total})"


def in_atlas_words(document: Document, error: MigrationError) -> MigrationError:
    """The error with the sentence of the document, and the place in the file."""
    return error.but(message=document["Error"] or None)


def _sentence(applied: Sequence[Document], error: MigrationError | None) -> str:
    """What went wrong, in the words in which Atlas wraps it."""
    if error is None:
        return ""
    failed = applied[-1]["Error"] if applied else None
    if failed is None or not failed["Stmt"]:
        return error.message
    statement, version = (
        json.dumps(text, ensure_ascii=False) for text in (failed["Stmt"], applied[-1]["Version"])
    )
    return f"sql/migrate: executing statement {statement} from version {version}: {failed['Text']}"


def _file(step: PlannedStep) -> Document:
    name = step.script.file if step.script else ""
    return file_document(name, str(step.version), step.description)


def _applied_file(teller: ApplyRecorder, number: int, error: MigrationError | None) -> Document:
    step = teller.steps[number]
    start = teller.started.get(number, teller.start)
    failed = error if error is not None and number == max(teller.started, default=-1) else None
    if number in teller.ran:
        failed = None
    skipped = teller.done if number == 0 else 0
    statements = statements_of(step.script)
    problem = None
    if failed is not None:
        at, position = _failed_statement(step.script, failed)
        text = failed.message.removeprefix(STATEMENT_ERROR)
        stmt = statements[at] if at is not None else ""
        if failed.sqlstate:
            text = driver_text(text, failed.sqlstate, stmt, position)
        problem = Document({"Stmt": stmt, "Text": text})
        statements = statements[: at + 1] if at is not None else []
    fields: dict[str, Any] = {
        **_file(step),
        "Start": start,
        "End": start.after(teller.ran[number]) if number in teller.ran else Moment.now(),
        "Skipped": skipped,
        "Applied": statements[skipped:],
        "Error": problem,
    }
    return Document(fields, kept=("Start", "End"))


def statements_of(script: Script | None) -> list[str]:
    """The statements of a script as Atlas sends them."""
    if script is None or script.cut is None:
        return []
    sql = script.load()
    return [sql[start:end].decode() for start, end in script.cut()]


def _failed_statement(
    script: Script | None, error: MigrationError
) -> tuple[int | None, int | None]:
    """Which one it was, by the place that the error has, and at which of its characters,
    counted from 1. None: it has no place in this file; the server named none.
    """
    place = error.location
    if script is None or script.cut is None or place is None or place.line is None:
        return None, None
    if place.file != script.file:
        return None, None
    sql = script.load()
    lines = sql.split(b"\n")
    at = sum(len(line) + 1 for line in lines[: place.line - 1])
    if place.column is not None:
        at += len(lines[place.line - 1].decode()[: place.column - 1].encode())
    spans = script.cut()
    number = next((n for n, (_, end) in enumerate(spans) if end > at), len(spans) - 1)
    position = len(sql[spans[number][0] : at].decode()) + 1
    # An error without a place has that of its statement.
    is_known = position > 1 or error.sqlstate == SYNTAX_ERROR
    return number, position if is_known else None
