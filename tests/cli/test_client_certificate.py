"""A client certificate against a real server that asks for one: logins, what stays behind, and
what a person reads where it is refused."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.cli.program import PROGRAM, environment, run
from tests.database.programs import VARIABLE, PostgresUnavailable, find_programs_with_tls
from tests.database.server import Server
from tests.database.unprivileged import give_away

HBA = "local all all trust\nhostssl all owner 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 trust\n"
NOW = datetime.now(UTC)
PAIR = ("tls.crt", "tls.key")


class Secured(NamedTuple):
    """A server with TLS, and who signs its clients' certificates."""

    url: str
    authority: trustme.CA
    programs: Path


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    try:
        programs = find_programs_with_tls()
    except PostgresUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no server for client certificates: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED: {problem}")
    authority = trustme.CA()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(programs))
        server = Server.start(settings={"log_connections": "off"})
    with server:
        database = server.create_database()
        database.execute("CREATE ROLE owner LOGIN SUPERUSER")
        own = authority.issue_cert("127.0.0.1")
        own.cert_chain_pems[0].write_to_path(server.data / "server.crt")
        own.private_key_pem.write_to_path(server.data / "server.key")
        authority.cert_pem.write_to_path(server.data / "ca.crt")
        for name in ("server.crt", "server.key", "ca.crt"):
            (server.data / name).chmod(0o600)
            give_away(server.data / name)
        (server.data / "pg_hba.conf").write_text(HBA)
        for setting in ("ssl_ca_file = 'ca.crt'", "ssl = on"):
            database.execute(f"ALTER SYSTEM SET {setting}")
        database.execute("SELECT pg_reload_conf()")
        host = f"postgres://owner@127.0.0.1:{server.port}/{database.name}"
        yield Secured(f"{host}?sslmode=require", authority, programs)


@pytest.fixture
def directory(tmp_path: Path, secured: Secured) -> Path:
    """A valid pair, as mounted."""
    made = tmp_path / "client"
    made.mkdir()
    issue(made, secured.authority)
    return made


def issue(
    directory: Path, authority: trustme.CA, name: str = "owner", after: datetime | None = None
) -> None:
    made = authority.issue_cert(common_name=name, not_before=NOW - timedelta(2), not_after=after)
    made.cert_chain_pems[0].write_to_path(directory / "tls.crt")
    made.private_key_pem.write_to_path(directory / "tls.key")


def encrypt(key: Path, form: PrivateFormat) -> None:
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(loaded.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))


def test_nothing_of_the_key_stays_behind_and_pg_dump_has_it_too(
    secured: Secured, directory: Path, tmp_path: Path
) -> None:
    files, temporary, backups = (tmp_path / name for name in ("files", "temporary", "backups"))
    for each in (files, temporary, backups):
        each.mkdir()
    (files / "1_t.up.sql").write_text("CREATE TABLE t (id int);")
    environ = {"DBMIGRATE_CLIENT_CERTIFICATE": str(directory), "TMPDIR": str(temporary)}
    environ["PATH"] = f"{secured.programs}:{os.environ['PATH']}"
    words = ("-path", str(files), "-database", secured.url, "-backup-to", str(backups))
    done = run(*words, "up", environ=environ)
    assert done.code == 0, done.stderr
    assert run("-database", secured.url, "version", environ=environ).stderr == "1\n"
    assert list(backups.rglob("*.dump")), list(backups.rglob("*"))
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("where", ["mounted", "sslkey", "PGSSLKEY", "service", "PGSERVICE"])
def test_nobody_is_asked_for_a_passphrase(
    secured: Secured, directory: Path, tmp_path: Path, form: PrivateFormat, where: str
) -> None:
    certificate, key = (directory / name for name in PAIR)
    encrypt(key, form)
    key.chmod(0o600)
    url, environ = secured.url, {}
    if where == "mounted":
        environ = {"DBMIGRATE_CLIENT_CERTIFICATE": str(directory)}
    elif where == "sslkey":
        url += f"&sslcert={certificate}&sslkey={key}"
    elif where == "PGSSLKEY":
        environ = {"PGSSLCERT": str(certificate), "PGSSLKEY": str(key)}
    else:
        service = tmp_path / "services"
        service.write_text(f"[s]\nsslcert={certificate}\nsslkey={key}\n")
        environ = {"PGSERVICEFILE": str(service)}
        environ |= {"PGSERVICE": "s"} if where == "PGSERVICE" else {}
        url += "&service=s" if where == "service" else ""
    leader, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [PROGRAM, "-database", url, "version"],
            check=False,
            stdin=terminal,
            capture_output=True,
            env=environment(environ),
            text=True,
            timeout=60,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(terminal), os.O_RDWR)),
        )
        os.set_blocking(leader, False)
        with pytest.raises(BlockingIOError):
            os.read(leader, 1)
    finally:
        os.close(terminal)
        os.close(leader)
    assert done.returncode == 1
    assert "encrypted" in done.stderr
    if where != "mounted":
        assert "sslpassword" in done.stderr
        opened = run("-database", f"{url}&sslpassword=secret", "version", environ=environ)
        assert "certificate" not in opened.stderr
    if where in ("service", "PGSERVICE"):
        with service.open("a") as file:
            file.write("sslpassword=secret\n")
        assert run("-database", url, "version", environ=environ).code == 0


