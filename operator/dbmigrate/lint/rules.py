"""All rules, by theme. The tests compare what they say of rewrites with a server."""

from __future__ import annotations

from dbmigrate.lint.finding import Rule, Severity

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

# Locks: what makes the application wait.

INDEX_BLOCKS_WRITES = Rule(
    "index-blocks-writes",
    _ERROR,
    "CREATE INDEX keeps everybody from writing to the table until it is built",
    "CREATE INDEX CONCURRENTLY, in a file of its own",
    depends_on_size=True,
)
DROP_INDEX_BLOCKS = Rule(
    "drop-index-blocks",
    _WARNING,
    "DROP INDEX keeps everybody from the table, and waits for all who use it",
    "DROP INDEX CONCURRENTLY, in a file of its own",
)
REINDEX_BLOCKS = Rule(
    "reindex-blocks",
    _ERROR,
    "REINDEX keeps everybody from writing while it builds",
    "REINDEX ... CONCURRENTLY, in a file of its own",
    depends_on_size=True,
)
REFRESH_BLOCKS = Rule(
    "refresh-blocks",
    _WARNING,
    "REFRESH MATERIALIZED VIEW keeps everybody from reading it",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view",
    depends_on_size=True,
)
LOCKS_TABLE = Rule(
    "locks-table",
    _WARNING,
    "LOCK TABLE keeps others waiting until the end of the file",
    "leave the locking to the statements",
)
UNIQUE_BUILDS_INDEX = Rule(
    "unique-builds-index",
    _ERROR,
    "the constraint builds its index while nobody may read or write",
    "CREATE UNIQUE INDEX CONCURRENTLY in a file of its own, then ADD CONSTRAINT ... USING INDEX",
    depends_on_size=True,
)
FOREIGN_KEY_SCANS = Rule(
    "foreign-key-scans",
    _ERROR,
    "the foreign key is checked for all rows while nobody may write to either table",
    "ADD CONSTRAINT ... NOT VALID, and VALIDATE CONSTRAINT in the next file",
    depends_on_size=True,
)
CHECK_SCANS = Rule(
    "check-scans",
    _ERROR,
    "the constraint is checked for all rows while nobody may read or write",
    "ADD CONSTRAINT ... NOT VALID, and VALIDATE CONSTRAINT in the next file",
    depends_on_size=True,
)
EXCLUDE_BUILDS_INDEX = Rule(
    "exclude-builds-index",
    _ERROR,
    "an exclusion constraint builds its index while nobody may read or write, and takes none that"
    " is there",
    "a quiet hour, or a new table that has it and is filled in batches",
    depends_on_size=True,
)
DOMAIN_SCANS = Rule(
    "domain-scans",
    _ERROR,
    "all tables with a column of the domain are checked while nobody may write to them",
    "ADD CONSTRAINT ... NOT VALID, which holds for new values; to VALIDATE it blocks writes, too,"
    " and wants a quiet hour",
)
ATTACH_SCANS = Rule(
    "attach-scans",
    _WARNING,
    "all rows of the new partition, and of the default one, are looked at while nobody may read or"
    " write them",
    "a CHECK constraint that says the same as the bounds, ADD ... NOT VALID and VALIDATE in files"
    " before it",
    depends_on_size=True,
)
DETACH_BLOCKS = Rule(
    "detach-blocks",
    _WARNING,
    "DETACH PARTITION keeps everybody from the whole table, and waits for all who use it",
    "DETACH PARTITION ... CONCURRENTLY, in a file of its own, where there is no default partition",
)
PARTITION_BLOCKS = Rule(
    "partition-blocks",
    _WARNING,
    "CREATE TABLE ... PARTITION OF keeps everybody from the whole table, and looks at all rows of"
    " its default partition",
    "CREATE TABLE ... (LIKE ...), and ATTACH PARTITION",
)
NOT_NULL_SCANS = Rule(
    "not-null-scans",
    _WARNING,
    "SET NOT NULL looks at all rows while nobody may read or write",
    "ADD CHECK (column IS NOT NULL) NOT VALID, VALIDATE it in the next file, then SET NOT NULL",
    depends_on_size=True,
)
PRIMARY_KEY_SCANS = Rule(
    "primary-key-scans",
    _WARNING,
    "a column of the index may be null: the primary key looks at all rows while nobody may read or"
    " write",
    "SET NOT NULL on each column of the index first, behind a validated CHECK",
    depends_on_size=True,
)
MANY_LOCKS = Rule(
    "many-locks",
    _WARNING,
    "one transaction keeps everybody from several tables, which may deadlock with the application",
    "one file for each table",
)
VALIDATED_AT_ONCE = Rule(
    "validated-at-once",
    _ERROR,
    "the rows are checked under the lock of an earlier statement of the same transaction",
    "VALIDATE CONSTRAINT in a file of its own",
    depends_on_size=True,
)
DATA_UNDER_LOCK = Rule(
    "data-under-lock",
    _WARNING,
    "rows are changed in a transaction that already keeps everybody from a table",
    "put the change of the data into a file of its own, of many rows a `-- dbmigrate:batched` one",
)

# Rewrites: what takes long.

TYPE_REWRITES = Rule(
    "type-rewrites",
    _ERROR,
    "a change of the type may rewrite the table while nobody may read or write",
    "a new column, filled in batches and then used instead; of text and varchar only a longer or"
    " absent limit is cheap, which an ignore comment may say",
    depends_on_size=True,
)
DEFAULT_REWRITES = Rule(
    "default-rewrites",
    _ERROR,
    "the new column has a value of its own in each row: the table is rewritten",
    "ADD COLUMN without it, then SET DEFAULT, and a `-- dbmigrate:batched` file for the rows",
    depends_on_size=True,
)
TABLE_REWRITES = Rule(
    "table-rewrites",
    _ERROR,
    "the whole table is rewritten while nobody may read or write",
    "an online tool such as pg_repack, outside of migrations",
    depends_on_size=True,
)

