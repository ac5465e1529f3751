"""Tables, and the objects that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from dbmigrate.diff.objects import NotNull, SchemaObject, SequenceSettings


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
    inherits: tuple[str, ...] = field(compare=False)
    """Its parents in their order, which matters for the order of its columns alone."""
    parents: tuple[str, ...]
    """Parents, but for the parent of a partition."""
    partition_of: str | None = field(compare=False)
    """The attachment is an object of its own."""

    acl_kind: ClassVar[str | None] = "r"


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
    index_comment: str | None = None
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
class Trigger(SchemaObject):
    """A trigger created by a user."""

    table: str
    trigger: str
    definition: str
    enabled: str
    """pg_trigger.tgenabled: O, D, R, A."""
    below: tuple[str, ...] = ()
    """Partitions in which it is enabled otherwise: `public.p1 D`."""
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
