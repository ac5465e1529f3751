"""The images of the node, as archives that containerd imports.

The project's own is built from the Dockerfile by buildah; its steps are cached outside
the tree, so that a change of the code repeats the last ones alone. PostgreSQL is
Debian's, on a root file system of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbmigrate import __version__
from tests.image.build import ROOT, kept_builder, make_root
from tests.operator_e2e.shop import FILES
from tests.toolchain import cache_root, made_once

OWN = "localhost/dbmigrate:node"
PAUSE = "localhost/pause:1"
POSTGRES = "localhost/postgres:17"
POSTGRES_USER = 999
INPUTS = ("Dockerfile", "requirements.lock", "requirements-build.lock", "pyproject.toml")
KEPT = 3
"""Archives of the project's own image that stay in the cache, the newest ones."""

START_POSTGRES = """#!/bin/sh
set -e
bin=/usr/lib/postgresql/17/bin
data=/data/pg
if [ ! -s $data/PG_VERSION ]; then
  $bin/initdb -D $data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  printf 'local all all trust\\nhost all postgres all trust\\n' > $data/pg_hba.conf
  printf 'hostssl all certified all cert\\nhost all all all scram-sha-256\\n' >> $data/pg_hba.conf
fi
set -- -c listen_addresses='*' -c fsync=off -c unix_socket_directories=/data
if [ -d /tls ]; then
  cp /tls/tls.crt /tls/tls.key /tls/ca.crt /data/ && chmod 600 /data/tls.key
  set -- "$@" -c ssl=on -c ssl_cert_file=/data/tls.crt -c ssl_key_file=/data/tls.key
  set -- "$@" -c ssl_ca_file=/data/ca.crt
fi
exec $bin/postgres -D $data "$@"
"""


def make_own_image() -> Path:
    """The archive of the project's image as the checkout is now."""
    name = f"image-{_digest_of_checkout()}"
    made = made_once(name, _build_own)
    others = [path for path in cache_root().glob("image-*") if path.is_dir() and path != made]
    for old in sorted(others, key=lambda path: path.stat().st_mtime)[: -(KEPT - 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return made / "image.tar"


def make_postgres_image() -> Path:
    """The archive of PostgreSQL: it keeps its data in /data and takes TLS files from /tls.

    It has the migration files of the tests in /migrations, as an application's image would.
    """
    digest = hashlib.sha256(f"{START_POSTGRES}{FILES}".encode()).hexdigest()[:8]

    def make(scratch: Path) -> None:
        root = make_root("postgres", "postgresql-17", "ca-certificates")
        layer = scratch / "layer.tar"
        with tarfile.open(layer, "w") as archive:
            archive.add(root, arcname=".")
            _add_file(archive, "usr/local/bin/start", START_POSTGRES.encode())
            for name, text in FILES.items():
                _add_file(archive, f"migrations/{name}", text.encode(), mode=0o644)
            passwd = (root / "etc/passwd").read_text()
            line = f"pg:x:{POSTGRES_USER}:{POSTGRES_USER}::/data:/bin/sh\n"
            _add_file(archive, "etc/passwd", (passwd + line).encode())
        _write_archive(scratch, POSTGRES, layer, ["/usr/local/bin/start"], user=POSTGRES_USER)

    return made_once(f"postgres-image-{digest}", make) / "image.tar"


def make_pause_image(program: Path, directory: Path) -> Path:
    """The archive of the sandbox's image."""
    layer = directory / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        _add_file(archive, "pause", program.read_bytes())
    return _write_archive(directory, PAUSE, layer, ["/pause"], user=65535)


def make_files_image(directory: Path, name: str, files: Mapping[str, str]) -> Path:
    """The archive of an image that holds nothing but these files: a source for image volumes."""
    directory.mkdir(parents=True, exist_ok=True)
    layer = directory / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        for path, text in files.items():
            _add_file(archive, path, text.encode(), mode=0o644)
    return _write_archive(directory, name, layer, ["/none"], user=65532)


def _build_own(scratch: Path) -> None:
    with kept_builder() as builder:
        build = builder.take("build", "ca-certificates")
        runtime = builder.take("runtime", "ca-certificates", "python3")
        builder.build(
            OWN, layers=True, BUILD_IMAGE=build, RUNTIME_IMAGE=runtime, VERSION=__version__
        )
        builder.run("push", OWN, f"docker-archive:{scratch / 'image.tar'}:{OWN}")
        builder.run("rmi", "--prune")


def _digest_of_checkout() -> str:
    digest = hashlib.sha256()
    sources = [path for path in (ROOT / "operator").rglob("*") if path.suffix in {".py", ".typed"}]
    for path in sorted([*sources, *(ROOT / name for name in INPUTS)]):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _add_file(archive: tarfile.TarFile, path: str, content: bytes, mode: int = 0o755) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _write_archive(
    directory: Path, name: str, layer: Path, entrypoint: Sequence[str], *, user: int
) -> Path:
    """One layer and its configuration in the form of `docker save`."""
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "User": f"{user}:{user}"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    path = directory / "image.tar"
    with tarfile.open(path, "w") as archive:
        _add_file(archive, "manifest.json", json.dumps(manifest).encode())
        _add_file(archive, "config.json", json.dumps(config).encode())
        archive.add(layer, arcname="layer.tar")
    layer.unlink()
    return path
