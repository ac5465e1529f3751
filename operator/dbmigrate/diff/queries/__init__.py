"""The queries that read a schema: each row is an object as JSON, by the fields of its dataclass.

In addition, `at` lists the catalog addresses of the object (`1259.16400.0`: class,
object, part): first its own, then others that belong to it, such as a table's row type.
Comments and dependencies find it by these. The queries are to be run with only
pg_catalog on the search path, so that every other name is qualified. `$ignored`
stands for the condition on a relation `c` that is skipped.
"""
