"""A Job of the API server, read as a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dbmigrate.api.fields import Document
from dbmigrate.api.names import (
    ACTION_ANNOTATION,
    AFTER_ANNOTATION,
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    PLAN_ANNOTATION,
    TEMPLATE_ANNOTATION,
    UID_LABEL,
)
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.jobs.pod_object import find_image
from dbmigrate.report.bounds import WORD_LIMIT
from dbmigrate.timestamps import parse_timestamp, read_timestamp
from dbmigrate.untrusted import INT32, INT64


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The state of a Job, and why it failed."""

    state: RunState
    finished_at: datetime | None = None
    reason: str | None = None
    """Of the Failed condition."""
    message: str = ""


def read_end(body: Document) -> JobEnd:
    """How a Job has ended, or that it has not."""
    status = body.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or () if c["status"] == "True"}
    failed = conditions.get("Failed")
    if "Complete" in conditions and failed is None:
        return JobEnd(RunState.SUCCEEDED, read_timestamp(status.get("completionTime")))
    if failed is None:
        return JobEnd(RunState.ACTIVE, read_timestamp(status.get("completionTime")))
    return JobEnd(
        RunState.SUCCEEDED if "Complete" in conditions else RunState.FAILED,
        read_timestamp(failed.get("lastTransitionTime")),
        failed.get("reason"),
        failed.get("message", ""),
    )


def parse_run(body: Document) -> JobRun:
    """Read a Job. Raises KeyError or ValueError for a Job that this operator did not make."""
    metadata = body["metadata"]
    labels = metadata["labels"]
    annotations = metadata["annotations"]
    status, end = body.get("status") or {}, read_end(body)
    return JobRun(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        migration_uid=labels[UID_LABEL],
        owner_uid=controller_uid(metadata),
        command=RunCommand(labels[COMMAND_LABEL]),
        generation=read_number(annotations[GENERATION_ANNOTATION], INT64),
        intent=read_hash(annotations[INTENT_ANNOTATION]),
        after=annotations.get(AFTER_ANNOTATION),
        attempt=read_number(annotations[ATTEMPT_ANNOTATION], INT32),
        state=end.state,
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        image=find_image(body),
        action=annotations.get(ACTION_ANNOTATION),
        plan=read_hash(annotations[PLAN_ANNOTATION]) if PLAN_ANNOTATION in annotations else None,
        template=read_hash(annotations.get(TEMPLATE_ANNOTATION, "")),
        is_deleting="deletionTimestamp" in metadata,
        is_suspended=(body.get("spec") or {}).get("suspend") is True,
        started_at=read_timestamp(status.get("startTime")),
        finished_at=end.finished_at,
        failure_reason=end.reason,
        failure_message=end.message,
        deadline_at=_find_deadline(body),
    )


def _find_deadline(body: Document) -> datetime | None:
    started = read_timestamp((body.get("status") or {}).get("startTime"))
    seconds = (body.get("spec") or {}).get("activeDeadlineSeconds")
    if started is None or not isinstance(seconds, int):
        return None
    return started + timedelta(seconds=seconds)


def read_number(text: str, most: int) -> int:
    """A number of an annotation. Raises ValueError."""
    number = int(text) if len(text) < 20 else most + 1
    if not 0 <= number <= most:
        raise ValueError("a number that the operator would not have written")
    return number


def read_hash(text: str) -> str:
    """A word of an annotation. Raises ValueError."""
    if len(text) > WORD_LIMIT:
        raise ValueError("a hash that the operator would not have written")
    return text


def controller_uid(metadata: Document) -> str | None:
    """The uid of the object that owns it."""
    owners = metadata.get("ownerReferences") or ()
    return next((o["uid"] for o in owners if o.get("controller")), None)
