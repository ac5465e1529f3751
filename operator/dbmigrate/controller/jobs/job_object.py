"""A Job of the API server, read as a run."""

from __future__ import annotations

from datetime import datetime, timedelta

from dbmigrate.api.fields import Document
from dbmigrate.api.names import (
    ACTION_ANNOTATION,
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    PLAN_ANNOTATION,
    UID_LABEL,
)
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.jobs.pod_object import find_image
from dbmigrate.report import WORD_LIMIT
from dbmigrate.timestamps import parse_timestamp, read_timestamp
from dbmigrate.untrusted import INT32, INT64


def parse_run(body: Document) -> JobRun:
    """Read a Job. Raises KeyError or ValueError for a Job that this operator did not make."""
    metadata = body["metadata"]
    labels = metadata["labels"]
    annotations = metadata["annotations"]
    status = body.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or () if c["status"] == "True"}
    state, failed = RunState.ACTIVE, conditions.get("Failed")
    if "Complete" in conditions:
        state = RunState.SUCCEEDED
    elif failed is not None:
        state = RunState.FAILED
    finished = read_timestamp(status.get("completionTime"))
    if failed is not None:
        finished = read_timestamp(failed.get("lastTransitionTime"))
    return JobRun(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        migration_uid=labels[UID_LABEL],
        owner_uid=_controller_uid(metadata),
        command=RunCommand(labels[COMMAND_LABEL]),
        generation=_read_number(annotations[GENERATION_ANNOTATION], INT64),
        intent=_read_hash(annotations[INTENT_ANNOTATION]),
        attempt=_read_number(annotations[ATTEMPT_ANNOTATION], INT32),
        state=state,
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        image=find_image(body),
        action=annotations.get(ACTION_ANNOTATION),
        plan=_read_hash(annotations[PLAN_ANNOTATION]) if PLAN_ANNOTATION in annotations else None,
        is_deleting="deletionTimestamp" in metadata,
        started_at=read_timestamp(status.get("startTime")),
        finished_at=finished,
        failure_reason=failed.get("reason") if failed else None,
        failure_message=failed.get("message", "") if failed else "",
        deadline_at=_find_deadline(body),
    )


def _find_deadline(body: Document) -> datetime | None:
    started = read_timestamp((body.get("status") or {}).get("startTime"))
    seconds = (body.get("spec") or {}).get("activeDeadlineSeconds")
    if started is None or not isinstance(seconds, int):
        return None
    return started + timedelta(seconds=seconds)


def _read_number(text: str, most: int) -> int:
    number = int(text) if len(text) < 20 else most + 1
    if not 0 <= number <= most:
        raise ValueError("a number that the operator would not have written")
    return number


def _read_hash(text: str) -> str:
    if len(text) > WORD_LIMIT:
        raise ValueError("a hash that the operator would not have written")
    return text


def _controller_uid(metadata: Document) -> str | None:
    owners = metadata.get("ownerReferences") or ()
    return next((o["uid"] for o in owners if o.get("controller")), None)
