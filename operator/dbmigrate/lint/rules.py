"""All rules, by theme. The tests compare the rules about rewrites with a server."""

from __future__ import annotations

from dbmigrate.lint.finding import Rule, Severity

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

# Locks: what makes the application wait.

INDEX_BLOCKS_WRITES = Rule(
    "index-blocks-writes",
    _ERROR,
    "CREATE INDEX blocks writes to the table until the index is built",
    "CREATE INDEX CONCURRENTLY, in a separate file",
    depends_on_size=True,
)
DROP_INDEX_BLOCKS = Rule(
    "drop-index-blocks",
    _WARNING,
    "DROP INDEX blocks reads and writes of the table, and waits for every transaction that uses it",
    "DROP INDEX CONCURRENTLY, in a separate file",
)
REINDEX_BLOCKS = Rule(
    "reindex-blocks",
    _ERROR,
    "REINDEX blocks writes until the index is built",
    "REINDEX ... CONCURRENTLY, in a separate file",
    depends_on_size=True,
)
REFRESH_BLOCKS = Rule(
    "refresh-blocks",
    _WARNING,
    "REFRESH MATERIALIZED VIEW blocks reads of the view",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view",
    depends_on_size=True,
)
LOCKS_TABLE = Rule(
    "locks-table",
    _WARNING,
    "LOCK TABLE blocks other sessions until the end of the file",
    "remove LOCK TABLE; each statement takes the lock that it needs",
)
UNIQUE_BUILDS_INDEX = Rule(
    "unique-builds-index",
    _ERROR,
    "building the index of the constraint blocks reads and writes",
    "CREATE UNIQUE INDEX CONCURRENTLY in a separate file, then ADD CONSTRAINT ... USING INDEX",
    depends_on_size=True,
)
FOREIGN_KEY_SCANS = Rule(
    "foreign-key-scans",
    _ERROR,
    "checking the foreign key for all rows blocks writes to both tables",
    "ADD CONSTRAINT ... NOT VALID, and VALIDATE CONSTRAINT in the next file",
    depends_on_size=True,
)
CHECK_SCANS = Rule(
    "check-scans",
    _ERROR,
    "checking the constraint for all rows blocks reads and writes",
    "ADD CONSTRAINT ... NOT VALID, and VALIDATE CONSTRAINT in the next file",
    depends_on_size=True,
)
EXCLUDE_BUILDS_INDEX = Rule(
    "exclude-builds-index",
    _ERROR,
    "building the index of an exclusion constraint blocks reads and writes, and the constraint"
    " cannot use an existing index",
    "add it when traffic is low, or create a new table with the constraint and fill it in batches",
    depends_on_size=True,
)
DOMAIN_SCANS = Rule(
    "domain-scans",
    _ERROR,
    "checking all tables that have a column of the domain blocks writes to them",
    "ADD CONSTRAINT ... NOT VALID, which checks new values only; VALIDATE CONSTRAINT blocks"
    " writes too, so run it when traffic is low",
)
ATTACH_SCANS = Rule(
    "attach-scans",
    _WARNING,
    "the new partition and the default partition are scanned while reads and writes are blocked",
    "in earlier files, add a CHECK constraint that matches the bounds: ADD ... NOT VALID, then"
    " VALIDATE",
    depends_on_size=True,
)
DETACH_BLOCKS = Rule(
    "detach-blocks",
    _WARNING,
    "DETACH PARTITION blocks reads and writes of the whole table, and waits for every"
    " transaction that uses it",
    "DETACH PARTITION ... CONCURRENTLY, in a separate file, if the table has no default partition",
)
PARTITION_BLOCKS = Rule(
    "partition-blocks",
    _WARNING,
    "CREATE TABLE ... PARTITION OF blocks reads and writes of the whole table, and scans its"
    " default partition",
    "CREATE TABLE ... (LIKE ...), then ATTACH PARTITION",
)
NOT_NULL_SCANS = Rule(
    "not-null-scans",
    _WARNING,
    "SET NOT NULL scans the table while reads and writes are blocked",
    "ADD CHECK (column IS NOT NULL) NOT VALID, VALIDATE it in the next file, then SET NOT NULL",
    depends_on_size=True,
)
PRIMARY_KEY_SCANS = Rule(
    "primary-key-scans",
    _WARNING,
    "a column of the index may be nullable; the primary key then scans the table while reads"
    " and writes are blocked",
    "first SET NOT NULL on each column of the index, with a validated CHECK",
    depends_on_size=True,
)
MANY_LOCKS = Rule(
    "many-locks",
    _WARNING,
    "one transaction blocks reads and writes of several tables, and may deadlock with the"
    " application",
    "one file for each table",
)
VALIDATED_AT_ONCE = Rule(
    "validated-at-once",
    _ERROR,
    "the rows are checked while the transaction holds the lock of an earlier statement",
    "VALIDATE CONSTRAINT in a separate file",
    depends_on_size=True,
)
DATA_UNDER_LOCK = Rule(
    "data-under-lock",
    _WARNING,
    "rows are changed in a transaction that already blocks reads and writes of a table",
    "change the data in a separate file; for many rows, in a `-- dbmigrate:batched` file",
)

# Rewrites: what takes long.

TYPE_REWRITES = Rule(
    "type-rewrites",
    _ERROR,
    "changing the type may rewrite the table while reads and writes are blocked",
    "fill a new column in batches, then use it instead; if the change only raises or removes"
    " the limit of text or varchar, add an ignore comment",
    depends_on_size=True,
)
DEFAULT_REWRITES = Rule(
    "default-rewrites",
    _ERROR,
    "the new column has a different value in each row, so the table is rewritten",
    "ADD COLUMN without the default, then SET DEFAULT, and a `-- dbmigrate:batched` file for"
    " the rows",
    depends_on_size=True,
)
TABLE_REWRITES = Rule(
    "table-rewrites",
    _ERROR,
    "the whole table is rewritten while reads and writes are blocked",
    "an online tool such as pg_repack, outside of migrations",
    depends_on_size=True,
)