def test_a_refused_certificate_is_named_as_the_clients_own_with_its_place(
    secured: Secured, directory: Path
) -> None:
    def refusal(url: str = secured.url) -> str:
        environ = {"DBMIGRATE_CLIENT_CERTIFICATE": str(directory)}
        done = run("-database", url, "version", environ=environ)
        assert done.code == 1
        assert "/proc/" not in done.stderr
        return done.stderr

    issue(directory, secured.authority, after=NOW - timedelta(1))
    said = refusal()
    assert f"client's own certificate ({directory}, " in said
    assert f"it has expired on {NOW - timedelta(1):%Y-%m-%d}" in said
    assert "renew the client certificate" in said

    issue(directory, secured.authority, name="somebody")
    said = refusal()
    assert "of somebody, and the user is owner" in said

    issue(directory, trustme.CA())
    said = refusal()
    assert "client's own certificate" in said
    assert "ssl_ca_file" in said

    other = (directory / "tls.key").read_bytes()
    issue(directory, secured.authority)
    (directory / "tls.key").write_bytes(other)
    said = refusal()
    assert f"{directory}/tls.key" in said
    assert "of one and the same" in said

    issue(directory, secured.authority)
    said = refusal(secured.url.replace("sslmode=require", "sslmode=disable"))
    assert "sslmode=disable" in said

    for name, what in (("tls.crt", "no certificate"), ("tls.key", "no private key")):
        issue(directory, secured.authority)
        (directory / name).write_text("garbage")
        said = refusal()
        assert f"{name} of the client certificate in {directory} is {what}" in said
        assert "clientCertificateFrom" in said


@pytest.mark.parametrize("mode", ["sslmode=disable in the URL", "PGSSLMODE"])
def test_a_connection_without_tls_is_refused_for_one_target_and_for_many_alike(
    directory: Path, tmp_path: Path, mode: str
) -> None:
    files, targets = tmp_path / "files", tmp_path / "targets.yaml"
    files.mkdir()
    (files / "1_t.up.sql").write_text("SELECT 1;")
    targets.write_text("targets:\n- {name: a, dbname: a}\n- {name: b, dbname: b, port: 2}\n")
    environ = {"DBMIGRATE_CLIENT_CERTIFICATE": str(directory)}
    url = "postgres://owner@127.0.0.1:1/x"
    if mode == "PGSSLMODE":
        environ["PGSSLMODE"] = "disable"
    else:
        url += "?sslmode=disable"
    words = ("-path", str(files), "-database", url)
    one = run(*words, "up", environ=environ)
    many = run(*words, "fleet", "up", "-targets", str(targets), environ=environ)
    assert (one.code, many.code) == (1, 1)
    assert one.stderr == many.stderr
    assert "sslmode=disable, and DBMIGRATE_CLIENT_CERTIFICATE" in one.stderr
