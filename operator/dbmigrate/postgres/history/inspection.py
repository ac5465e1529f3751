"""Whether an existing table may be read and written as a history.

Reading or writing a table may run code with the rights of the reading role: a view's rule, a
policy's function, a trigger, the expression of an index or of a default, the check of a
domain. A role that may create tables in a schema can create one with the history's name and
such code before the first run. So a table is checked in the catalogs before anything is
read from it: who owns it, and whether anything in or on it runs code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import INVALID_TEXT, ServerError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import identifier, literal, raise_sql
from dbmigrate.report import Reason

_DATABASE_OWNER = "pg_database_owner"
"""The role whose one member is the owner of the database at hand, since PostgreSQL 14."""

# Superusers count as members of every role; only explicit grants are asked for.
ME = (
    "WITH RECURSIVE me (oid) AS (SELECT r.oid FROM pg_catalog.pg_roles r"
    " WHERE r.rolname IN (current_user, session_user)"
    " UNION SELECT m.roleid FROM me JOIN pg_catalog.pg_auth_members m ON m.member = me.oid)"
)
"""The session's roles, and those that they are members of."""
_IS_TRUSTED = (
    f"(c.relowner IN (SELECT oid FROM me) OR o.rolname = '{_DATABASE_OWNER}'"
    " OR c.relowner = (SELECT d.datdba FROM pg_catalog.pg_database d"
    " WHERE d.datname = pg_catalog.current_database())"
    # A role that may act as this session's anyway gains nothing: superusers are among them.
    " OR pg_catalog.pg_has_role(c.relowner, session_user, 'MEMBER')"
    " AND pg_catalog.pg_has_role(c.relowner, current_user, 'MEMBER'))"
)
_IS = "OPERATOR(pg_catalog.=)"
_IS_NOT = "OPERATOR(pg_catalog.<>)"
_CALLS_OTHERS = (
    "EXISTS (SELECT FROM pg_catalog.pg_depend e LEFT JOIN pg_catalog.pg_type y"
    f" ON e.refclassid {_IS} 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid {_IS} e.refobjid"
    f" WHERE e.classid {_IS} 'pg_catalog.pg_attrdef'::pg_catalog.regclass"
    f" AND e.objid {_IS} d.oid AND (y.typtype {_IS_NOT} 'e' OR e.refclassid {_IS} ANY ("
    "ARRAY['pg_catalog.pg_proc', 'pg_catalog.pg_operator',"
    " 'pg_catalog.pg_cast']::pg_catalog._regclass::pg_catalog._oid)))"
)
"""Whether a default `d` depends on a function, an operator or a type that is not the server's own.

Its text does not show that: casts that the server adds by itself are left out of it. A value of
a domain or of a composite type runs code although it depends on the type alone; an enumeration's
does not."""
_TEXT = (
    f"CASE WHEN {_CALLS_OTHERS} THEN 'not the server''s own'"
    " ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END"
)
_FINDINGS = f"""
SELECT 'trigger', tgname, '' FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid
UNION ALL SELECT 'rule', rulename, '' FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid
UNION ALL SELECT 'row-security policy', polname, '' FROM pg_catalog.pg_policy
  WHERE polrelid = c.oid
UNION ALL SELECT 'check constraint', conname, '' FROM pg_catalog.pg_constraint
  WHERE conrelid = c.oid AND contype = 'c'
UNION ALL SELECT 'parent', p.relname, '' FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid
UNION ALL SELECT 'child', p.relname, '' FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid WHERE i.inhparent = c.oid
UNION ALL SELECT CASE WHEN a.attgenerated <> '' THEN 'generated column' ELSE 'default' END,
  a.attname, {_TEXT} FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  WHERE d.adrelid = c.oid
UNION ALL SELECT 'type of column', a.attname, '' FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype <> 'e'
  AND (t.typtype <> 'b' OR t.typnamespace <> 'pg_catalog'::regnamespace)
UNION ALL SELECT 'index', x.relname, '' FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
  AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR i.indisexclusion OR EXISTS (
    SELECT FROM pg_catalog.pg_opclass k WHERE k.oid = ANY (i.indclass)
    AND k.opcnamespace <> 'pg_catalog'::regnamespace))
UNION ALL SELECT 'extended statistics', stxname, '' FROM pg_catalog.pg_statistic_ext
  WHERE stxrelid = c.oid AND 'e' = ANY (stxkind)"""

