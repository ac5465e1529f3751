"""The queries behind a schema: each row is an object as JSON, by the fields of its dataclass.

Beside those, `at` lists where the object stands in the catalogs (`1259.16400.0`: class,
object, part): first its own place, then others that belong to it, such as a table's row
type. By these places comments and dependencies find it. They are to be run with nothing but
pg_catalog on the search path, so that every other name comes out qualified. `$ignored`
stands for the condition on a relation `c` that is to be passed over.
"""
