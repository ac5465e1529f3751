"""`dbmigrate atlas migrate ...` prints on the standard output what Atlas 1.2.3 prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run_here
from tests.database import Server
from tests.formats.atlas_sessions import RECORDED, SESSIONS, Said, play

pytestmark = pytest.mark.database

ABORTED = (
    "\\nsql/migrate: write revision: pq: current transaction is aborted, commands ignored until"
    " end of transaction block (25P02)"
)
"""What Atlas adds to an error because it writes into a transaction that has failed."""


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_reads_as_with_atlas(server: Server, tmp_path: Path, name: str) -> None:
    def ours(words: list[str]) -> Said:
        ran = run_here("atlas", *words)
        return Said(ran.code, ran.stdout)

    session = SESSIONS[name]
    told = play(session, server, tmp_path / "m", ours)
    expected = [Said(*each) for each in json.loads(RECORDED.read_text())[name]]
    lines = [line for line in session.lines if not line.startswith("+")]
    for line, mine, theirs in zip(lines, told, expected, strict=True):
        assert mine.output == theirs.output.replace(ABORTED, ""), line
        assert mine.code == theirs.code, line
