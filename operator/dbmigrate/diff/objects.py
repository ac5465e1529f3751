"""The kinds of objects, each with the fields that can differ.

Names, types and expressions are texts in the server's own words: qualified, and quoted
where SQL needs it. Two objects are equal if a migration has nothing to do between them;
fields that only say how objects are connected are not compared.
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(SchemaObject):
    """A table, without its parts."""

    is_partitioned: bool
    persistence: str
    """p: permanent, u: unlogged."""
    partition_key: str | None
    options: tuple[str, ...]
    """Storage parameters, those of its TOAST table with `toast.` before them."""
    tablespace: str | None
    access_method: str | None
    row_security: bool
    forces_row_security: bool
    replica_identity: str
    """d: the primary key, n: nothing, f: the whole row, i: an index, which knows it."""
    of_type: str | None
    inherits: tuple[str, ...]
    """Parents, but for the parent of a partition."""
    partition_of: str | None = field(compare=False)
    """The attachment is an object of its own."""

    acl_kind: ClassVar[str | None] = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNull:
    """NOT NULL of a column; a constraint with a name since PostgreSQL 18."""

    name: str | None = None
    """None before 18, which has no names for it."""
    is_usual: bool = field(default=True, compare=False)
    """It is the name that PostgreSQL gives by itself."""
    is_local: bool = field(default=False, compare=False)
    """A child of a table has it by itself, perhaps beside its parent's."""
    is_inherited_by_none: bool = False
    is_validated: bool = True


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
class Column(SchemaObject):
    """A column of a table, a view or a composite type."""

    relation: str
    relation_kind: str = field(compare=False)
    """pg_class.relkind."""
    column: str
    position: int = field(compare=False)
    """Only to write new tables as they were written."""
    type: str
    base_type: str = field(compare=False)
    """Without a limit in parentheses; of a domain, what it stands on."""
    collation: str | None
    """None: the type's own."""
    not_null: NotNull | None
    identity: str
    """a: ALWAYS, d: BY DEFAULT, or nothing."""
    identity_sequence: str | None = None
    settings: SequenceSettings | None = None
    """Of the identity's sequence."""
    generated: str
    """s: STORED, v: VIRTUAL, or nothing."""
    expression: str | None
    """What a generated column is generated from."""
    storage: str
    default_storage: str = field(compare=False)
    compression: str
    statistics: int | None
    options: tuple[str, ...]
    is_inherited: bool = field(compare=False)
    """It has come from a parent, and has no definition of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Default(SchemaObject):
    """The default of a column."""

    relation: str
    column: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint(SchemaObject):
    """A constraint of a table, except for NOT NULL."""

    table: str
    is_on_partitioned: bool = field(compare=False)
    constraint: str
    """Its name alone."""
    type: str
    """pg_constraint.contype: c, f, p, u, x."""
    definition: str
    is_validated: bool
    is_enforced: bool
    is_inherited: bool = field(compare=False)
    columns: tuple[str, ...] = field(compare=False)
    references: str | None = field(compare=False)
    """The table that a foreign key leads to."""
    index: str | None = field(compare=False)
    index_definition: str | None = field(compare=False)
    """As CREATE INDEX would have it, of the index behind it."""
    index_options: tuple[str, ...]
    tablespace: str | None
    is_replica_identity: bool
    is_clustered: bool

    @property
    def has_index(self) -> bool:
        """Whether an index belongs to it."""
        return self.type in "pux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(SchemaObject):
    """An index that does not belong to a constraint."""

    table: str
    table_kind: str = field(compare=False)
    index: str
    """Its name alone."""
    definition: str
    is_valid: bool
    is_replica_identity: bool
    is_clustered: bool
    statistics: tuple[str, ...]
    """`2 500`: the number of the column, and its target."""
    parent: str | None = field(compare=False)
    """The index of the partitioned table that it is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment(SchemaObject):
    """That a table is a partition of another."""

    parent: str
    child: str
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAttachment(SchemaObject):
    """That an index is a part of a partitioned one."""

    parent: str
    child: str
    child_table: str = field(compare=False)


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
    parameters: tuple[str, ...]

    acl_kind: ClassVar[str | None] = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(SchemaObject):
    """A trigger created by a user."""

    table: str
    trigger: str
    definition: str
    enabled: str
    """pg_trigger.tgenabled: O, D, R, A."""
    is_constraint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRule(SchemaObject):
    """A rewrite rule, except for a view's own."""

    table: str
    rule: str
    definition: str
    enabled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(SchemaObject):
    """A policy of row security."""

    table: str
    policy: str
    command: str
    is_permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics(SchemaObject):
    """An object of extended statistics."""

    table: str
    definition: str
    target: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPrivileges(SchemaObject):
    """The privileges on objects that a role will create."""

    role: str
    object_type: str
    """pg_default_acl.defaclobjtype: r, S, f, T, n."""
