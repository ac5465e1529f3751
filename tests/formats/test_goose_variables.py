"""ENVSUB: what goose makes of a line, and what we make of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.sources.goose.script import extract
from dbmigrate.sources.goose.variables import substitute
from dbmigrate.sources.migration import Direction
from tests.database import Database
from tests.formats.arrange import fill

pytestmark = pytest.mark.database

ENVIRON = {"A": "alpha", "E": "", "U": "gr\u00fcn", "A_1": "one", "D": "$A", "N": "-3"}
PIECES = [
    *("$A", "${A}", "$E", "${E}", "$Z", "${Z}", "$A_1", "${U}", "$D"),
    *("$", "$$", "\\$", "\\\\", "\\", "$(", "$_", "$1"),
    *("${A:-", "${E:-", "${Z:-", "${E-", "${Z-", "${Z?", "${A?"),
    *("${A:1", "${A:-3", "${A: -3", "${U:1", "}", ":", ":2", ":-1", ": 1 "),
    *("{", ")", "_", "x", "1", " ", "\u00fc", "+", "-"),
]


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
@example("${A:1:2}${A:-${E:-$Z${A}}}")
@example("${U:0:3}")
@example("${A:9}${A:-9}${A:2:-9}")
@example("$$A$$$A")
def test_a_line_becomes_what_goose_makes_of_it(
    database: Database, goose_oracle: Path, tmp_path: Path, line: str
) -> None:
    said = f"INSERT INTO said (what) VALUES (E'<' || $q${line}$q$ || '>');"
    text = (
        "-- +goose Up\nCREATE TABLE IF NOT EXISTS said (what text);\nTRUNCATE said;\n"
        f"-- +goose ENVSUB ON\n{said.replace('$q$', '$$q$$')}\n"
    )
    directory = fill(tmp_path / "m", {"00001_a.sql": text})
    command = [str(goose_oracle), "-dir", str(directory), "-env", "none", "-no-versioning"]
    run = subprocess.run(
        [*command, "postgres", database.url, "up"],
        capture_output=True,
        text=True,
        check=False,
        env={**{k: v for k, v in os.environ.items() if k in {"HOME", "PATH"}}, **ENVIRON},
    )
    try:
        script = extract(text, Direction.UP, "a.sql", lambda each: substitute(each, ENVIRON))
    except MigrationError:
        assert "failed to parse" in run.stderr, line
        return
    assert "failed to parse" not in run.stderr, line
    if run.returncode != 0:  # PostgreSQL takes half a character from neither
        return
    theirs = database.query("SELECT what FROM said")
    database.execute(script)
    assert database.query("SELECT what FROM said") == theirs, line
