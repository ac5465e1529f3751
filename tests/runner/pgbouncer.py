"""A real PgBouncer before the tests' server: the system's, or Debian's package unpacked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.database import Server
from tests.database.unprivileged import give_away, start_unprivileged
from tests.toolchain import made_once, say

PACKAGES = ("pgbouncer", "libc-ares2")


class PgBouncerUnavailable(Exception):
    """There is none on this machine, and no package of it to be had; the message says why."""


def find_pgbouncer() -> Path:
    """The program. Raises PgBouncerUnavailable."""
    installed = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if installed:
        return Path(installed)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise PgBouncerUnavailable("install pgbouncer")
    return made_once("pgbouncer", _unpack) / "usr/sbin/pgbouncer"


def _unpack(directory: Path) -> None:
    say("unpacking Debian's pgbouncer, once")
    try:
        for package in PACKAGES:
            command = ["apt-get", "download", "-o", "APT::Sandbox::User=root", package]
            subprocess.run(command, cwd=directory, capture_output=True, check=True, timeout=120)
        for file in directory.glob("*.deb"):
            subprocess.run(["dpkg", "-x", file, directory], capture_output=True, check=True)
            file.unlink()
    except (subprocess.SubprocessError, OSError) as problem:
        raise PgBouncerUnavailable(f"install pgbouncer; its package: {problem}") from None


@contextmanager
def pgbouncer(server: Server, database_url: str, mode: str, **settings: str) -> Iterator[str]:
    """The database's URL through a PgBouncer of its own, in `transaction` or `session` mode."""
    more = "".join(f"{name} = {value}\n" for name, value in settings.items())
    program = find_pgbouncer()
    scratch = Path(tempfile.mkdtemp(prefix="dbmigrate-pgbouncer-"))
    scratch.chmod(0o755)
    try:
        copy = scratch / "pgbouncer"
        shutil.copy(program, copy)
        for library in program.parent.parent.glob("lib/*/libcares.so*"):
            shutil.copy(library, scratch)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = scratch / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={server.host} port={server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = 5\nunix_socket_dir =\n{more}"
        )
        give_away(scratch)
        command = ["env", f"LD_LIBRARY_PATH={scratch}", str(copy), str(config)]
        with (scratch / "log").open("wb") as log:
            process = start_unprivileged(command, log=log)
        try:
            _wait_for(port, process, scratch / "log")
            parts = urlsplit(database_url)
            yield urlunsplit(parts._replace(netloc=f"postgres@127.0.0.1:{port}"))
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PgBouncerUnavailable(f"it ended: {log.read_text(errors='replace')[-500:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise PgBouncerUnavailable("it does not listen")
