"""The Job of a run, as a document for the API server. Pure.

One Job has one Pod and one attempt: Kubernetes never starts a second Pod by itself
(backoffLimit 0, restartPolicy Never, podReplacementPolicy Failed), because whether
a failed migration may be tried again depends on why it failed. The Pod satisfies
Pod Security `restricted` and has no API token.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dbmigrate.api.fields import Document
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.names import (
    ACTION_ANNOTATION,
    AFTER_ANNOTATION,
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MIGRATION_LABEL,
    PLAN_ANNOTATION,
    RUNNER_CONTAINER,
    UID_LABEL,
    UNKNOWN_CLUSTER,
)
from dbmigrate.api.spec import JobOptions, MigrationSpec
from dbmigrate.api.status import PlanStatus
from dbmigrate.controller.decisions.runs import CHANGING, RunCommand
from dbmigrate.controller.jobs.command_line import (
    GRACE_SECONDS,
    PROGRAM,
    TERMINATION_MESSAGE_PATH,
    format_environment,
    ownership_environment,
    run_arguments,
    run_environment,
)
from dbmigrate.controller.jobs.connection import grant_access, name_secrets
from dbmigrate.controller.jobs.mounts import (
    COPY_USER,
    Mounted,
    mount_backups,
    mount_source,
    mount_temporary,
)
from dbmigrate.controller.jobs.naming import job_name, label_value
from dbmigrate.controller.jobs.rehearsal_server import Sidecar, place_beside

CHECK_DEADLINE = timedelta(minutes=5)
"""For a run that only reads the version: a check that takes longer has no answer."""
TTL_SECONDS = 24 * 3600
"""Finished Jobs are deleted after a day at the latest; while the operator runs, the history limits
apply earlier."""
DEFAULT_RESOURCES: Document = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}
LINUX = {"kubernetes.io/os": "linux"}
"""A cluster may have Windows nodes, which do not refuse a Pod without a toleration."""
POD_SECURITY: Document = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
BACKUP_SECURITY: Document = {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}
"""A new volume belongs to root: by its group the image's user may write to it."""
RUNNER_GROUP = 65532
"""The image's own group: a kubelet takes root's for a user that the base image does not list."""
CONTAINER_SECURITY: Document = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True, slots=True)
class RunOrder:
    """A run that is to be started."""

    command: RunCommand
    intent: str
    attempt: int
    generation: int
    operands: tuple[str, ...] = ()
    """Arguments after the command that the spec does not imply."""
    action: str | None = None
    """The uid of the MigrationAction that ordered it."""
    plan: PlanStatus | None = None
    """The plan that it must match; None: it may take any steps to the target."""
    ordered_by: str | None = None
    """The person's order that it carries out, for the database's log."""
    order_id: str | None = None
    """The identity of that order in the log; None: it may be carried out again."""
    take_over: str | None = None
    """The owner of the database that is gone, and whose place this resource takes."""
    rehearsed_on: str | None = None
    """The major version of the scratch server on which it is rehearsed; None: it is not."""

    def name_for(self, migration: MigrationResource) -> str:
        """The name of its Job."""
        identity = migration.identity
        return job_name(
            identity.name,
            uid=identity.uid,
            command=self.command,
            generation=self.generation,
            intent=self.action or self.intent,
            n=self.attempt,
        )


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a Pod, where the resource names none."""

    runner: str
    rehearsal: str = ""
    """Of the scratch server, with {major} where PostgreSQL's major version belongs."""


def build_job(
    migration: MigrationResource,
    order: RunOrder,
    *,
    images: Images,
    server_version: tuple[int, int],
    cluster: str = UNKNOWN_CLUSTER,
    names_ids: bool = True,
) -> Document:
    """The Job for that order, on a cluster of that name and Kubernetes version.

    `names_ids`: containers that need a user and a volume's group have dbmigrate's own, where the
    resource names none; otherwise the cluster assigns them.
    """
    identity, spec = migration.identity, migration.spec
    beside = None
    if order.rehearsed_on is not None:
        template = spec.job.rehearsal.image or images.rehearsal
        image = template.replace("{major}", order.rehearsed_on)
        beside = place_beside(image, spec.job, names_ids=names_ids)
    mounted = mount_source(spec.source, server_version=server_version)
    last = migration.status.last_run
    annotations = {
        GENERATION_ANNOTATION: str(order.generation),
        INTENT_ANNOTATION: order.intent,
        ATTEMPT_ANNOTATION: str(order.attempt),
        AFTER_ANNOTATION: last.job if last is not None else "",
    }
    if order.action is not None:
        annotations[ACTION_ANNOTATION] = order.action
    if order.plan is not None:
        annotations[PLAN_ANNOTATION] = order.plan.hash
    labels = {
        **spec.job.labels,
        MANAGED_BY_LABEL: MANAGED_BY,
        MIGRATION_LABEL: label_value(identity.name),
        UID_LABEL: identity.uid,
        COMMAND_LABEL: order.command.value,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": order.name_for(migration),
            "namespace": identity.namespace,
            "labels": labels,
            "annotations": {**spec.job.annotations, **annotations},
            "ownerReferences": [identity.owner_reference],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": max(1, round(_find_deadline(spec, order).total_seconds())),
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        **spec.job.annotations,
                        **annotations,
                        **mounted.annotations,
                        **(beside.annotations if beside else {}),
                    },
                },
                "spec": _build_pod(
                    migration, order, mounted, images.runner, beside, cluster, names_ids=names_ids
                ),
            },
        },
    }


