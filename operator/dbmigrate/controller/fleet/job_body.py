"""The Job of a set, as a document for the API server. Pure.

A wave is one Indexed Job: each index is a shard, and has a Pod until one of them has ended with
exit code 0, which a Pod does when it has tried each target of its shard. A Pod that could not
work is replaced by Kubernetes, one that the cluster has taken away as often as that happens.
The Pod that finds more failures than the wave may have ends the whole Job.
"""

from __future__ import annotations

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.fleet.targets import ConfigMapTargets, ItemTargets
from dbmigrate.api.fleet.waves import dump_waves
from dbmigrate.api.names import (
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    RUNNER_CONTAINER,
    SET_LABEL,
    SET_UID_LABEL,
    TARGETS_ANNOTATION,
    WAVE_ANNOTATION,
    WAVES_ANNOTATION,
)
from dbmigrate.controller.fleet.command_line import (
    ITEMS_FILE,
    LIST_DIRECTORY,
    WAVES_FILE,
    fleet_arguments,
    fleet_environment,
)
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.body import TTL_SECONDS, Images, Task, assemble_pod
from dbmigrate.controller.jobs.mounts import mount_source
from dbmigrate.controller.jobs.naming import label_value
from dbmigrate.controller.jobs.rehearsal_server import place_beside
from dbmigrate.untrusted import INT32

VOLUME = "targets"
EXCEEDED_CODE = 4
"""The runner's exit code: more targets have failed than may."""
TRIES = 3
"""Of a Pod that could not work at all, after the first one."""


def build_fleet_job(
    resource: SetResource,
    order: FleetOrder,
    *,
    images: Images,
    server_version: tuple[int, int],
    cluster: str,
    names_ids: bool,
) -> Document:
    """The Job for that order."""
    identity, template = resource.identity, resource.spec.template
    options = template.job
    mounted = mount_source(template.source, server_version=server_version)
    annotations = {
        GENERATION_ANNOTATION: str(identity.generation),
        INTENT_ANNOTATION: order.intent,
        ATTEMPT_ANNOTATION: str(order.attempt),
    }
    if order.wave is not None:
        annotations[WAVE_ANNOTATION] = order.wave.name
    labels = {
        **options.labels,
        MANAGED_BY_LABEL: MANAGED_BY,
        SET_LABEL: label_value(identity.name),
        SET_UID_LABEL: identity.uid,
        COMMAND_LABEL: order.purpose,
    }
    beside = None
    if order.rehearsed_on is not None:
        image = (options.rehearsal.image or images.rehearsal).replace("{major}", order.rehearsed_on)
        beside = place_beside(image, options, names_ids=names_ids)
    pod = assemble_pod(
        template,
        mounted,
        task=Task(
            fleet_arguments(resource, order, path=mounted.path),
            fleet_environment(resource, order, cluster=cluster),
            more=(_mount_list(resource),),
        ),
        image=images.runner,
        names_ids=names_ids,
        beside=beside,
    )
    # Of each try of a shard: a wave may take as long as its shards need.
    deadline = max(1, round(template.timeouts.deadline.total_seconds()))
    pod["activeDeadlineSeconds"] = deadline
    lists = {WAVES_ANNOTATION: dump_waves(resource.spec.waves)}
    if isinstance(resource.spec.targets, ItemTargets):
        lists[TARGETS_ANNOTATION] = resource.spec.targets.to_json()
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": order.name_for(resource),
            "namespace": identity.namespace,
            "labels": labels,
            "annotations": {**options.annotations, **annotations},
            "ownerReferences": [identity.owner_reference],
        },
        "spec": {
            **(_one_pod() if order.wave is None else _indexed(order)),
            "activeDeadlineSeconds": min(INT32, deadline * _longest_chain(order)),
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        **options.annotations,
                        **annotations,
                        **mounted.annotations,
                        **(beside.annotations if beside else {}),
                        **lists,
                    },
                },
                "spec": pod,
            },
        },
    }


def _longest_chain(order: FleetOrder) -> int:
    """The most Pods that follow one another: one that never starts holds up the Job so long."""
    if order.wave is None:
        return 1
    return -(-order.shards // order.wave.parallelism) * (1 + TRIES)


def _one_pod() -> Document:
    return {"completions": 1, "parallelism": 1, "backoffLimit": 0}


def _indexed(order: FleetOrder) -> Document:
    wave = order.wave
    parallelism = 1 if wave is None else min(wave.parallelism, order.shards)
    return {
        "completionMode": "Indexed",
        "completions": order.shards,
        "parallelism": parallelism,
        "backoffLimitPerIndex": TRIES,
        "maxFailedIndexes": max(1, order.shards // 10),
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": RUNNER_CONTAINER,
                        "operator": "In",
                        "values": [EXCEEDED_CODE],
                    },
                },
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
    }


def _mount_list(resource: SetResource) -> tuple[Document, Document]:
    """One volume with the waves and the list, where that is no query."""
    files = [_from_annotation(WAVES_FILE, WAVES_ANNOTATION)]
    targets = resource.spec.targets
    if isinstance(targets, ItemTargets):
        files.append(_from_annotation(ITEMS_FILE, TARGETS_ANNOTATION))
    sources: list[Document] = [{"downwardAPI": {"items": files}}]
    if isinstance(targets, ConfigMapTargets):
        items = [{"key": targets.key, "path": targets.key}]
        sources.append({"configMap": {"name": targets.name, "items": items}})
    mount = {"name": VOLUME, "mountPath": LIST_DIRECTORY, "readOnly": True}
    return {"name": VOLUME, "projected": {"sources": sources}}, mount


def _from_annotation(path: str, annotation: str) -> Document:
    return {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
