"""Jobs and Pods of the API server, read as those of a set."""

from __future__ import annotations

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.names import (
    ATTEMPT_ANNOTATION,
    GENERATION_ANNOTATION,
    INDEX_ANNOTATION,
    INTENT_ANNOTATION,
    SET_UID_LABEL,
    TEMPLATE_ANNOTATION,
    WAVE_ANNOTATION,
)
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.jobs.job_object import (
    controller_uid,
    read_end,
    read_hash,
    read_number,
)
from dbmigrate.controller.jobs.pod_object import find_image, parse_pod
from dbmigrate.timestamps import parse_timestamp, read_timestamp
from dbmigrate.untrusted import INT32, INT64


def parse_fleet_job(body: Document) -> FleetJob:
    """Read a Job. Raises KeyError or ValueError for a Job that is no set's."""
    metadata, annotations = body["metadata"], body["metadata"]["annotations"]
    wave = annotations.get(WAVE_ANNOTATION)
    shards = body["spec"].get("completions", 1)
    if not isinstance(shards, int) or not 1 <= shards <= MOST_SHARDS:
        raise ValueError("a number of shards that the operator would not have written")
    end, status = read_end(body), body.get("status") or {}
    return FleetJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        set_uid=metadata["labels"][SET_UID_LABEL],
        owner_uid=controller_uid(metadata),
        wave=None if wave is None else read_hash(wave),
        intent=read_hash(annotations[INTENT_ANNOTATION]),
        attempt=read_number(annotations[ATTEMPT_ANNOTATION], INT32),
        state=end.state,
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        generation=read_number(annotations[GENERATION_ANNOTATION], INT64),
        template=read_hash(annotations.get(TEMPLATE_ANNOTATION, "")),
        ended=int(status.get("succeeded") or 0) + int(status.get("failed") or 0),
        image=find_image(body),
        shards=shards,
        is_deleting="deletionTimestamp" in metadata,
        is_suspended=body["spec"].get("suspend") is True,
        started_at=read_timestamp(status.get("startTime")),
        finished_at=end.finished_at,
        failure_reason=end.reason,
        failure_message=end.message,
    )


def parse_shard_pod(body: Document, *, is_gone: bool = False) -> ShardPod:
    """Read a Pod. Raises KeyError or ValueError for a Pod that is no set's."""
    index = (body["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION)
    return ShardPod(
        parse_pod(body, is_gone=is_gone, label=SET_UID_LABEL),
        None if index is None else read_number(index, MOST_SHARDS),
    )
