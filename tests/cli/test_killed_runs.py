"""A run that is killed while the server works for it: the server lets go of the locks by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import run, start, write_scripts
from tests.cluster.waiting import eventually
from tests.database import Database

pytestmark = pytest.mark.database

GATE = """CREATE TABLE gate (open bool);
CREATE TABLE items (id int PRIMARY KEY, touched int NOT NULL DEFAULT 0);
INSERT INTO items (id) SELECT generate_series(1, 5);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;
  RETURN NEW;
END $$;
CREATE TRIGGER wait BEFORE UPDATE ON items FOR EACH ROW WHEN (OLD.id = 4) EXECUTE FUNCTION wait()
"""
TOUCH = "UPDATE items SET touched = touched + 1"
BATCHED = f"""-- dbmigrate:batched size=2 start=0
{TOUCH} WHERE id IN (SELECT id FROM items WHERE id > :cursor ORDER BY id LIMIT :batch_size)
RETURNING id
"""
SESSIONS = (
    "SELECT wait_event FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'dbmigrate'"
)


@pytest.mark.parametrize(
    ("script", "is_dirty"),
    [(TOUCH, False), (f"VACUUM items;\n{TOUCH}", True), (BATCHED, True)],
    ids=["in a transaction", "statement by statement", "in batches"],
)
def test_a_killed_run_does_not_keep_its_locks_until_its_statement_ends(
    database: Database, tmp_path: Path, script: str, is_dirty: bool
) -> None:
    path = write_scripts(tmp_path / "m", {"1_gate.up.sql": GATE, "2_touch.up.sql": script})
    options = ["-path", str(path), "-database", database.url]
    process = start([*options, "up"])
    eventually(
        lambda: ("PgSleep",) in database.query(SESSIONS),
        deadline=60,
        what="a statement that goes on and on",
    )
    process.kill()
    process.communicate()
    eventually(
        lambda: database.query(SESSIONS) == [],
        deadline=60,
        what="the server notices that its client is gone",
    )
    assert database.query("SELECT dirty FROM schema_migrations") == [(is_dirty,)]
    database.execute("INSERT INTO gate VALUES (true)")
    assert run(*options, "up").code == 0
    assert database.query("SELECT DISTINCT touched FROM items") == [(1,)]


def test_who_has_set_how_often_the_server_looks_keeps_that(
    database: Database, tmp_path: Path
) -> None:
    name = "client_connection_check_interval"
    script = f"CREATE TABLE found AS SELECT current_setting('{name}')"
    path = write_scripts(tmp_path / "m", {"1_found.up.sql": script})
    url = f"{database.url}{'&' if '?' in database.url else '?'}options=-c%20{name}%3D7000"
    assert run("-path", str(path), "-database", url, "up").code == 0
    assert database.query("SELECT * FROM found") == [("7s",)]