# Destruction: what no down script restores.

TABLE_DROPPED = Rule(
    "table-dropped",
    _ERROR,
    "DROP TABLE deletes the table's rows, and everything that still uses the table fails",
    "stop using the table in one release and drop it in a later one, after a backup",
)
COLUMN_DROPPED = Rule(
    "column-dropped",
    _ERROR,
    "DROP COLUMN deletes the column's values, and the running version of the application fails",
    "stop using the column in one release and drop it in a later one",
)
ATTRIBUTE_DROPPED = Rule(
    "attribute-dropped",
    _ERROR,
    "DROP ATTRIBUTE deletes the attribute's values in all columns of the type, and the running"
    " version of the application fails",
    "stop using the attribute in one release and drop it in a later one, after a backup",
)
DATA_DESTROYED = Rule(
    "data-destroyed",
    _ERROR,
    "the deleted data cannot be restored by a down script",
    "make a backup first",
)
EVERY_ROW = Rule(
    "every-row",
    _WARNING,
    "without WHERE, every row is written and stays locked until the end of the file",
    "a separate file that begins with `-- dbmigrate:batched`: each batch is a transaction",
    depends_on_size=True,
)
CASCADES = Rule(
    "cascades",
    _WARNING,
    "CASCADE also drops the dependent objects, which the statement does not name",
    "name the dependent objects and drop them too",
)

CONSTRAINT_DROPPED = Rule(
    "constraint-dropped",
    _INFO,
    "new rows may violate the constraint, and adding it again checks all rows",
    "before you add it again, correct the rows in a separate migration",
)

NOT_NULL_DROPPED = Rule(
    "not-null-dropped",
    _INFO,
    "the running version of the application may read a NULL, and SET NOT NULL checks all rows",
    "make the application accept NULL before the first one is written",
)

# Compatibility: the present application keeps running beside the new schema.

RENAMED = Rule(
    "renamed",
    _ERROR,
    "code that uses the old name fails until every instance of the application is replaced",
    "add the new name beside the old one (a view, or a column that a trigger fills), and drop"
    " the old one later",
)
REQUIRED_COLUMN = Rule(
    "required-column",
    _ERROR,
    "a NOT NULL column without a default fails if the table has rows, and breaks inserts of the"
    " running application",
    "give it a default, or add it without NOT NULL first",
)
OBJECT_DROPPED = Rule(
    "object-dropped",
    _WARNING,
    "everything that still uses the object fails, including the running version of the application",
    "stop using the object in one release and drop it in a later one",
)
ROW_SECURITY = Rule(
    "row-security",
    _WARNING,
    "without a policy, only the owner can read or write rows",
    "CREATE POLICY before it, in the same file",
)

# Data: what depends on existing rows or objects.

UNIQUE_MAY_FAIL = Rule(
    "unique-may-fail",
    _INFO,
    "it fails if two rows have the same key; with CONCURRENTLY, it then leaves an invalid index",
    "look for duplicates first: SELECT ... GROUP BY ... HAVING count(*) > 1",
)
INDEX_IF_NOT_EXISTS = Rule(
    "index-if-not-exists",
    _WARNING,
    "IF NOT EXISTS accepts the invalid index that a failed build has left",
    "remove IF NOT EXISTS: `dbmigrate repair` drops an invalid index and continues",
)
JSON_COLUMN = Rule(
    "json-column",
    _INFO,
    "json has no equality operator, so DISTINCT, GROUP BY, UNION and indexes fail",
    "jsonb, unless the text must be preserved exactly",
)
FOREIGN_KEY_UNINDEXED = Rule(
    "foreign-key-unindexed",
    _INFO,
    "no index in the files begins with the foreign key's columns, so each DELETE of a"
    " referenced row scans the table",
    "CREATE INDEX CONCURRENTLY on the columns, in a separate file",
)
NAME_TRUNCATED = Rule(
    "name-truncated",
    _WARNING,
    "the server truncates names to 63 bytes, so that two long names may become equal",
    "a shorter name",
)
CONSTRAINT_UNNAMED = Rule(
    "constraint-unnamed",
    _INFO,
    "the server chooses the name, which may differ between databases",
    "ADD CONSTRAINT name ...",
)

# Reversibility and transactions.

NO_DOWN_SCRIPT = Rule(
    "no-down-script",
    _INFO,
    "there is no down script, so the step cannot be undone",
    "write one, or ignore this if the step is not meant to be undone",
)
NOT_ONE_TRANSACTION = Rule(
    "not-one-transaction",
    _WARNING,
    "the file cannot be one transaction: a failure leaves a part of it done, and the version dirty",
    "a separate file for each statement that cannot be in a transaction",
)
TRANSACTION_NESTED = Rule(
    "transaction-nested",
    _WARNING,
    "PostgreSQL has no nested transactions: a second BEGIN does nothing, and the first COMMIT"
    " ends the whole transaction",
    "remove BEGIN and COMMIT, because the runner executes the file in one transaction; or use"
    " SAVEPOINT",
)
NOT_ANALYSED = Rule(
    "not-analysed",
    _WARNING,
    "the statement cannot be parsed, so its effect on the application is unknown",
    "review it manually, because no other rule applies to it",
)
IGNORE_UNUSED = Rule(
    "ignore-unused",
    _WARNING,
    "the ignore comment matches no finding",
    "remove it, or correct the name of the rule",
)

RULES = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}
"""Every rule by its name."""
