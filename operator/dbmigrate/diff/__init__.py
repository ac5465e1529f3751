"""The statements that lead from the present schema to the desired one.

Four steps, and three modules to know from outside:

    before = read_schema(session)                       diff.reader
    find_renames(before, after)                         diff.renames: candidates to choose from
    before = read_schema(session, renames=chosen)       the same database, as if renamed
    plan_changes(before, after)                         diff.plan

Only the reader uses a database; everything else is a function of two schemas.
"""