IS_PLAIN = (
    "(c.relkind = 'r' AND pg_catalog.pg_get_userbyid(c.relowner) = session_user"
    " AND session_user = current_user AND NOT (c.relhastriggers OR c.relhasrules"
    " OR c.relrowsecurity OR c.relhassubclass OR c.relispartition OR c.relchecks > 0)"
    " AND (a.attnum IS NULL OR a.atttypid < 16384 AND a.attgenerated = '' AND a.attinhcount = 0)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
    " AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR i.indisexclusion"
    " OR '16384'::oid <= ANY (i.indclass)))"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = c.oid))"
)
"""Whether a column `a` of a relation `c` leaves no doubt, by what costs little to read."""
DEFAULT = (
    f"(SELECT {_TEXT} FROM pg_catalog.pg_attrdef d"
    " WHERE a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum)"
)
"""The text of a column's default, for `is_harmless`; of one that calls code of others, a text that
is not harmless."""
_CLASS = "'pg_catalog.pg_class'::pg_catalog.regclass"
PARTS = (
    "(SELECT pg_catalog.array_to_string(pg_catalog.array_agg(CASE WHEN p.refobjid = c.oid"
    " THEN p.objid ELSE p.refobjid END), ',') FROM pg_catalog.pg_depend p WHERE a.attnum = 1"
    f" AND (p.refclassid = {_CLASS} AND p.refobjid = c.oid"
    f" OR p.classid = {_CLASS} AND p.objid = c.oid))"
)
"""The oids of what belongs to a relation `c` and of what it depends on, for `guard`; beside its
first column only.

Whatever may run code has a row of its own in pg_depend, with an oid that no other has had: a
trigger, a rule, a policy, a constraint, each new default, an index, statistics, a child, a
parent, and the type of a column where it is not the server's own. What others grant, analyse or
vacuum changes nothing there."""

_CONSTANT = r"(?:NULL|true|false|-?[0-9.]+|\(-[0-9.]+\)|'(?:[^'\\]|'')*')"
_CALL = (
    r"(?:now\(\)|(?:clock|statement|transaction)_timestamp\(\)|CURRENT_[A-Z]+|LOCALTIMESTAMP"
    rf"|SESSION_USER|USER|gen_random_uuid\(\)|nextval\({_CONSTANT}::regclass\))"
)
_TYPE = r"(?:::[a-z][a-z0-9_ ]*(?:\([0-9, ]+\))?(?:\[\])?)"
_ZONED = rf"\({_CALL} AT TIME ZONE {_CONSTANT}{_TYPE}?\)|timezone\({_CONSTANT}{_TYPE}?, {_CALL}\)"
_HARMLESS = rf"\(?(?:{_CONSTANT}|{_CALL}|{_ZONED})\)?{_TYPE}*"
_HARMLESS_DEFAULT = re.compile(_HARMLESS)
"""A default as the server writes it that runs nothing but what is listed here.

The server reads the expression as Python does."""

READING = "ACCESS SHARE"
WRITING = "ROW EXCLUSIVE"
"""The locks that a transaction takes on the tables anyway."""
GONE = "dbmigrate: the history is not the table that was looked at"


@dataclass(frozen=True, slots=True)
class Relation:
    """What the catalogs say of one relation."""

    name: str
    kind: str
    """As pg_class.relkind."""
    owner: str
    is_trusted: bool
    """Whether the session has a reason to run what the owner may have put there."""
    findings: tuple[tuple[str, str, str], ...] = ()
    """What runs when it is read or written: a kind, a name, the text of a default."""


