"""The help of the program: golang-migrate's, with dbmigrate's additions."""

from __future__ import annotations

from dbmigrate.cli.arguments.options import twin_of

COMMANDS = (
    "create",
    "goto",
    "up",
    "down",
    "redo",
    "drop",
    "force",
    "version",
    "status",
    "plan",
    "verify",
    "drift",
    "wait",
    "baseline",
    "repair",
    "prune",
    "adopt",
    "convert",
    "backup",
    "restore",
    "rehearse",
    "lint",
    "apply",
    "hash",
    "diff",
    "squash",
    "fleet",
)

CREATE = """create [-ext E] [-dir D] [-seq] [-digits N] [-format] [-tz] NAME
\t   Create a set of timestamped up/down migrations titled NAME, in directory D with extension E.
\t   Use -seq option to generate sequential up/down migrations with N digits.
\t   Use -format option to specify a Go time format string. Note: migrations with the same time \
cause "duplicate migration version" error.
           Use -tz option to specify the timezone that will be used when generating non-sequential \
migrations (defaults: UTC).
"""
GOTO = """goto V       Migrate to version V
\tUse latest for the newest version in the source"""
UP = """up [N]       Apply all or N up migrations
\tUse -to V to apply those up to version V"""
DOWN = """down [N] [-all]    Apply all or N down migrations
\tUse -all to apply all down migrations
\tUse -to V to apply those above version V"""
REDO = "redo         Undo the newest migration and apply it again"
DROP = """drop [-f] [-cascade]    Drop everything inside database
\tUse -f to bypass confirmation
\tUse -cascade to also drop dependent objects in other schemas, and objects of other roles"""
FORCE = "force V      Set version V but don't run migration (ignores dirty state)"
VERSION = "version      Print current migration version"
STATUS = """status [-exit-code] [-page P] [-page-size N]
\tShow each migration and whether it is applied
\tUse -page P to show one page of them, of -page-size N (default 100)
\tUse -exit-code to exit with 3 while any is pending or the database is dirty"""
PLAN = """plan [V]     Show the steps that lead to version V (default latest); change nothing"""
VERIFY = "verify       Compare the source with the history: edited, missing and skipped files"
DRIFT = """drift [-ignore PATTERN] [-rights] [-partitions] [-exit-zero] [-dev-url URL]
\tCompare the live schema with that of the applied migrations; exit with 3 if they differ
\tUse -ignore for objects of other tools, such as `partman.*` or `extension:pg_stat_statements`"""
WAIT = """wait [-version V | -latest] [-timeout D | -once] [-history TOOL]
\tWait until the database has at least that version and is not dirty
\tUse -once in a readiness probe: it fails only while the version is missing
\tUse -history for a migration of alembic, django, rails or prisma"""
APPLY = """apply [-baseline V] [-allow-dirty] [-to V] [-tx-mode MODE] [-dry-run] [N]
\tMigrate up as Atlas does: finish a step that stopped halfway, start only in an empty
\tdatabase, accept fewer than N files
\tUse -tx-mode all to apply all files or none of them"""
HASH = """hash [-check]    Write atlas.sum again, or check that it matches the files"""
BASELINE = "baseline V   Record that the database is at version V; run nothing"
REPAIR = """repair       Finish the step that left the database dirty: drop its invalid indexes and
\tcontinue with the statement that failed"""
PRUNE = """prune -keep N    Remove rows of the log that no longer explain the current state
\tThe N newest rows are always kept"""
ADOPT = """adopt -from TOOL [-from-table T] [-as V | -baseline NAME] [-f]
\tCopy the version of another tool's history to dbmigrate's own; asks for confirmation
\tUse -baseline to write the schema that an ORM has left as the first migration
\tUse -f to bypass confirmation"""
CONVERT = """convert DIR  Write another tool's migrations into DIR as golang-migrate's files"""

BACKUP = """backup [FILE]    Save the database with pg_dump, in its custom format
\tFILE may be a directory; default a generated name in the current directory"""
RESTORE = """restore [-clean [-keep-histories]] [-no-owner] [-sha256 SUM] FILE
	Restore a backup into an empty database
\tUse -clean to replace existing objects"""

REHEARSE = """rehearse [-dev-url URL] [-copy]    Try each step up, down and up in a scratch database
\tUse -copy to start with the schema of the database instead of nothing"""

LINT = """lint [-since V] [-latest N] [-sizes] [-squawk] [-strict] [-output FORM]
\tReport what may harm the running application
\tUse -sizes to consider the sizes of the database's tables"""

DIFF = """diff [-to SCHEMA] [-dry-run] [-check] [-dev-url URL] NAME
\tWrite the migrations that lead to a schema: files of SQL, a database, or a program's output
\tUse -check to exit with 3 if there is a difference, and write nothing"""


