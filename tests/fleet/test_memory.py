"""What the memory of a run depends on: on its list of targets alone, whatever is done with them.

The targets are those of a server that answers from a recorded run, so that there may be any
number of them. DBMIGRATE_TEST_MEMORY=100000 makes the larger fleet as large as that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import environment, write_scripts
from tests.database.server import Database
from tests.fleet.arrange import FIRST, SECOND, fleet, make_schemas
from tests.fleet.replay import Recorder, ReplayServer, tenant_name

pytestmark = pytest.mark.database

LARGE = int(os.environ.get("DBMIGRATE_TEST_MEMORY", "20000"))
A_TARGET = 1280
"""Bytes that a target may take in the list, and in the check that no two of it are equal."""
PROGRAM = """
import os, sys
from pathlib import Path
from dbmigrate.cli.main import main

def leave(code, leave=os._exit):
    print(Path("/proc/self/status").read_text(), file=sys.stderr, flush=True)
    leave(code)

os._exit = leave
main()
"""
"""The program's end skips what Python does at its end, and prints first how large it was."""


def list_tenants(path: Path, column: str, count: int) -> Path:
    names = map(tenant_name, range(count))
    path.write_text(f"name,{column}\n" + "".join(f"{name},{name}\n" for name in names))
    return path


def peak_of(url: str, files: Path, verb: str, targets: Path, *args: str) -> tuple[int, str]:
    """The largest resident size of a run in bytes, and what it has said last."""
    words = ["-path", str(files), "-database", url, "fleet", verb, "-targets", str(targets)]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words, *args],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=3600,
        check=True,
    )
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", ran.stderr, re.MULTILINE)
    (said,) = re.findall(r"^[\d,]+ targets: .*$", ran.stderr, re.MULTILINE)
    return 1024 * int(peak), said


@pytest.fixture
def tenants(database: Database) -> Iterator[Sequence[str]]:
    """Three of them, each a schema of the database and a database of the same name."""
    names = [tenant_name(number) for number in range(3)]
    make_schemas(database, names)
    for name in names:
        database.execute(f"CREATE DATABASE {name}")
    yield names
    for name in names:
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("verb", "column", "large"),
    [("status", "schema", LARGE), ("up", "schema", LARGE // 8), ("status", "dbname", LARGE // 8)],
)
def test_memory_holds_the_list_and_nothing_that_grows_with_what_is_done(
    database: Database, tmp_path: Path, tenants: Sequence[str], verb: str, column: str, large: int
) -> None:
    files = write_scripts(tmp_path / "files", FIRST | SECOND)
    few = list_tenants(tmp_path / "few.csv", column, len(tenants))
    if verb == "status":
        assert fleet(database, files, "up", "-targets", str(few)).code == 0
    with closing(Recorder(database)) as recorder:
        ran = fleet(recorder.url, files, verb, "-targets", str(few), "-concurrency", "1")
        assert ran.code == 0, ran.stderr
        recorded = recorder.conversations
    peaks = []
    counts = (large // 5, large)
    with closing(ReplayServer(recorded, database.url)) as server:
        for count in counts:
            targets = list_tenants(tmp_path / f"{count}.csv", column, count)
            peak, said = peak_of(server.url, files, verb, targets)
            assert server.problems == []
            assert said.startswith(f"{count:,} targets: {count:,} current"), said
            peaks.append(peak)
    grown = (peaks[1] - peaks[0]) / (counts[1] - counts[0])
    print(f"{verb}, {column}: {peaks} bytes for {counts} targets, {grown:.0f} for each")
    assert grown < A_TARGET