def inspect(session: Session, schema: str, names: Iterable[str]) -> tuple[Relation, ...]:
    """Inspect these relations of a schema in all catalogs; without names the query is empty."""
    wanted = ", ".join(literal(name) for name in sorted(names))
    if not wanted:
        return ()
    (rows,) = session.query(
        f"{ME} SELECT c.relname, c.relkind, o.rolname, {_IS_TRUSTED}, f.kind, f.name, f.text"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_roles o ON o.oid = c.relowner"
        f" LEFT JOIN LATERAL ({_FINDINGS}) f (kind, name, text) ON true"
        f" WHERE n.nspname = {literal(schema)} AND c.relname IN ({wanted}) ORDER BY 1, 5, 6"
    )
    found: dict[str, Relation] = {}
    for name, kind, owner, is_trusted, what, which, text in rows:
        each = found.get(name or "") or Relation(
            name or "", kind or "", owner or "", is_trusted == "t"
        )
        if what is not None:
            each = replace(each, findings=(*each.findings, (what, which or "", text or "")))
        found[each.name] = each
    return tuple(found.values())


def is_harmless(default: str | None) -> bool:
    """Whether a default, in the server's own words, calls nothing but a few known functions."""
    return default is None or _HARMLESS_DEFAULT.fullmatch(default) is not None


_ANOTHER_TABLE = (
    "-history-table, or x-migrations-table in the URL, and then, before any other command,"
    " `dbmigrate baseline V` with the version that the database has"
)


def require_table(relation: Relation, schema: str) -> None:
    """Raise MigrationError (ForeignHistory) for anything but a plain table."""
    if relation.kind != "r":
        kind = _KINDS.get(relation.kind, "not a table")
        raise _refused(
            f"{schema}.{relation.name} is {kind}: it can't hold the history",
            hint=f"name another table: {_ANOTHER_TABLE}",
        )


def require_safe(relation: Relation, schema: str, owner: str | None) -> None:
    """Raise MigrationError (ForeignHistory) for a table that may run another role's code.

    `owner` is the role that a person has named as the history's owner.
    """
    name = f"{schema}.{relation.name}"
    if not relation.is_trusted and relation.owner != owner:
        quoted = f"{identifier(schema)}.{identifier(relation.name)}"
        raise _refused(
            f"{name} belongs to role {relation.owner}, who is neither this session's role, nor one"
            " that it is a member of, nor the owner of the database: reading it might run code"
            " of that role's",
            hint=f"look at what it is; then ALTER TABLE {quoted} OWNER TO a role of yours, or name"
            f" {relation.owner} with -history-owner",
        )
    for kind, which, text in relation.findings:
        if kind == "default" and is_harmless(text):
            continue
        raise _refused(
            f"{name} has {_article(kind)} {which}: the history is a plain table, in which nothing"
            " runs when it is read or written",
            hint=f"drop the {kind} {which}, or name another table: {_ANOTHER_TABLE}",
        )


def guard(
    tables: Iterable[tuple[str, int]], mode: str, parts: Iterable[int] = ()
) -> tuple[str, ...]:
    """Statements that lock tables, quoted with their schemas, and check their oids.

    Until the transaction ends they cannot be replaced. There must be nothing, either, that
    `require_safe` would refuse: it may have come since the tables were inspected. `parts` are
    what they had then (`PARTS`): only where there are others is it looked for. Needs no search
    path; the answer has no columns.
    """
    known = tuple(tables)
    make = _guard_again if len(known) <= _FEW else _guard
    return make(known, mode, tuple(parts))


