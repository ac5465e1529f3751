"""A disk that can be filled: a tablespace on a small file system in memory.

    with SmallDisk.mount(server) as disk:
        database = server.create_database(tablespace=disk.tablespace)
        disk.fill()

Mounting takes rights that a developer's shell may lack; then DiskUnavailable is raised.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.database.server import Server
from tests.database.unprivileged import give_away

SIZE = 32 << 20
_CHUNKS = (1 << 20, 1 << 12, 1)


class DiskUnavailable(Exception):
    """No file system could be mounted here."""


class SmallDisk:
    """A tablespace of a few megabytes."""

    tablespace = "small_disk"

    def __init__(self, directory: Path) -> None:
        self._ballast = directory / "ballast"

    @classmethod
    @contextmanager
    def mount(cls, server: Server) -> Iterator[SmallDisk]:
        """Mount it and make the tablespace; drop every database in it before the end."""
        directory = Path(tempfile.mkdtemp(prefix="dbmigrate-disk-"))
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            directory.rmdir()
            raise DiskUnavailable(f"can't mount a tmpfs: {error}") from None
        try:
            directory.chmod(0o755)
            place = directory / "tablespace"
            place.mkdir()
            give_away(place)
            _maintain(server, "CREATE TABLESPACE {} LOCATION {}", cls.tablespace, str(place))
            yield cls(directory)
            _maintain(server, "DROP TABLESPACE {}", cls.tablespace)
        finally:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)
            directory.rmdir()

    def fill(self) -> None:
        """Leave not one byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in _CHUNKS:
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    pass

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


def _maintain(server: Server, statement: str, name: str, text: str | None = None) -> None:
    values = [sql.Identifier(name)] + ([] if text is None else [sql.Literal(text)])
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*values))
