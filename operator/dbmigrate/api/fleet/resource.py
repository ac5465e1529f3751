"""A DatabaseMigrationSet: identity, spec and status together."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.spec import SetSpec, parse_set_spec
from dbmigrate.api.fleet.status import SetStatus, parse_set_status
from dbmigrate.api.migration import Identity, parse_identity
from dbmigrate.api.names import SET_KIND


@dataclass(frozen=True, slots=True)
class SetResource:
    """One resource."""

    identity: Identity
    spec: SetSpec
    status: SetStatus


def parse_set(body: Document) -> SetResource:
    """Read a whole resource. Raises SpecError when its spec is invalid."""
    return SetResource(
        identity=parse_set_identity(body),
        spec=parse_set_spec(body.get("spec") or {}),
        status=parse_set_status(body.get("status") or {}),
    )


def parse_set_identity(body: Document) -> Identity:
    """Read `metadata`."""
    return parse_identity(body, kind=SET_KIND)
