"""The volumes for migration files and for backups in the Job's Pod.

Every kind of source becomes a read-only volume of the runner's container and a
path in it. Names and paths of the resource are data in these fields; none of
them is ever part of a command that a shell reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbmigrate.api.fields import Document
from dbmigrate.api.names import COPY_CONTAINER, INLINE_ANNOTATION_PREFIX
from dbmigrate.api.source import (
    ClaimSource,
    ConfigMapsSource,
    ImageMode,
    ImageSource,
    InlineSource,
    Source,
)
from dbmigrate.api.spec import BackupOptions
from dbmigrate.controller.jobs.command_line import BACKUP_PATH, MOUNT_PATH, literal

VOLUME = "migrations"
BACKUP_VOLUME = "backups"
TEMPORARY_VOLUME = "dbmigrate-temporary"
TEMPORARY_PATH = "/tmp"
IMAGE_VOLUMES_SINCE = (1, 35)
"""The first Kubernetes in which image volumes are enabled by default."""

COPY_PATH = "/dbmigrate-copy"
"""Where that container sees the volume: at /migrations it would hide the image's own files."""
COPY_USER = 65532
"""Restricted Pods may not run as root, and an application's image often would."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """What a source adds to the Pod."""

    path: str
    """Where the runner finds the files."""
    volume: Document
    annotations: dict[str, str] = field(default_factory=dict)
    init_containers: tuple[Document, ...] = ()

    @property
    def mount(self) -> Document:
        """The runner's mount of the volume."""
        return {"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}


def mount_backups(backup: BackupOptions) -> tuple[Document, Document]:
    """The volume that backups are written to, and the runner's mount of it."""
    claim = {"claimName": backup.claim.claim}
    volume = {"name": BACKUP_VOLUME, "persistentVolumeClaim": claim}
    return volume, {"name": BACKUP_VOLUME, "mountPath": BACKUP_PATH}


def mount_temporary() -> tuple[Document, Document]:
    """The place for temporary files, since the root file system is read-only."""
    volume = {"name": TEMPORARY_VOLUME, "emptyDir": {}}
    return volume, {"name": TEMPORARY_VOLUME, "mountPath": TEMPORARY_PATH}


def mount_source(source: Source, *, server_version: tuple[int, int]) -> Mounted:
    """The volume for a source, on a cluster of that Kubernetes version."""
    if isinstance(source, ConfigMapsSource):
        sources = [{"configMap": {"name": name}} for name in source.names]
        return Mounted(MOUNT_PATH, {"name": VOLUME, "projected": {"sources": sources}})
    if isinstance(source, InlineSource):
        return _mount_inline(source)
    if isinstance(source, ClaimSource):
        claim = {"claimName": source.claim, "readOnly": True}
        volume = {"name": VOLUME, "persistentVolumeClaim": claim}
        return Mounted(_inside(source.path), volume)
    return _mount_image(source, server_version)


def _mount_inline(source: InlineSource) -> Mounted:
    annotations, items = {}, []
    for number, (name, text) in enumerate(sorted(source.files.items())):
        key = f"{INLINE_ANNOTATION_PREFIX}{number}"
        annotations[key] = text
        field_path = f"metadata.annotations['{key}']"
        items.append({"path": name, "fieldRef": {"fieldPath": field_path}})
    volume = {"name": VOLUME, "downwardAPI": {"items": items}}
    return Mounted(MOUNT_PATH, volume, annotations)


def _mount_image(source: ImageSource, server_version: tuple[int, int]) -> Mounted:
    mode = source.mode
    if mode is ImageMode.AUTO:
        has_volumes = server_version >= IMAGE_VOLUMES_SINCE
        mode = ImageMode.VOLUME if has_volumes else ImageMode.COPY
    policy = {"pullPolicy": source.pull_policy} if source.pull_policy else {}
    if mode is ImageMode.VOLUME:
        image = {"reference": source.reference, **policy}
        return Mounted(_inside(source.path), {"name": VOLUME, "image": image})
    copy: Document = {
        "name": COPY_CONTAINER,
        "image": source.reference,
        # The trailing /. copies what is in the directory, not the directory.
        "command": ["cp", "-R", literal(f"/{source.path}/.".replace("//", "/")), COPY_PATH],
        "volumeMounts": [{"name": VOLUME, "mountPath": COPY_PATH}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if source.pull_policy:
        copy["imagePullPolicy"] = source.pull_policy
    return Mounted(MOUNT_PATH, {"name": VOLUME, "emptyDir": {}}, init_containers=(copy,))


def _inside(path: str) -> str:
    return f"{MOUNT_PATH}/{path}" if path else MOUNT_PATH
