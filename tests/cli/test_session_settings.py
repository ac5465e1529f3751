"""Every command says and does the same, whatever the role's settings are.

Each setting of pg_settings that a role may have is set to its extreme values, all that go
together at once; the commands have to end as those of a role without settings. Where they do
not, the settings are halved until the one is found that is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.program import run_here, write_scripts
from tests.cli.test_planted_objects import formats
from tests.database import Database, Server

pytestmark = pytest.mark.database

BATCHED = (
    "-- dbmigrate:batched size=10 duration=1h start=0\n"
    "UPDATE t1 SET n = id WHERE id = ANY (ARRAY(SELECT id FROM t1 WHERE id > :cursor"
    " ORDER BY id LIMIT :batch_size))\nRETURNING id;\n"
)
FILES = {
    "1_one.up.sql": "CREATE TABLE t1 (id int PRIMARY KEY, n int, s text DEFAULT 'x');"
    " INSERT INTO t1 SELECT generate_series(1, 25);",
    "1_one.down.sql": "DROP TABLE t1;",
    "2_two.up.sql": "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE VIEW v AS SELECT id FROM t1;",
    "2_two.down.sql": "DROP VIEW v; DROP TYPE mood;",
    "3_index.up.sql": "CREATE INDEX CONCURRENTLY i ON t1 (n); CREATE TABLE t3 (id int);",
    "3_index.down.sql": "DROP TABLE t3; DROP INDEX CONCURRENTLY i;",
    "4_batches.up.sql": BATCHED,
    "4_batches.down.sql": "",
    "5_five.up.sql": 'CREATE TABLE "Odd name" ("from" int, t timestamptz DEFAULT now());',
    "5_five.down.sql": 'DROP TABLE "Odd name";',
}
COMMANDS = (
    ("up", "1"),
    ("up",),
    ("-json", "status"),
    ("-json", "plan"),
    ("version",),
    ("-json", "verify"),
    ("wait", "-version", "5", "-timeout", "5s"),
    ("down", "2"),
    ("goto", "5"),
    ("force", "5"),
    ("repair",),
    ("lint", "-sizes"),
    ("drop", "-f"),
)
TEXTS = {
    "DateStyle": ("German, DMY", "Postgres, YMD"),
    "TimeZone": ("Pacific/Kiritimati", "America/St_Johns"),
    "timezone_abbreviations": ("India", "Australia"),
    "search_path": ("public, pg_temp", '"$user", public, pg_catalog'),
    "client_encoding": ("LATIN1", "SQL_ASCII"),
    "default_tablespace": ("missing", "missing"),
    "temp_tablespaces": ("missing", "missing"),
    "application_name": ("it's 1", "%s"),
}
"""Values of settings that are texts; the others are names of files, libraries and the like."""
LIMITS = frozenset(
    "statement_timeout lock_timeout transaction_timeout idle_in_transaction_session_timeout"
    " idle_session_timeout max_stack_depth temp_file_limit".split()
)
"""What their smallest value does, a migration is meant to notice."""
APART = frozenset(
    "default_transaction_read_only transaction_isolation transaction_read_only"
    " transaction_deferrable role session_authorization exit_on_error".split()
)
"""One refuses to write, by its name; the next are no settings of a role; the last is a wish to
lose the session with an error."""
_CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"role_[0-9a-f]+"), "ROLE"),
    (re.compile(r'"(?:milliseconds|startedAt|seconds)": ?[^,}]+'), ""),
    (re.compile(r"\d+(?:\.\d+)?(?:ms|µs|s)\b"), "SECONDS"),
)
Settings = Mapping[str, str]


def extremes(database: Database) -> tuple[Settings, Settings]:
    """Two values of each setting, which are not the default where there is another."""
    rows = database.query(
        "SELECT name, vartype, min_val, max_val, enumvals, boot_val FROM pg_settings"
        " WHERE context IN ('user', 'superuser')"
    )
    pairs: dict[str, tuple[str, str]] = {}
    for name, kind, least, most, words, usual in rows:
        if name in APART or (kind == "string" and name not in TEXTS):
            continue
        if kind == "bool":
            other = "off" if usual == "on" else "on"
            pairs[name] = (other, other)
        elif kind == "enum":
            others = [word for word in words if word != usual] or words
            pairs[name] = (others[0], others[-1])
        elif kind == "string":
            pairs[name] = TEXTS[name]
        else:
            high = "2MB" if name == "max_stack_depth" else most
            pairs[name] = (high if name in LIMITS else least, high)
    return (
        {name: first for name, (first, _) in pairs.items()},
        {name: last for name, (_, last) in pairs.items()},
    )


def role_with(database: Database, settings: Settings) -> str:
    """The URL of a superuser who has them."""
    role = database.create_role(password="p")
    lists = ("search_path", "DateStyle")
    texts = (
        f"ALTER ROLE {role} SET {name} = "
        + (value if name in lists else "'" + value.replace("'", "''") + "'")
        for name, value in settings.items()
    )
    database.execute("; ".join((f"ALTER ROLE {role} SUPERUSER", *texts)))
    return database.url_for(role, "p")


def outcome(url: str, path: Path, commands: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    """What each command says, without what differs from run to run."""
    for words in commands:
        ran = run_here("-path", str(path), "-database", url, *words)
        text = f"{' '.join(words)}: {ran.code}\n{ran.stdout}\n{ran.stderr}"
        for pattern, word in _CHANGING:
            text = pattern.sub(word, text)
        yield text


def tried(
    server: Server, settings: Settings, path: Path, commands: tuple[tuple[str, ...], ...]
) -> list[str]:
    database = server.create_database()
    try:
        return list(outcome(role_with(database, settings), path, commands))
    finally:
        database.drop()


def guilty(
    server: Server, settings: Settings, path: Path, commands: tuple[tuple[str, ...], ...]
) -> Settings:
    """The settings that change something, as few as halving finds; none: nothing is changed."""
    wanted = tried(server, {}, path, commands)
    if tried(server, settings, path, commands) == wanted:
        return {}
    while len(settings) > 1:
        names = list(settings)
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        for half in halves:
            part = {name: settings[name] for name in half}
            if tried(server, part, path, commands) != wanted:
                settings = part
                break
        else:
            return settings
    return settings


@pytest.mark.parametrize("which", [0, 1])
def test_commands_of_golang_migrate_s_format(server: Server, tmp_path: Path, which: int) -> None:
    database = server.create_database()
    settings = extremes(database)[which]
    database.drop()
    assert len(settings) > 120
    assert guilty(server, settings, write_scripts(tmp_path, FILES), COMMANDS) == {}


@pytest.mark.parametrize("kind", ["goose", "dbmate", "atlas", "flyway"])
def test_commands_of_the_other_formats(server: Server, tmp_path: Path, kind: str) -> None:
    database = server.create_database()
    first, last = extremes(database)
    database.drop()
    files, _, newest = formats()[kind]
    path = write_scripts(tmp_path, files)
    if kind == "atlas":
        run_here("-path", str(path), "hash")
    back = () if kind == "atlas" else (("down", "1"), ("goto", newest))
    commands = (
        ("up", "1"),
        ("up",),
        ("-json", "status"),
        ("-json", "plan"),
        ("-json", "verify"),
        *back,
        ("force", newest),
        ("repair",),
        ("drop", "-f"),
    )
    for settings in (first, last):
        assert guilty(server, settings, path, commands) == {}


def test_a_file_that_leaves_settings_behind(server: Server, tmp_path: Path) -> None:
    """Outside of a transaction statements of ours run between its own."""
    text = (
        "SET quote_all_identifiers = on; SET datestyle = German; SET client_encoding = LATIN1;\n"
        "SELECT set_config('search_path', nspname, false) FROM pg_namespace"
        " WHERE nspname LIKE 'gro%';\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (id);\n"
    )
    files = {
        "1_größe.up.sql": 'CREATE SCHEMA "groß"; CREATE TABLE "groß".t (id int);'
        ' INSERT INTO "groß".t VALUES (1), (1);',
        "2_zwei.up.sql": text,
    }
    path = write_scripts(tmp_path, files)
    database = server.create_database()
    try:
        (failed,) = outcome(database.url, path, (("up",),))
        assert '"groß".i' in failed
        assert "dirty" in failed
    finally:
        database.drop()


def test_a_history_in_the_temporary_schema_is_refused(server: Server, tmp_path: Path) -> None:
    path = write_scripts(tmp_path, FILES)
    database = server.create_database()
    try:
        url = role_with(database, {"search_path": "pg_temp, public"})
        for words in (("up",), ("version",), ("-json", "status")):
            ran = run_here("-path", str(path), "-database", url, *words)
            assert ran.code == 1
            assert "begins with pg_temp" in ran.stderr
    finally:
        database.drop()
