"""A standby that follows a server of a test's own, for as long as a `with` statement lasts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.database.server import Server
from tests.database.unprivileged import give_away, run_unprivileged

NAME = "replica"
"""As the primary knows it."""


@contextmanager
def standby_of(primary: Server) -> Iterator[Server]:
    """Copy the primary, and follow it. PostgresUnavailable if it is not ours."""
    with (primary.data / "pg_hba.conf").open("a") as rules:
        rules.write("host replication postgres 127.0.0.1/32 trust\n")
    with psycopg.connect(primary.url("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    directory = Path(tempfile.mkdtemp(prefix="dbmigrate-standby-"))
    directory.chmod(0o755)
    standby = Server(bin_dir=primary.bin_dir, host=primary.host, port=0, directory=directory)
    with standby:
        standby.data.mkdir(mode=0o700)
        give_away(standby.data)
        address = f"host={primary.host} port={primary.port} user=postgres application_name={NAME}"
        copy = [str(primary.bin_dir / "pg_basebackup"), "--pgdata", str(standby.data)]
        copy += ["--dbname", address, "--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
        run_unprivileged([*copy, "--wal-method=stream"])
        standby._launch_anywhere()
        yield standby