# Destruction: what no down script restores.

TABLE_DROPPED = Rule(
    "table-dropped",
    _ERROR,
    "DROP TABLE loses its rows, and whatever still uses it breaks",
    "stop using it in one release and drop it in a later one, after a backup",
)
COLUMN_DROPPED = Rule(
    "column-dropped",
    _ERROR,
    "DROP COLUMN loses its values, and the version of the application that runs now breaks",
    "stop using it in one release and drop it in a later one",
)
ATTRIBUTE_DROPPED = Rule(
    "attribute-dropped",
    _ERROR,
    "DROP ATTRIBUTE loses its values in all columns of the type, and the version of the application"
    " that runs now breaks",
    "stop using it in one release and drop it in a later one, after a backup",
)
DATA_DESTROYED = Rule(
    "data-destroyed", _ERROR, "data is lost that no down script brings back", "a backup before it"
)
EVERY_ROW = Rule(
    "every-row",
    _WARNING,
    "without WHERE every row is written, and locked until the end of the file",
    "a file of its own that begins with `-- dbmigrate:batched`: each batch is a transaction",
    depends_on_size=True,
)
CASCADES = Rule(
    "cascades",
    _WARNING,
    "CASCADE also drops what hangs on it, which is not named here",
    "name and drop those things, too",
)

CONSTRAINT_DROPPED = Rule(
    "constraint-dropped",
    _INFO,
    "rows that break the constraint come in from now on, and the way back has to look at all rows",
    "clean up the rows in a migration of its own before it is to come back",
)

NOT_NULL_DROPPED = Rule(
    "not-null-dropped",
    _INFO,
    "the version of the application that runs now may meet a NULL, and the way back has to look at"
    " all rows",
    "let the application read a NULL before the first one is written",
)

# Compatibility: the present application keeps running beside the new schema.

RENAMED = Rule(
    "renamed",
    _ERROR,
    "code that uses the old name breaks, until the application is replaced everywhere",
    "a new name beside the old one (a view, or a column that a trigger fills), dropped later",
)
REQUIRED_COLUMN = Rule(
    "required-column",
    _ERROR,
    "a column without a default that must not be null: it fails where there are rows, and inserts"
    " of the running application break",
    "give it a default, or add it without NOT NULL first",
)
OBJECT_DROPPED = Rule(
    "object-dropped",
    _WARNING,
    "whatever still uses it breaks, the version of the application that runs now included",
    "stop using it in one release and drop it in a later one",
)
ROW_SECURITY = Rule(
    "row-security",
    _WARNING,
    "without a policy nobody but the owner sees or writes a row any more",
    "CREATE POLICY before it, in the same file",
)

# Data: what depends on existing rows or objects.

UNIQUE_MAY_FAIL = Rule(
    "unique-may-fail",
    _INFO,
    "it fails where two rows are alike, and built CONCURRENTLY leaves an invalid index then",
    "look for such rows first: SELECT ... GROUP BY ... HAVING count(*) > 1",
)
INDEX_IF_NOT_EXISTS = Rule(
    "index-if-not-exists",
    _WARNING,
    "IF NOT EXISTS takes the invalid index that a failed build has left for the one that is wanted",
    "leave IF NOT EXISTS out: `dbmigrate repair` drops an invalid index and continues",
)
JSON_COLUMN = Rule(
    "json-column",
    _INFO,
    "json has no equality: DISTINCT, GROUP BY, UNION and indexes fail on it",
    "jsonb, unless the text has to stay as it is",
)
FOREIGN_KEY_UNINDEXED = Rule(
    "foreign-key-unindexed",
    _INFO,
    "no index of the files begins with the foreign key's columns: each DELETE of a row that is"
    " referenced reads the whole table",
    "CREATE INDEX CONCURRENTLY on them, in a file of its own",
)
NAME_TRUNCATED = Rule(
    "name-truncated",
    _WARNING,
    "the server cuts names after 63 bytes, and two long ones may become one",
    "a shorter name",
)
CONSTRAINT_UNNAMED = Rule(
    "constraint-unnamed",
    _INFO,
    "the server makes up a name, which may be another one in another database",
    "ADD CONSTRAINT name ...",
)

# Reversibility and transactions.

NO_DOWN_SCRIPT = Rule(
    "no-down-script",
    _INFO,
    "there is no down script: the step can't be undone",
    "write one, or ignore this if the step is not to be undone",
)
NOT_ONE_TRANSACTION = Rule(
    "not-one-transaction",
    _WARNING,
    "the file can't be one transaction: a failure leaves a part of it done, and the version dirty",
    "a file of its own for each statement that can't be in a transaction",
)
TRANSACTION_NESTED = Rule(
    "transaction-nested",
    _WARNING,
    "PostgreSQL has no nested transactions: a second BEGIN does nothing, and the first COMMIT ends"
    " all of it",
    "leave BEGIN and COMMIT out: the runner takes the file as one transaction; or SAVEPOINT",
)
NOT_ANALYSED = Rule(
    "not-analysed",
    _WARNING,
    "the statement can't be read: what it does to the application is not known",
    "read it with care, since lint says nothing else of it",
)
IGNORE_UNUSED = Rule(
    "ignore-unused",
    _WARNING,
    "an ignore comment that nothing answers to",
    "remove it, or correct the rule's name",
)

RULES = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}
"""Every rule by its name."""
