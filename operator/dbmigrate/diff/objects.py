"""What every object of a schema has, and the objects that stand outside of tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from dbmigrate.postgres.schema.catalog import ObjectName


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A privilege of a role."""

    grantee: str
    """As GRANT takes it: a role's name, or PUBLIC."""
    privilege: str
    is_grantable: bool = False


Grants = frozenset[Grant]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNull:
    """NOT NULL of a column; a constraint with a name since PostgreSQL 18."""

    name: str | None = None
    """None before 18, which has no names for it."""
    is_usual: bool = field(default=True, compare=False)
    """It is the name that PostgreSQL gives by itself."""
    is_local: bool = field(default=False, compare=False)
    """A child of a table has it by itself, perhaps in addition to its parent's."""
    is_inherited_by_none: bool = False
    is_validated: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaObject:
    """The fields of every object."""

    name: ObjectName
    address: str
    """How COMMENT ON and DROP name it: `TRIGGER a ON public.t`."""
    schema: str | None = None
    part_of: ObjectName | None = field(default=None, compare=False)
    """The object that it comes and goes with."""
    requires: frozenset[ObjectName] = field(default=frozenset(), compare=False)
    """What has to be there before it, by pg_depend."""
    owner: str | None = None
    grants: Grants | None = None
    """None: nothing was ever granted or revoked, so the defaults hold."""
    comment: str | None = None

    acl_kind: ClassVar[str | None] = None
    """The letter of acldefault(); None where nothing can be granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(SchemaObject):
    """What SQL calls a schema."""

    acl_kind: ClassVar[str | None] = "n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension(SchemaObject):
    """An extension; its members are not compared."""

    home: str
    """The schema of its members."""
    version: str
    is_default_version: bool = field(compare=False)
    updates_to: tuple[str, ...] = field(compare=False, default=())
    """The versions that the server can bring it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSettings:
    """The options of a sequence."""

    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence(SchemaObject):
    """A sequence; that of an identity column is created and set by its column."""

    settings: SequenceSettings
    persistence: str
    owned_by: str | None
    """A column, qualified."""
    is_identity: bool

    acl_kind: ClassVar[str | None] = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumType(SchemaObject):
    """An enum type."""

    labels: tuple[str, ...]

    acl_kind: ClassVar[str | None] = "T"


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain(SchemaObject):
    """A domain; its conditions are separate constraints."""

    base: str
    collation: str | None
    not_null: NotNull | None
    default: str | None

    acl_kind: ClassVar[str | None] = "T"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConstraint(SchemaObject):
    """A check of a domain."""

    domain: str
    constraint: str
    definition: str
    is_validated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite(SchemaObject):
    """A composite type, whose attributes are columns."""

    acl_kind: ClassVar[str | None] = "T"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeType(SchemaObject):
    """A range type."""

    parameters: tuple[str, ...]
    """`subtype = integer`, as CREATE TYPE has them."""

    acl_kind: ClassVar[str | None] = "T"


@dataclass(frozen=True, slots=True, kw_only=True)
class View(SchemaObject):
    """A view, materialized or not."""

    is_materialized: bool
    definition: str
    columns: tuple[str, ...]
    """Name, type and collation of each: what CREATE OR REPLACE VIEW must keep."""
    options: tuple[str, ...]
    tablespace: str | None
    access_method: str | None
    is_populated: bool

    acl_kind: ClassVar[str | None] = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine(SchemaObject):
    """A function or a procedure."""

    definition: str
    """A whole CREATE OR REPLACE statement."""
    shape: str
    """What CREATE OR REPLACE must keep: the result, the names of the arguments."""
    defaults: int
    """How many arguments have a default; CREATE OR REPLACE can't take one away."""
    language: str
    has_text_body: bool = field(compare=False)
    """Its body is a text that is only looked into when it is called, or when it is created."""

    acl_kind: ClassVar[str | None] = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(SchemaObject):
    """An aggregate function."""

    signature: str = field(compare=False)
    shape: str
    kind: str
    """pg_aggregate.aggkind: n, o, h."""
    parameters: tuple[str, ...]

    acl_kind: ClassVar[str | None] = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(SchemaObject):
    """What is created by statements as they are, and never altered: it is created again."""

    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTable(Other):
    """A foreign table, with its columns and checks."""

    acl_kind: ClassVar[str | None] = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper(Other):
    """A foreign-data wrapper."""

    acl_kind: ClassVar[str | None] = "F"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignServer(Other):
    """A foreign server."""

    acl_kind: ClassVar[str | None] = "S"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPrivileges(SchemaObject):
    """The privileges on objects that a role will create."""

    role: str
    object_type: str
    """pg_default_acl.defaclobjtype: r, S, f, T, n, L."""
