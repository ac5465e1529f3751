"""A DatabaseMigration for display, and finding it by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import Identity, parse_identity
from dbmigrate.api.names import MIGRATION_KIND, MIGRATIONS
from dbmigrate.api.source import SourceFormat
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.collection import Collection, list_all
from dbmigrate.kubectl.problems import Missing, RequestFailed
from dbmigrate.printable import lines


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, its texts free of control characters."""

    identity: Identity
    status: MigrationStatus
    database: str
    """The database's name, or the Secret that has its address."""
    approval: str
    form: SourceFormat
    """The format of its files, as far as it says."""
    body: Document
    """As the API server has it."""

    @property
    def name(self) -> str:
        """Its name in its namespace."""
        return self.identity.name

    @property
    def ready(self) -> Condition | None:
        """The condition Ready."""
        return self.status.condition(ConditionType.READY)

    @property
    def reason(self) -> str | None:
        """The reason of Ready."""
        return self.ready.reason if self.ready is not None else None

    @property
    def is_observed(self) -> bool:
        """Whether the status is about the present generation."""
        return self.status.observed_generation == self.identity.generation

    @property
    def is_ready(self) -> bool:
        """Whether the present generation is Ready."""
        return self.is_observed and self._is_true(ConditionType.READY)

    @property
    def is_stalled(self) -> bool:
        """Whether the present generation waits for a person to act."""
        return self.is_observed and self._is_true(ConditionType.STALLED)

    @property
    def is_approved(self) -> bool:
        """Whether its plan may be run."""
        return self._is_true(ConditionType.APPROVED)

    @property
    def has_drifted(self) -> bool:
        """Whether its live schema differs from what its migrations make."""
        return self._is_true(ConditionType.SCHEMA_DRIFTED)

    def _is_true(self, kind: ConditionType) -> bool:
        condition = self.status.condition(kind)
        return condition is not None and condition.status is Truth.TRUE


def read_resource(body: Document) -> Resource:
    """Read a resource from its body; an invalid part of the spec is left empty."""
    spec = _section(body, "spec")
    return Resource(
        identity=parse_identity(body),
        status=parse_status(_make_safe(_section(body, "status"))),
        database=lines(_name_database(_section(spec, "database"))),
        approval=str(spec.get("approval", "Automatic")),
        form=_read_format(_section(spec, "source").get("format")),
        body=body,
    )


def migrations(namespace: str | None) -> Collection:
    """The DatabaseMigrations of a namespace, or of all."""
    return Collection(MIGRATIONS, namespace)


def find_resource(kubectl: Kubectl, name: str) -> Resource:
    """The resource of that name. Raises ClusterError, which names similar ones."""
    collection = migrations(kubectl.namespace)
    try:
        return read_resource(kubectl.get(f"{collection.path}/{name}"))
    except Missing:
        raise explain_missing(kubectl, name) from None


def explain_missing(kubectl: Kubectl, name: str) -> Missing:
    """The message for a name that no resource has."""
    namespace = kubectl.namespace
    try:
        found = [key[1] for key in list_all(kubectl, migrations(namespace)).objects]
    except RequestFailed:
        found = []  # it may be forbidden, and is only a suggestion
    return Missing(describe_missing(name, namespace, found))


def describe_missing(name: str, namespace: str, others: list[str]) -> str:
    """The same, given the existing names."""
    import difflib  # a mistake may take a little longer

    said = f"there is no {MIGRATION_KIND} {name} in namespace {namespace}"
    similar = difflib.get_close_matches(name, others, n=3, cutoff=0.5)
    if similar:
        return f"{said}; there is {', '.join(similar)}"
    if others:
        return f"{said}; kubectl dbmigrate status lists those that there are"
    return f"{said}, nor any other; is it the right namespace (-n)?"


def _name_database(database: Document) -> str:
    connection = _section(database, "connection")
    if connection:
        return str(connection.get("dbname", ""))
    name = _section(_section(database, "urlFrom"), "secretKeyRef").get("name", "")
    return f"secret/{name}" if name else ""


def _read_format(word: object) -> SourceFormat:
    """A value that this plugin does not know counts as absent."""
    known = [form for form in SourceFormat if form.value == word]
    return known[0] if known else SourceFormat.AUTO


def _section(body: Document, name: str) -> Document:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _make_safe(value: Any) -> Any:
    """Every text in a document, safe to show."""
    if isinstance(value, str):
        return lines(value)
    if isinstance(value, dict):
        return {key: _make_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_make_safe(item) for item in value]
    return value
