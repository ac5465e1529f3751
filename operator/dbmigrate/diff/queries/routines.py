"""Functions, procedures and aggregates."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    ROUTINE,
    grants,
    in_schema,
    own,
    owner,
    place,
    qualified,
    rows,
)

_TYPES = """(SELECT string_agg(format_type(u.type, NULL), ', ' ORDER BY u.position)
    FROM unnest(p.proargtypes) WITH ORDINALITY u (type, position))"""
_NAME = f"{qualified('p.proname')} || '(' || COALESCE({_TYPES}, '') || ')'"
_ARGUMENTS = """CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*'
    ELSE pg_get_function_identity_arguments(p.oid) END"""
_CALL = f"{qualified('p.proname')} || '(' || {_ARGUMENTS} || ')'"
_COMMON = f"""{_NAME} AS name, quote_ident(n.nspname) AS schema, {owner("p.proowner")},
{grants("p.proacl")}, concat_ws(' ', p.proretset, pg_get_function_result(p.oid),
    p.proargnames, p.proargmodes) AS shape"""
_OWN = f"""{own(ROUTINE, "p")} AND NOT EXISTS (SELECT FROM pg_depend i
    WHERE i.classid = {ROUTINE} AND i.objid = p.oid AND i.deptype = 'i')"""

ROUTINES = rows(f"""SELECT {_COMMON}, p.prokind AS kind,
CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || {_CALL} AS address,
rtrim(pg_get_functiondef(p.oid), E'\\n') AS definition, p.pronargdefaults AS defaults,
l.lanname AS language, p.prosqlbody IS NULL AND l.lanname NOT IN ('c', 'internal')
    AS has_text_body, ARRAY[{place(ROUTINE, "p.oid")}] AS at
FROM pg_proc p {in_schema("p.pronamespace")} JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND {_OWN}""")


def _if(condition: str, text: str) -> str:
    return f"CASE WHEN {condition} THEN {text} END"


def _function(name: str, column: str) -> str:
    return _if(f"g.{column} <> 0", f"'{name} = ' || textin(regprocout(g.{column}))")


_MODIFY = "CASE g.{} WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END"
_PARAMETERS = ", ".join(
    (
        _function("SFUNC", "aggtransfn"),
        "'STYPE = ' || format_type(g.aggtranstype, NULL)",
        _if("g.aggtransspace <> 0", "concat('SSPACE = ', g.aggtransspace)"),
        _function("FINALFUNC", "aggfinalfn"),
        _if("g.aggfinalextra", "'FINALFUNC_EXTRA'"),
        _if("g.aggfinalfn <> 0", f"'FINALFUNC_MODIFY = ' || {_MODIFY.format('aggfinalmodify')}"),
        _function("COMBINEFUNC", "aggcombinefn"),
        _function("SERIALFUNC", "aggserialfn"),
        _function("DESERIALFUNC", "aggdeserialfn"),
        "'INITCOND = ' || quote_literal(g.agginitval)",
        _function("MSFUNC", "aggmtransfn"),
        _function("MINVFUNC", "aggminvtransfn"),
        _if("g.aggmtranstype <> 0", "'MSTYPE = ' || format_type(g.aggmtranstype, NULL)"),
        _if("g.aggmtransspace <> 0", "concat('MSSPACE = ', g.aggmtransspace)"),
        _function("MFINALFUNC", "aggmfinalfn"),
        _if("g.aggmfinalextra", "'MFINALFUNC_EXTRA'"),
        _if("g.aggmfinalfn <> 0", f"'MFINALFUNC_MODIFY = ' || {_MODIFY.format('aggmfinalmodify')}"),
        "'MINITCOND = ' || quote_literal(g.aggminitval)",
        """(SELECT 'SORTOP = OPERATOR(' || quote_ident(o.nspname) || '.' || so.oprname || ')'
            FROM pg_operator so JOIN pg_namespace o ON o.oid = so.oprnamespace
            WHERE so.oid = g.aggsortop)""",
        _if("p.proparallel = 's'", "'PARALLEL = SAFE'"),
        _if("p.proparallel = 'r'", "'PARALLEL = RESTRICTED'"),
        _if("g.aggkind = 'h'", "'HYPOTHETICAL'"),
    )
)

AGGREGATES = rows(f"""SELECT {_COMMON}, 'AGGREGATE ' || {_CALL} AS address,
{qualified("p.proname")} || '(' || CASE WHEN g.aggkind = 'n' AND p.pronargs = 0 THEN '*'
    ELSE pg_get_function_arguments(p.oid) END || ')' AS signature, g.aggkind AS kind,
array_remove(ARRAY[{_PARAMETERS}], NULL) AS parameters, ARRAY[{place(ROUTINE, "p.oid")}] AS at
FROM pg_aggregate g JOIN pg_proc p ON p.oid = g.aggfnoid {in_schema("p.pronamespace")}
WHERE {_OWN}""")
