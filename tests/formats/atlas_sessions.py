"""What people do with `atlas migrate`, as sessions, and what Atlas 1.2.3 printed.

The Go proxy keeps no command of Atlas newer than 0.13.1, so that of 1.2.3 can't be built
everywhere: atlas_1.2.3.json holds what it said. With a build of it at hand:

    python -m tests.formats.atlas_sessions PROGRAM > tests/formats/atlas_1.2.3.json
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.database import Server
from tests.formats.arrange import fill

RECORDED = Path(__file__).with_name("atlas_1.2.3.json")
JSON = " --format {{json@.}}"
"""In a line of a session; `@` is a blank."""

A, B = "20240101000000_a.sql", "20240102000000_b.sql"
FILES = {
    A: "CREATE TABLE a (id int);\n",
    B: "CREATE TABLE b (id int);\nINSERT INTO b\n  VALUES (1);\n",
}
FAILS = {**FILES, "20240103000000_c.sql": "CREATE TABLE c (id int);\nSELECT 1/0;\n"}
CHECKPOINT = {
    **FILES,
    "20240103000000_c.sql": "-- atlas:checkpoint\n\nCREATE TABLE a (id int);\nSELECT 1;\n",
    "20240104000000_d.sql": "CREATE TABLE d ();\n",
}
HALF = {
    "1_a.sql": "CREATE TABLE a ();\n",
    "2_b.sql": "-- atlas:txmode none\n\nCREATE TABLE b ();\nSELECT 1,\n  nosuch;\nSELECT 2;\n",
}


@dataclass(frozen=True)
class Session:
    """Files, what the database holds before, and command lines behind `atlas migrate`.

    A line that begins with `+` writes a file (`+ NAME TEXT`) and renews the sum.
    """

    files: Mapping[str, str]
    lines: tuple[str, ...]
    setup: str = ""
    path: str = ""
    """The search path of the URL."""


class Said(NamedTuple):
    """How a line ended."""

    code: int
    output: str


Program = Callable[[list[str]], Said]

APPLY = ("apply",)
SESSIONS = {
    "a whole life": Session(
        FILES,
        (
            *("status", "apply 1", "status", "apply", "apply", "status", f"set {A[:14]}"),
            *("status", "set", "set 77", "status", "apply 9"),
        ),
    ),
    "documents": Session(
        FILES,
        (
            *(f"status{JSON}", f"apply --dry-run{JSON}", f"apply 1{JSON}", f"status{JSON}"),
            *("apply --dry-run", f"apply{JSON}", f"apply{JSON}", f"status{JSON}"),
        ),
    ),
    "a file that fails": Session(FAILS, ("apply", "status", f"status{JSON}")),
    "a file that fails without a transaction": Session(
        FAILS,
        (
            *("apply --tx-mode none", "status", f"status{JSON}"),
            *(f"apply --tx-mode none{JSON}", "set 20240103000000"),
        ),
    ),
    "a file that half ran": Session(HALF, ("apply", "status", f"status{JSON}", f"apply{JSON}")),
    "a mistake in the first statement": Session(
        {"1_a.sql": "CREATE TABL a (id int);\n"}, ("apply", "status")
    ),
    "a mistake over several lines": Session(
        {"1_a.sql": "SELECT 1;\nSELECT\n  'é', nosuch\n  FROM (SELECT 1) x;\n"}, APPLY
    ),
    "a row that is there": Session(
        {"1_a.sql": "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1), (1);\n"},
        APPLY,
    ),
    "no files": Session({}, ("status", "apply", f"apply{JSON}", f"status{JSON}", "set")),
    "a checkpoint": Session(
        CHECKPOINT,
        ("status", f"status{JSON}", "apply 1", "status", f"status{JSON}", "apply", "status"),
    ),
    "a late file": Session(
        {"1_a.sql": "CREATE TABLE a ();\n", "3_c.sql": "CREATE TABLE c ();\n"},
        (
            *("apply", "+ 2_b.sql CREATE TABLE b ();", "apply", "status", f"status{JSON}"),
            *("+ 4_d.sql CREATE TABLE d ();", "status", "apply --exec-order linear-skip"),
            *("apply --exec-order non-linear", "status"),
        ),
    ),
    "a baseline": Session(
        FILES, (f"apply --baseline {A[:14]}", "status", f"status{JSON}"), setup="CREATE SCHEMA x"
    ),
    "a path to no schema": Session(FILES, ("apply", "status"), path="nowhere"),
    "a table": Session(FILES, ("apply", "apply --allow-dirty"), setup="CREATE TABLE x ()"),
    "a schema": Session(FILES, APPLY, setup="CREATE SCHEMA x"),
    "a sequence": Session(FILES, APPLY, setup="CREATE SEQUENCE x"),
    "a view": Session(FILES, APPLY, setup="CREATE VIEW x AS SELECT 1"),
    "a type": Session(FILES, APPLY, setup="CREATE TYPE x AS ENUM ()"),
    "a sequence in the schema": Session(FILES, APPLY, "CREATE SEQUENCE x", "public"),
    "a table in another schema": Session(
        FILES, APPLY, "CREATE SCHEMA y; CREATE TABLE y.x ()", "public"
    ),
}


def play(session: Session, server: Server, directory: Path, program: Program) -> list[Said]:
    """Run its lines on a new database."""
    database = server.create_database()
    if session.setup:
        database.execute(session.setup)
    fill(directory, session.files)
    renew_sum(directory, Format.ATLAS)
    url = database.url + (f"&search_path={session.path}" if session.path else "")
    said = []
    for line in session.lines:
        if line.startswith("+"):
            _, name, text = line.split(" ", 2)
            fill(directory, {name: text})
            renew_sum(directory, Format.ATLAS)
            continue
        command, *words = (word.replace("@", " ") for word in line.split())
        where = ["--dir", f"file://{directory}", "--url", url]
        ran = program(["migrate", command, *where, *words])
        shown = ran.output.replace(str(directory), "/DIR").replace(database.name, "DB")
        said.append(Said(ran.code, _plain(shown.replace(f"{server.host}:{server.port}", "HOST"))))
    database.drop()
    return said


def _plain(text: str) -> str:
    """Without what differs from run to run and from program to program."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r'"(?:ExecutionTime":\d+|OperatorVersion":"[^"]*")', '"-"', text)
    text = re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', '"TIME"', text)
    return re.sub(r"\b(?:\d+m)?\d+(?:\.\d+)?(?:ns|µs|ms|s)\b", "TIME", text)


def main() -> None:
    """Record what a build of Atlas says."""
    program = sys.argv[1]
    quiet = {"ATLAS_NO_UPDATE_NOTIFIER": "1", "ATLAS_NO_UPGRADE_SUGGESTIONS": "1"}

    def atlas(words: list[str]) -> Said:
        ran = subprocess.run(
            [program, *words], capture_output=True, text=True, env=os.environ | quiet, check=False
        )
        return Said(ran.returncode, ran.stdout)

    with Server.start() as server, tempfile.TemporaryDirectory() as scratch:
        told = {
            name: play(session, server, Path(scratch, str(number)), atlas)
            for number, (name, session) in enumerate(SESSIONS.items())
        }
    print(json.dumps(told, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