def _guard(
    known: tuple[tuple[str, int], ...], mode: str, parts: tuple[int, ...]
) -> tuple[str, ...]:
    if not known:
        return ()
    names = ", ".join(f"ONLY {name}" for name, _ in known)
    is_same = " AND ".join(
        f"pg_catalog.to_regclass({literal(name)})::pg_catalog.oid {_IS} '{oid}'::pg_catalog.oid"
        for name, oid in known
    )
    # The text is not a constant, else the planner would compute it, and fail, too early.
    refusal = raise_sql(f"pg_catalog.concat({literal(GONE)}, ' ', pg_catalog.pg_backend_pid())")
    those = ",".join(str(oid) for _, oid in known)
    finding = f"CASE WHEN {_nothing_runs(those)} THEN false ELSE {refusal} IS NULL END"
    look = literal(f"SELECT 1 WHERE {finding}")
    # As a text the query is planned only where it is needed: that costs as much as a step.
    looked = f"pg_catalog.query_to_xml({look}, true, true, '') IS NOT NULL"
    verdict = (
        f"CASE WHEN NOT ({is_same}) THEN {refusal} IS NULL"
        f" WHEN {_has_no_others(those, parts)} THEN true ELSE {looked} END"
    )
    return (f"LOCK TABLE {names} IN {mode} MODE", f"SELECT WHERE {verdict}")


_FEW = 8
"""Tables: more than one history has."""
_guard_again = lru_cache(maxsize=64)(_guard)
"""Each step of a run asks for the same one again."""


def _has_no_others(oids: str, parts: Iterable[int]) -> str:
    """The condition that these tables have no part, and nothing that they depend on, but these."""
    those = f"{_IS} ANY ('{{{oids}}}'::pg_catalog._oid)"
    other = f"{_IS_NOT} ALL ('{{{','.join(map(str, parts))}}}'::pg_catalog._oid)"
    return (
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend"
        f" WHERE refclassid {_IS} {_CLASS} AND refobjid {those} AND objid {other}"
        f" OR classid {_IS} {_CLASS} AND objid {those} AND refobjid {other})"
    )


def _nothing_runs(oids: str) -> str:
    """The condition that these tables have none of `_FINDINGS`, without a search path."""
    those = f"{_IS} ANY ('{{{oids}}}'::pg_catalog._oid)"
    own = "'16384'::pg_catalog.oid OPERATOR(pg_catalog.<=)"
    findings = (
        ("pg_trigger", f"tgrelid {those}"),
        ("pg_rewrite", f"ev_class {those}"),
        ("pg_policy", f"polrelid {those}"),
        ("pg_inherits", f"inhrelid {those} OR inhparent {those}"),
        (
            "pg_class",
            f"oid {those} AND (relkind {_IS_NOT} 'r' OR relchecks {_IS_NOT} '0'::pg_catalog.int2)",
        ),
        (
            "pg_attrdef d",
            f"d.adrelid {those} AND {_TEXT} OPERATOR(pg_catalog.!~) {literal(f'^(?:{_HARMLESS})$')}"
            ' COLLATE pg_catalog."C"',
        ),
        (
            "pg_attribute a",
            f"a.attrelid {those} AND a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2"
            f" AND (a.attgenerated {_IS_NOT} '' OR {own} a.atttypid AND NOT EXISTS (SELECT FROM"
            f" pg_catalog.pg_type t WHERE t.oid {_IS} a.atttypid AND t.typtype {_IS} 'e'))",
        ),
        (
            "pg_index i",
            f"i.indrelid {those} AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL"
            f" OR i.indisexclusion OR {own} ANY (i.indclass))",
        ),
        ("pg_statistic_ext", f"stxrelid {those} AND 'e' {_IS} ANY (stxkind)"),
    )
    return " AND ".join(
        f"NOT EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {condition})"
        for catalog, condition in findings
    )


def is_replaced(error: ServerError) -> bool:
    """Whether an error is the guard's."""
    return error.sqlstate == INVALID_TEXT and f"{GONE} " in error.message


_KINDS = {
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a type",
    "i": "an index",
    "I": "an index",
}


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _refused(message: str, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.FOREIGN_HISTORY, message, hint=hint)
