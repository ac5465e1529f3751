"""From the schema that is to the schema that is wanted, as statements.

Four steps, and three modules to know from outside:

    before = read_schema(session)                       diff.reader
    find_renames(before, after)                         diff.renames: to be shown, and chosen from
    before = read_schema(session, renames=chosen)       the same database, as if renamed
    plan_changes(before, after)                         diff.plan

Only the reader speaks to a database; all else is a function of two schemas.
"""
