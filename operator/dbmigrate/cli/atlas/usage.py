"""What `dbmigrate atlas ... --help` prints: the commands and the flags that there are here."""

from __future__ import annotations

from dbmigrate.cli.atlas.arguments import COMMANDS, GLOBAL, SHORT, WITHOUT

_MEANINGS = {
    "apply": ("apply [flags] [amount]", "Apply pending migration files to the database"),
    "status": ("status [flags]", "Show which files are applied and which are pending"),
    "set": ("set [flags] [version]", "Set the version of the history; run nothing"),
    "diff": ("diff [flags] [name]", "Write a migration file that leads to a desired schema"),
    "lint": ("lint [flags]", "Report what the files may do to a running application"),
    "validate": ("validate [flags]", "Compare the files with atlas.sum, and rehearse them"),
    "hash": ("hash [flags]", "Write atlas.sum again"),
    "new": ("new [flags] [name]", "Create an empty migration file"),
}
_FLAGS = {
    "url": ("string", "the database, postgres://user:password@host:port/name"),
    "dir": ("string", 'the directory of the files (default "file://migrations")'),
    "dir-format": ("string", "the format of the files (default atlas)"),
    "format": ("string", "print the document as JSON: '{{ json . }}'; no other template"),
    "log": ("string", "the same, by its name in older versions"),
    "revisions-schema": ("string", "the schema of the history's table"),
    "dry-run": ("", "show what would be run, change nothing"),
    "lock-timeout": ("duration", "how long to wait for the lock (default 10s)"),
    "baseline": ("string", "the version that a database without a history already has"),
    "tx-mode": ("string", "the scope of a transaction: none, file, all (default file)"),
    "exec-order": ("string", "linear, linear-skip, non-linear (default linear)"),
    "allow-dirty": ("", "start a history in a database that is not empty"),
    "to-version": ("string", "migrate up to that version"),
    "to": ("strings", "the desired schema: file://schema.sql, a database, a program"),
    "dev-url": ("string", "a scratch database; docker:// is replaced by a temporary server"),
    "schema": ("strings", "accepted for files, of which all schemas are looked at"),
    "edit": ("", "refused: edit the file that was written"),
    "latest": ("uint", "check the newest N files"),
    "git-base": ("string", "check the files that this branch does not have"),
    "git-dir": ("string", 'the repository\'s working directory (default ".")'),
    "force": ("", "accepted, not needed"),
    "config": ("string", 'the project file (default "file://atlas.hcl")'),
    "env": ("string", "the environment of the project file"),
    "var": ("<name>=<value>", "the value of a variable of the project file"),
    "help": ("", "this text"),
}


def describe(words: tuple[str, ...]) -> str:
    """The help of `atlas`, of `atlas migrate` or of one of its commands."""
    if words[:1] != ("migrate",):
        return "\n".join(
            (
                "Atlas's command line, executed by dbmigrate.",
                "",
                "Usage:",
                "  dbmigrate atlas migrate [command]",
                "  dbmigrate atlas version",
                "",
                'Use "dbmigrate atlas migrate --help" for the commands.',
                "",
            )
        )
    command = words[1] if len(words) > 1 else ""
    if command in WITHOUT:
        return f"atlas migrate {command} is not supported: {WITHOUT[command]}\n"
    if command not in COMMANDS:
        listed = [f"  {name:<10} {_MEANINGS[name][1]}" for name in COMMANDS]
        return "\n".join(
            (
                "Atlas's versioned workflow, executed by dbmigrate.",
                "",
                "Usage:",
                "  dbmigrate atlas migrate [command]",
                "",
                "Available Commands:",
                *listed,
                "",
                *_flags(GLOBAL),
                "",
                'Use "dbmigrate atlas migrate [command] --help" for the flags of one.',
                "",
            )
        )
    usage, meaning = _MEANINGS[command]
    lines = [meaning, "", "Usage:", f"  dbmigrate atlas migrate {usage}", ""]
    return "\n".join([*lines, *_flags(COMMANDS[command]), "", *_flags(GLOBAL, "Global "), ""])


def _flags(names: frozenset[str], which: str = "") -> list[str]:
    shorts = {name: short for short, name in SHORT.items()}
    rows = []
    for name in (each for each in _FLAGS if each in names):
        kind, meaning = _FLAGS[name]
        short = f"-{shorts[name]}, " if name in shorts else "    "
        rows.append((f"{short}--{name}{f' {kind}' if kind else ''}", meaning))
    width = max(len(left) for left, _ in rows)
    return [f"{which}Flags:", *(f"  {left:<{width}}   {meaning}" for left, meaning in rows)]
