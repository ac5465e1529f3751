"""The usage of `dbmigrate goose`: the supported commands and flags of goose."""

from __future__ import annotations

from dbmigrate.cli.arguments.flags import Flag, describe_flags

FLAGS = (
    Flag("allow-missing", "applies missing (out-of-order) migrations", kind=""),
    Flag(
        "dir",
        "directory with migration files, (GOOSE_MIGRATION_DIR env variable supported)",
        default=".",
    ),
    Flag("env", "load environment variables from file (default .env; none)"),
    Flag("h", "print help", kind=""),
    Flag("no-color", "disable color output (NO_COLOR env variable supported)", kind=""),
    Flag("s", "use sequential numbering for new migrations", kind=""),
    Flag("table", "migrations table name (GOOSE_TABLE env variable supported)"),
    Flag("v", "enable verbose mode", kind=""),
    Flag("version", "print version", kind=""),
)
COMMANDS = {
    "up": "Migrate the DB to the most recent version available",
    "up-by-one": "Migrate the DB up by 1",
    "up-to": "Migrate the DB to a specific VERSION",
    "down": "Roll back the version by 1",
    "down-to": "Roll back to a specific VERSION",
    "redo": "Re-run the latest migration",
    "reset": "Roll back all migrations",
    "repair": "Finish the migration that has failed between two statements (dbmigrate's own)",
    "status": "Dump the migration status for the current DB",
    "version": "Print the current version of the database",
    "create": "Creates new migration file with the current timestamp",
    "fix": "Apply sequential ordering to migrations",
    "validate": "Check migration files without running them",
}
"""goose's own words."""
_OPERANDS = {"up-to": " VERSION", "down-to": " VERSION", "create": " NAME sql"}

_USAGE = """Usage: {program} goose DRIVER DBSTRING [OPTIONS] COMMAND

or

Set environment key
GOOSE_DRIVER=DRIVER
GOOSE_DBSTRING=DBSTRING
GOOSE_MIGRATION_DIR=MIGRATION_DIR

Usage: {program} goose [OPTIONS] COMMAND

Drivers:
    postgres

Examples:
    {program} goose postgres "user=postgres dbname=postgres sslmode=disable" status
    {program} goose create add_some_column sql
    GOOSE_DRIVER=postgres GOOSE_DBSTRING="user=postgres dbname=postgres" {program} goose up

Options:
{flags}
Commands:
{commands}

Not supported: migrations in Go, -timeout, -no-versioning, -certfile, -ssl-cert, -ssl-key; each says
what to do instead. The output is dbmigrate's; its own options can be set by environment
variables, DBMIGRATE_LOCK_TIMEOUT and so on: {program} -h.
"""


def describe_goose(program: str) -> str:
    """The text of -h."""
    commands = "\n".join(
        f"    {name + _OPERANDS.get(name, ''):<20} {text}" for name, text in COMMANDS.items()
    )
    return _USAGE.format(program=program, commands=commands, flags=describe_flags(FLAGS))
