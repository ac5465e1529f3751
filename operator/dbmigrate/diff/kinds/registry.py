"""The kind of each object."""

from __future__ import annotations

from typing import Any

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.columns import Columns
from dbmigrate.diff.kinds.constraints import Constraints
from dbmigrate.diff.kinds.database import Extensions, Namespaces, Sequences
from dbmigrate.diff.kinds.default_privileges import DefaultPrivilegesKind
from dbmigrate.diff.kinds.indexes import IndexAttachments, Indexes
from dbmigrate.diff.kinds.kind import ObjectKind
from dbmigrate.diff.kinds.on_tables import (
    Defaults,
    Policies,
    Rules,
    StatisticsObjects,
    Triggers,
)
from dbmigrate.diff.kinds.others import Others
from dbmigrate.diff.kinds.routines import Aggregates, Routines
from dbmigrate.diff.kinds.tables import Attachments, Tables
from dbmigrate.diff.kinds.types import Composites, DomainConstraints, Domains, Enums, Ranges
from dbmigrate.diff.kinds.views import Views

_KINDS: dict[type[o.SchemaObject], ObjectKind[Any]] = {
    o.Namespace: Namespaces(),
    o.Extension: Extensions(),
    o.EnumType: Enums(),
    o.Domain: Domains(),
    o.DomainConstraint: DomainConstraints(),
    o.Composite: Composites(),
    o.RangeType: Ranges(),
    o.Sequence: Sequences(),
    t.Table: Tables(),
    t.Column: Columns(),
    t.Default: Defaults(),
    t.Constraint: Constraints(),
    t.Index: Indexes(),
    t.Attachment: Attachments(),
    t.IndexAttachment: IndexAttachments(),
    o.View: Views(),
    o.Routine: Routines(),
    o.Aggregate: Aggregates(),
    t.Trigger: Triggers(),
    t.RewriteRule: Rules(),
    t.Policy: Policies(),
    t.Statistics: StatisticsObjects(),
    o.Other: Others(),
    o.Wrapper: Others(),
    o.ForeignServer: Others(),
    o.ForeignTable: Others(),
    o.DefaultPrivileges: DefaultPrivilegesKind(),
}
_RANKS = {made: rank for rank, made in enumerate(_KINDS)}


def kind_of(each: o.SchemaObject) -> ObjectKind[Any]:
    """The statements of the object's kind."""
    return _KINDS[type(each)]


def rank_of(each: o.SchemaObject) -> int:
    """The position of its kind in the default order, which bodies that are texts rely on."""
    return _RANKS[type(each)]
