"""Logins on Cloud SQL: google-auth's own library, a metadata server of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from google.auth.compute_engine import _metadata

from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.identity.gcp import SCOPE
from dbmigrate.runner.commands.up import up
from tests.cli.program import run
from tests.cloud.arrange import nothing_is_shown, request_to
from tests.cloud.bearer import BearerServer, Issuer, bearer_server
from tests.cloud.endpoints import Endpoint
from tests.cloud.gcp import metadata_server, user_of
from tests.database import Database
from tests.runner.arrange import version_row

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("no_providers")]

ACCOUNT = "migrator@shop.iam.gserviceaccount.com"
USER = user_of(ACCOUNT)
HOST = "shop.example"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def instance(
    database: Database, authority: trustme.CA, roots: Path, issuer: Issuer
) -> Iterator[BearerServer]:
    with bearer_server(database, authority, roots, HOST, issuer) as made:
        yield made


@pytest.fixture
def metadata(issuer: Issuer) -> Iterator[Endpoint]:
    """A machine's metadata server."""
    made = metadata_server(issuer, lambda: ACCOUNT)
    yield made
    made.close()


def environment(address: str, directory: Path) -> dict[str, str]:
    """One in which the metadata server alone can be found."""
    return {
        "GCE_METADATA_HOST": address,
        "GCE_METADATA_IP": address,
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "CLOUDSDK_CONFIG": str(directory / "no-gcloud"),
        "NO_PROXY": "127.0.0.1",
    }


def live_in(metadata: Endpoint, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """The same for this process, in which the library has read its variables already."""
    for name, value in environment(metadata.address, directory).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", metadata.address)
    monkeypatch.setattr(_metadata, "_GCE_DEFAULT_MDS_IP", metadata.address)


def test_a_run_logs_in_by_the_metadata_server(
    instance: BearerServer, metadata: Endpoint, files: Path, tmp_path: Path
) -> None:
    done = run(
        *("-path", str(files), "-identity", "gcp", "-database", instance.url(USER), "-json", "up"),
        environ=environment(metadata.address, tmp_path),
    )
    assert done.code == 0, done.stderr
    assert version_row(instance.database) == [(3, False)]
    asked = [each.query.get("scopes") for each in metadata.asked if each.path.endswith("/token")]
    assert set(asked) == {SCOPE}
    assert "project" not in done.stderr  # the library's own warnings are not for people
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_a_token_is_renewed_before_its_end_and_kept_before(
    instance: BearerServer,
    metadata: Endpoint,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A metadata server gives a token on until shortly before its end: so does the library."""
    live_in(metadata, monkeypatch, tmp_path)
    assert up(request_to(instance.url(USER), "gcp")).unwrap() is None
    assert up(request_to(instance.url(USER), "gcp")).unwrap() is None
    assert issuer.issued == 1
    monkeypatch.setattr("dbmigrate.postgres.identity.tokens._providers", {})
    issuer.lifetime = 120  # within the time before its end in which it is renewed
    assert up(request_to(instance.url(USER), "gcp")).unwrap() is None
    issuer.live.clear()
    assert up(request_to(instance.url(USER), "gcp")).unwrap() is None
    assert not [each.refusal for each in instance.gate.shown if each.refusal]


def test_a_token_that_ends_during_a_run_is_not_used_again(
    instance: BearerServer,
    metadata: Endpoint,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    original, lost = Session.execute, list[str]()

    def lose_once(self: Session, sql: bytes, **rest: object) -> int:
        done = original(self, sql, **rest)  # type: ignore[arg-type]
        if b"CREATE TABLE t1 " in sql and not lost:
            lost.extend(issuer.live)
            issuer.live.clear()
            instance.gate.cut()
            self.close()
            raise ConnectionBroken("cut by the test")
        return done

    issuer.lifetime = 120
    monkeypatch.setattr(Session, "execute", lose_once)
    live_in(metadata, monkeypatch, tmp_path)
    assert up(request_to(instance.url(USER), "gcp")).unwrap() is None
    assert lost
    assert len(set(instance.gate.tokens)) >= 2
    assert not [each.refusal for each in instance.gate.shown if each.refusal]


def test_the_whole_name_of_a_service_account_is_told_apart(
    instance: BearerServer, metadata: Endpoint, issuer: Issuer, tmp_path: Path
) -> None:
    environ = environment(metadata.address, tmp_path)
    issuer.lifetime = 120
    instance.gate.check = _refuse_all(instance)
    done = run("-identity", "gcp", "-database", instance.url(ACCOUNT), "version", environ=environ)
    assert done.code == 1
    assert "has no .gserviceaccount.com at its end" in done.stderr
    done = run("-identity", "gcp", "-database", instance.url(USER), "version", environ=environ)
    assert "roles/cloudsql.instanceUser" in done.stderr
    metadata.ahead = 1800
    done = run("-identity", "gcp", "-database", instance.url(USER), "version", environ=environ)
    assert "this machine's clock is 30 min behind that of 127.0.0.1" in done.stderr
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_no_credentials_are_named(instance: BearerServer, tmp_path: Path) -> None:
    environ = {**environment("127.0.0.1:9", tmp_path), "NO_GCE_CHECK": "true"}
    options = ("-identity", "gcp", "-database", instance.url(USER), "-json")
    done = run(*options, "version", environ=environ)
    assert json.loads(done.stdout)["error"]["reason"] == "AuthenticationFailed"
    assert "Workload Identity" in done.stderr


def _refuse_all(instance: BearerServer):  # type: ignore[no-untyped-def]
    def check(parameters: dict[str, str], token: str) -> None:
        instance.issuer.live.clear()
        instance._check(parameters, token)

    return check