def _find_deadline(spec: MigrationSpec, order: RunOrder) -> timedelta:
    deadline = spec.timeouts.deadline
    return min(deadline, CHECK_DEADLINE) if order.command is RunCommand.STATUS else deadline


def _build_pod(
    migration: MigrationResource,
    order: RunOrder,
    mounted: Mounted,
    image: str,
    beside: Sidecar | None,
    cluster: str,
    *,
    names_ids: bool,
) -> Document:
    spec = migration.spec
    arguments = run_arguments(
        spec,
        order.command,
        path=mounted.path,
        operands=order.operands,
        plan_checksum=order.plan.checksum if order.plan else None,
        is_rehearsed=beside is not None,
    )
    environment = [
        *run_environment(spec, order.command),
        *format_environment(spec, migration.status),
        *ownership_environment(
            migration,
            order.command,
            cluster=cluster,
            intent=order.intent,
            ordered_by=order.ordered_by,
            order_id=order.order_id,
            take_over=order.take_over,
        ),
    ]
    return assemble_pod(
        spec,
        mounted,
        task=Task(arguments, environment),
        image=image,
        beside=beside,
        is_backed_up=spec.backup is not None and order.command in CHANGING,
        names_ids=names_ids,
    )


@dataclass(frozen=True, slots=True)
class Task:
    """What a Pod runs."""

    arguments: list[str]
    environment: list[Document]
    more: tuple[tuple[Document, Document], ...] = ()
    """Further volumes, each with the runner's mount of it."""


def assemble_pod(
    spec: MigrationSpec,
    mounted: Mounted,
    *,
    task: Task,
    image: str,
    names_ids: bool,
    beside: Sidecar | None = None,
    is_backed_up: bool = False,
) -> Document:
    """The specification of a Pod that does this."""
    options = spec.job
    access = grant_access(spec.database)
    temporary, place = mount_temporary()
    volumes = [mounted.volume, *access.volumes, temporary, *(volume for volume, _ in task.more)]
    mounts = [mounted.mount, *access.mounts, place, *(mount for _, mount in task.more)]
    if beside is not None:
        volumes += beside.volumes
        mounts.append(beside.mount)
    security = POD_SECURITY
    if spec.backup is not None and is_backed_up:
        volume, mount = mount_backups(spec.backup)
        volumes.append(volume)
        mounts.append(mount)
        if names_ids:
            security = {**POD_SECURITY, **BACKUP_SECURITY}
    # Those of the resource come last, and reach the API server as they are.
    volumes += options.volumes
    mounts += options.volume_mounts
    runner: Document = {
        "name": RUNNER_CONTAINER,
        "image": options.image or image,
        "command": [PROGRAM],
        "args": task.arguments,
        # The operator's own come last: of two variables with one name the last one counts.
        "env": name_secrets([*options.env, *task.environment, *access.env]),
        "volumeMounts": mounts,
        "terminationMessagePath": TERMINATION_MESSAGE_PATH,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    pod: Document = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {**security, **options.pod_security_context},
        "volumes": volumes,
        "containers": [_harden(runner, options, group=RUNNER_GROUP if names_ids else None)],
    }
    copier = COPY_USER if names_ids else None
    first = [_harden(each, options, user=copier) for each in mounted.init_containers]
    first += options.init_containers
    if beside is not None:
        first.append(_harden(beside.container, options, user=beside.user))
    if first:
        pod["initContainers"] = first
    return {**pod, **_placement(options)}


def _harden(
    container: Document, options: JobOptions, *, user: int | None = None, group: int | None = None
) -> Document:
    """The container with its limits; `user` and `group` apply where the resource names none."""
    security = {**CONTAINER_SECURITY, **options.security_context}
    named = {*options.security_context, *options.pod_security_context}
    if user is not None and "runAsUser" not in named:
        security["runAsUser"] = user
    # A user of the resource's choice may have a group of its own in the image.
    if group is not None and named.isdisjoint({"runAsUser", "runAsGroup"}):
        security["runAsGroup"] = group
    resources = container.get("resources") or options.resources or DEFAULT_RESOURCES
    return {**container, "resources": resources, "securityContext": security}


def _placement(options: JobOptions) -> Document:
    fields = {
        "serviceAccountName": options.service_account_name,
        "priorityClassName": options.priority_class_name,
        "nodeSelector": {**LINUX, **options.node_selector},
        "tolerations": options.tolerations,
        "affinity": options.affinity,
        "imagePullSecrets": options.image_pull_secrets,
        "hostAliases": options.host_aliases,
        "dnsConfig": options.dns_config,
        "runtimeClassName": options.runtime_class_name,
    }
    return {name: value for name, value in fields.items() if value}
