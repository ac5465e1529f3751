"""What a migration learns that starts programs on the scratch server, as SQL may."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest

from tests.cli.program import run

pytestmark = pytest.mark.database

LOOK = (
    "id; env; for file in /proc/[0-9]*/environ; do tr '\\0' '\\n' < $file; done 2>/dev/null;"
    " cat /proc/$PPID/status | grep Groups"
)
TELL = """
CREATE TABLE told (line text);
COPY told FROM PROGRAM $$({look}) | base64 -w0$$;
DO $$ BEGIN RAISE EXCEPTION 'told: %', (SELECT line FROM told); END $$;
"""
ENVIRONMENT = {
    "DATABASE_URL": "postgres://app:canary-1@db.invalid/app",
    "PGPASSWORD": "canary-2",
    "DBMIGRATE_DATABASE": "postgres://app:canary-3@db.invalid/app",
    "ANY_TOKEN": "canary-4",
}


@pytest.mark.parametrize("command", [("rehearse",), ("diff", "-dry-run", "x")])
def test_a_migration_on_a_scratch_server_sees_no_secret_and_no_group_of_ours(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "m").mkdir()
    script = TELL.replace("{look}", LOOK)
    (tmp_path / "m" / "1_a.up.sql").write_text(script)
    (tmp_path / "schema.sql").write_text("CREATE TABLE t (id int);")
    ran = run("-path", str(tmp_path / "m"), *command, environ=ENVIRONMENT)
    found = re.search(r"told: ([A-Za-z0-9+/=]+)", ran.stderr)
    assert found, ran.stderr
    told = base64.b64decode(found[1]).decode(errors="replace")
    assert "uid=" in told
    assert "PATH=" in told
    assert "canary" not in told
    if os.geteuid() == 0:
        assert told.split()[:2] == ["uid=65534(nobody)", "gid=65534(nogroup)"]
        assert "root" not in told.splitlines()[0]
        groups = [line for line in told.splitlines() if line.startswith("Groups:")]
        assert [line.split()[1:] for line in groups] == [[]]