SQUASH = """squash -to V [-name NAME] [-archive DIR] [-data keep] [-dev-url URL]
\tReplace the files up to version V by one, and prove that it creates the same schema
\tUse -data keep to include the rows that they insert into an empty database"""
FLEET = """fleet VERB -targets FILE | -targets-query SQL [-concurrency N] [-shard I/N] [-wave W]
\tRun up, goto V, status [V], plan [V], verify or wait on many databases or schemas in
\tparallel; survey [V] counts the targets of the list and of its waves without connecting
\tUse -max-failures to start no further target after more failures than that: 10, or 5%"""


GOOSE = """goose ...    goose's own command line; `goose -h` lists its commands"""
ATLAS = """atlas migrate ...    Atlas's own command line; `atlas migrate -h` lists its commands"""


def describe_program(program: str) -> str:
    """What -help prints."""
    commands = (
        CREATE,
        GOTO,
        UP,
        DOWN,
        REDO,
        DROP,
        FORCE,
        VERSION,
        STATUS,
        PLAN,
        VERIFY,
        DRIFT,
        WAIT,
        BASELINE,
        REPAIR,
        PRUNE,
        ADOPT,
        CONVERT,
        BACKUP,
        RESTORE,
        REHEARSE,
        LINT,
        APPLY,
        HASH,
        DIFF,
        SQUASH,
        FLEET,
        GOOSE,
        ATLAS,
    )
    listed = "\n".join(f"  {command}" for command in commands)
    return _PROGRAM.format(
        program=program,
        commands=listed,
        path_twin=twin_of("path"),
        database_twin=twin_of("database"),
    )


_PROGRAM = """Usage: {program} OPTIONS COMMAND [arg...]
       {program} [ -version | -help ]

Options:
  -source          Location of the migrations (driver://url)
  -path            Shorthand for -source=file://path
  -database        Run migrations against this database (driver://url)
  -prefetch N      Number of migrations to load in advance before executing (accepted, not needed)
  -lock-timeout N  Allow N seconds to acquire database lock (default 15)
  -verbose         Print verbose logging
  -version         Print version
  -help            Print usage

  -format F                  golang-migrate, goose, dbmate, atlas or flyway (default auto: as the
                             files are); the history continues in that tool's table
  -history-table T           Table of the version, or schema.table (default schema_migrations,
                             with others the tool's own: goose_db_version and so on)
  -history-owner R           A role that may own it, besides this one, those that it is a member
                             of, the database's owner and superusers
  -identity PROVIDER         Log in with tokens of aws, gcp or azure; aws:region=R,host=H,port=P,
                             azure:client-id=ID
  -role R                    Act as this role after the login (SET ROLE): it owns what the run
                             makes, whoever the user is
  -connect-wait D            Try a server that refuses the first connection again for D (default 0)
  -statement-lock-timeout D  Let a statement wait D for a lock, then retry (default 5s; none)
  -concurrent-lock-timeout D Let CREATE INDEX CONCURRENTLY and its like wait D (default none)
  -statement-timeout D       Let a statement run for D (default as the role has it; none)
  -rollback MODE             forbid to go below the version, or allow it by down scripts alone
  -out-of-order MODE         reject, apply or ignore versions that were skipped (default reject)
  -changed-files MODE        reject or warn of applied files that were edited (default reject)
  -archive DIR               The files that a squashed one has replaced, for a database below it;
                             repeatable
  -confined-to DIR           Refuse files of the source that links lead to outside of DIR
  -grace-period D            Time from SIGTERM to SIGKILL: a statement that still runs shortly
                             before its end is cancelled (default not known: it runs on)
  -backup-to DIR             Save the database in DIR before the first step
  -backup-keep N             Keep the N newest backups of the database there (default all)
  -owner WORD                For whom the run is: refused where the log names another one
  -take-over OWNER           The owner whose place that one takes
  -expect-database ID        Refuse another database whose log does not name the owner
  -intent WORD               What the owner wants: what an order undid under it stays undone
  -order TEXT                The order that the run carries out: what it undoes stays undone
  -order-id TEXT             Refuse an order that the log has as carried out under that name
  -plan-checksum SHA256      Run only the steps of that plan, as `plan -json` gave it
  -lint MODE                 reject pending files with an error of lint, warn of them, or off
                             (default off)
  -rehearse-on URL           Rehearse the pending steps there, on a scratch server, before the
                             first one is run
  -json                      Print the report as JSON on the standard output
  -report FILE               Write the report to FILE, of a failed run as well

Commands:
{commands}

Durations: 15s, 1m30s, 500ms; none.
Environment: each option has a twin, {path_twin} for -path and so on; the database is also
taken from DATABASE_URL or, without any URL, from PGHOST, PGDATABASE and the like.

Source drivers: file
Database drivers: pgx, pgx4, pgx5, postgres, postgresql
"""
