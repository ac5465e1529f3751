"""Odd files: goose reads them, and so do we, to the same end.

`goose validate` says whether a file is one, and how many statements it has in
each direction; then both run it, and what it leaves has to be the same.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.runner.commands.up import up
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Direction, Format
from tests.database import Database
from tests.formats.arrange import fill, request

pytestmark = pytest.mark.database

ROW = re.compile(r"^sql\s+(?P<tx>\S+)\s+(?P<up>\d+)\s+(?P<down>\d+)\s+\S+\s*$", re.MULTILINE)
ENVIRON = {"WHO": "world", "EMPTY": "", "LONG": "abcdef"}

LINES = [
    "-- +goose Up",
    "-- +goose Down",
    "-- +goose StatementBegin",
    "-- +goose StatementEnd",
    "-- +goose NO TRANSACTION",
    "-- +goose ENVSUB ON",
    "-- +goose ENVSUB OFF",
    "--+goose up",
    "-- +goose UP   ",
    " -- +goose Down",
    "-- +goose Sideways",
    "-- a comment;",
    "   ",
    "",
    "SELECT 1;",
    "SELECT 2; -- two",
    "SELECT 3 --;",
    "SELECT 4;--x",
    "SELECT",
    "5;",
    "SELECT '${WHO}';",
    "SELECT '${NONE?no}';",
    "SELECT $1;",
    "/* a comment */",
    "SELECT 6;\r",
]


def judge(goose: Path, directory: Path) -> tuple[bool, int, int] | None:
    """Whether goose uses a transaction, and its numbers of statements; None: it refuses."""
    run = subprocess.run(
        [goose, "-dir", directory, "-v", "-env", "none", "validate"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRON},
    )
    if run.returncode != 0:
        return None
    row = ROW.search(run.stdout)
    assert row, run.stdout + run.stderr
    return row["tx"] == "✔", int(row["up"]), int(row["down"])


def judge_ourselves(directory: Path) -> tuple[bool, int, int] | None:
    try:
        (migration,) = read_source(directory, Format.GOOSE, ENVIRON).migrations
        scripts = {
            direction: script.load() if (script := migration.script(direction)) else b""
            for direction in Direction
        }
        # goose judges the file as a whole, and that is where a missing Down can be wrong too.
        counts = [len([*split(sql, file="x")]) for sql in scripts.values()]
    except MigrationError:
        return None
    is_transaction = not any(b"dbmigrate:no-transaction" in sql for sql in scripts.values())
    return is_transaction, counts[0], counts[1]


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(st.sampled_from(LINES), max_size=9), starts_well=st.booleans())
def test_a_file_is_what_it_is_to_goose(
    goose_oracle: Path, tmp_path: Path, lines: list[str], starts_well: bool
) -> None:
    head = ["-- +goose Up"] if starts_well else []
    text = "\n".join([*head, *lines]) + "\n"
    directory = fill(tmp_path, {"00001_odd.sql": text})
    theirs, ours = judge(goose_oracle, directory), judge_ourselves(directory)
    if ours is None and theirs is not None and _has_empty_block(text):
        return  # goose loses the line behind such a block without a word
    assert (ours is None) == (theirs is None), f"{text}\nours {ours}, goose's {theirs}"
    if ours is None or theirs is None or not (theirs[1] or theirs[2]):
        return
    assert (ours[0], ours[1] > 0, ours[2] > 0) == (theirs[0], theirs[1] > 0, theirs[2] > 0), text
    if ";--" not in text:  # there goose takes two statements for one
        assert ours == theirs, text


def _has_empty_block(text: str) -> bool:
    return bool(
        re.search(r"StatementBegin\s*\n(?:(?:--[^\n]*|\s*)\n)*--\s*\+goose StatementEnd", text)
    )


WHOLE = """-- a file with all of it
-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE said (id serial, what text);
-- +goose StatementBegin
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO said (what) VALUES ('in f; really');
    RETURN 1;
END;
$$
-- +goose StatementEnd
SELECT f();
-- +goose ENVSUB ON
INSERT INTO said (what) VALUES ('$LONG ${LONG:2:3} ${LONG:-x} ${EMPTY:-e} ${EMPTY-f} ${NONE-g}');
INSERT INTO said (what) VALUES ('${LONG: -2} ${NONE:-${LONG}} $$x \\\\$y \\$z $( ${LONG:1:-1}|');
INSERT INTO said (what)
    VALUES ('a line -- with ${LONG}
and one more');
-- +goose ENVSUB OFF
INSERT INTO said (what) VALUES ('$LONG');\r
-- +goose StatementBegin
INSERT INTO said (what) VALUES ('one')
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO said (what) VALUES ('two'); INSERT INTO said (what) VALUES ('three')
-- +goose StatementEnd
INSERT INTO said (what) VALUES ('crlf:\r
<');
CREATE INDEX CONCURRENTLY said_what ON said (what);
-- +goose Down
DROP TABLE said; DROP FUNCTION f();
"""


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        WHOLE.replace("-- +goose NO TRANSACTION\n", "").replace(
            "CREATE INDEX CONCURRENTLY", "CREATE INDEX"
        ),
    ],
)
def test_a_file_with_everything_leaves_what_goose_leaves(
    goose_oracle: Path, database: Database, tmp_path: Path, text: str
) -> None:
    other = database.server.create_database()
    directory = fill(tmp_path / "m", {"00001_all.sql": text})
    run = subprocess.run(
        [goose_oracle, "-dir", directory, "-env", "none", "postgres", other.url, "up"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRON},
    )
    assert run.returncode == 0, run.stderr
    up(request(database, directory, environ={**os.environ, **ENVIRON})).unwrap()
    said = "SELECT what FROM said ORDER BY id"
    assert database.query(said) == other.query(said)
    assert len(database.query(said)) == 9
    other.drop()
