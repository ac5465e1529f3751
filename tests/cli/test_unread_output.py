"""A reader who does not read (`| less`, suspended; a full pipe of a container) stops no run."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, environment, write_scripts
from tests.cluster.waiting import eventually
from tests.database import Database

pytestmark = [pytest.mark.database, pytest.mark.timeout(120)]

TALK = "DO $$ BEGIN FOR i IN 1..{0} LOOP RAISE WARNING '%', repeat('x', 1000); END LOOP; END $$;"
TABLE = "CREATE TABLE t{0} (id int);"
UNREAD = "the output was not read in time"


@contextmanager
def unread(
    database: Database,
    scripts: dict[str, str],
    path: Path,
    *command: str,
    options: tuple[str, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose output nobody reads, through the smallest pipes that there are."""
    directory = write_scripts(path / "files", scripts)
    ends = {name: os.pipe() for name in ("stdout", "stderr")}
    for _, writing in ends.values():
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    words = ["-path", str(directory), "-database", database.url, *options, *command]
    started = subprocess.Popen(
        [PROGRAM, *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=ends["stdout"][1],
        stderr=ends["stderr"][1],
    )
    for _, writing in ends.values():
        os.close(writing)
    started.stdout, started.stderr = (os.fdopen(reading, "rb") for reading, _ in ends.values())
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        started.stdout.close()
        started.stderr.close()


def is_quiet(database: Database) -> bool:
    """Whether no run has a session: no lock is held."""
    others = database.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'",
        database.name,
    )
    return not others


def versions(database: Database) -> list[tuple[int, bool]]:
    with suppress(Exception):
        return [(v, d) for v, d in database.query("SELECT version, dirty FROM schema_migrations")]
    return []


@pytest.mark.parametrize("command", [("up",), ("goto", "3")])
@pytest.mark.parametrize("options", [(), ("-json",), ("-verbose",)])
def test_a_run_ends_in_the_database_and_keeps_what_there_is_room_for(
    database: Database, tmp_path: Path, command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    scripts = {f"{n}_a.up.sql": TABLE.format(n) + TALK.format(1000) for n in (1, 2, 3)}
    with unread(database, scripts, tmp_path, *command, options=options) as running:
        eventually(lambda: versions(database), lambda found: found == [(3, False)], what="the end")
        eventually(lambda: is_quiet(database), what="the end of its session")
        assert running.stdout
        assert running.stderr
        said = running.stderr.read().decode()
        assert running.wait() == 0
        printed = running.stdout.read()
    assert said.startswith("warning: 1_a.up.sql: xxx") or "-verbose" in options
    assert f"lines are omitted: {UNREAD}\n" in said
    if "-json" in options:
        assert json.loads(printed)["version"] == "3"
    for line in said.splitlines():
        assert len(line) < 1000 or line.endswith("x" * 1000)


def test_signals_end_a_run_whose_output_nobody_reads(database: Database, tmp_path: Path) -> None:
    """The second one cancels the statement, and its transaction is rolled back."""
    script = f"{TABLE.format(1)} {TALK.format(3000)} SELECT pg_sleep(3600);"
    with unread(database, {"1_a.up.sql": script}, tmp_path, "up") as running:
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'"
        eventually(lambda: bool(database.query(sleeping, database.name)), what="the statement")
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)
        eventually(lambda: is_quiet(database), what="the end of its session")
        assert running.stderr
        said = running.stderr.read().decode()
        assert running.wait() == 1
    assert UNREAD in said
    assert "\nerror: " in said
    assert database.query("SELECT to_regclass('t1')") == [(None,)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_wait_for_the_reader(
    database: Database, tmp_path: Path, number: int, code: int
) -> None:
    scripts = {"1_a.up.sql": TABLE.format(1) + TALK.format(100)}
    with unread(database, scripts, tmp_path, "up") as running:
        eventually(lambda: versions(database), lambda found: found == [(1, False)], what="the end")
        eventually(lambda: is_quiet(database), what="the end of its session")

        def ask() -> int | None:
            running.send_signal(number)
            return running.poll()

        eventually(ask, lambda ended: ended == code, what="the end of the program")


def test_a_lock_is_waited_for_no_longer_than_it_was_said(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE t1 (id int)")
    script = f"{TALK.format(3000)} ALTER TABLE t1 ADD a int;"
    options = ("-lock-timeout", "2", "-statement-lock-timeout", "500ms")
    with database.connect() as reader:
        reader.execute("BEGIN; SELECT * FROM t1")
        with unread(database, {"1_a.up.sql": script}, tmp_path, "up", options=options) as running:
            eventually(
                lambda: database.query(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database.name
                ),
                lambda found: found == [(2,)],
                what="the end of its session",
            )
            assert running.stderr
            assert "\nerror: " in running.stderr.read().decode()
            assert running.wait() == 1
