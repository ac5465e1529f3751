"""A DatabaseMigration: identity, spec and status together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dbmigrate.api.fields import Document
from dbmigrate.api.names import API_VERSION, MIGRATION_KIND
from dbmigrate.api.spec import MigrationSpec, parse_spec
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.timestamps import parse_timestamp


@dataclass(frozen=True, slots=True)
class Identity:
    """What distinguishes one object of the cluster from all others."""

    namespace: str
    name: str
    uid: str
    generation: int
    created_at: datetime
    is_deleting: bool = False
    kind: str = MIGRATION_KIND

    @property
    def owner_reference(self) -> Document:
        """The owner reference of the resource's Job: the Job is deleted with its resource."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


@dataclass(frozen=True, slots=True)
class MigrationResource:
    """One resource."""

    identity: Identity
    spec: MigrationSpec
    status: MigrationStatus


def parse_identity(body: Document, *, kind: str = MIGRATION_KIND) -> Identity:
    """Read `metadata`."""
    metadata = body["metadata"]
    return Identity(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 1)),
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        is_deleting="deletionTimestamp" in metadata,
        kind=kind,
    )


def parse_migration(body: Document) -> MigrationResource:
    """Read a whole resource. Raises SpecError when its spec is invalid."""
    return MigrationResource(
        identity=parse_identity(body),
        spec=parse_spec(body.get("spec") or {}),
        status=parse_status(body.get("status") or {}),
    )
