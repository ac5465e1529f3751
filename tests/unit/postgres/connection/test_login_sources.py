"""Two sources of one thing: each pair is libpq's own to decide, or refused with both names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError, SettingsError
from dbmigrate.postgres.connection.effective import read_effective
from dbmigrate.postgres.connection.login_sources import check_login
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.identity.identity import CloudIdentity, Provider
from dbmigrate.report import Reason

pytestmark = pytest.mark.quick

URL = "postgres://app@db.example/shop?sslmode=require"
TOKEN = "-identity"
PASSWORD_FILE, CERTIFICATE = "DBMIGRATE_PASSWORD_FILE", "DBMIGRATE_CLIENT_CERTIFICATE"
PASSWORDS = ("URL", "service's file", "PGPASSWORD", "passfile in the URL", "PGPASSFILE")
"""libpq's, the first one counts."""
CERTIFICATES = (
    "sslcert in the URL",
    "sslkey in the URL",
    "sslcert in the service's file",
    "PGSSLCERT",
    "PGSSLKEY",
)


class Login:
    """Settings of a login, to which sources are added."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._service = directory / "service.conf"
        self._service.write_text("[s]\n")
        self._patch = patch
        self.url = URL
        self.environ: dict[str, str] = {}
        self.identity: CloudIdentity | None = None
        self.set("PGSERVICEFILE", str(self._service))

    def set(self, name: str, value: str) -> None:
        self.environ[name] = value
        self._patch.setenv(name, value)

    def add(self, source: str, value: str = "x1y2z3") -> None:
        """The source, by the words of the messages."""
        parameter, _, where = source.partition(" in the ")
        if source == TOKEN:
            self.identity = CloudIdentity(Provider.GCP)
        elif source in ("URL", "service's file"):
            self.add(f"password in the {source}", value)
        elif where == "URL":
            self.url += f"&{parameter}={value}"
        elif where == "service's file":
            self.url += "" if "service=" in self.url else "&service=s"
            with self._service.open("a") as file:
                file.write(f"{parameter}={value}\n")
        else:
            self.set(source, value)

    def check(self, role: str = "") -> None:
        conninfo = parse_target(self.url, self.environ).conninfo
        check_login(conninfo, self.environ, identity=self.identity, role=role)

    def effective(self) -> Mapping[str, str]:
        return read_effective(parse_target(self.url, self.environ).conninfo).values


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Login]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(tmp_path))
        yield Login(tmp_path, patch)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *((each, PASSWORD_FILE) for each in PASSWORDS),
        *((each, TOKEN) for each in (*PASSWORDS, PASSWORD_FILE)),
        *((each, CERTIFICATE) for each in CERTIFICATES),
    ],
)
def test_a_source_of_ours_beside_another_of_the_same_is_refused_with_both_names(
    login: Login, one: str, other: str
) -> None:
    login.add(one)
    login.check()
    login.add(other)
    with pytest.raises(SettingsError) as caught:
        login.check()
    for name in (one, other):
        assert name in caught.value.message
    assert "remove one of them" in (caught.value.hint or "")
    assert "x1y2z3" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(("one", "other"), list(combinations(PASSWORDS, 2)))
def test_of_libpqs_own_sources_of_a_password_none_is_refused(
    login: Login, one: str, other: str
) -> None:
    login.add(one)
    login.add(other)
    login.check()


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [
        ("user", "PGUSER"),
        ("host", "PGHOST"),
        ("sslrootcert", "PGSSLROOTCERT"),
        ("sslcert", "PGSSLCERT"),
        ("sslkey", "PGSSLKEY"),
        ("sslmode", "PGSSLMODE"),
        ("password", "PGPASSWORD"),
    ],
)
def test_the_url_counts_before_the_service_and_the_service_before_the_variable(
    login: Login, parameter: str, variable: str
) -> None:
    login.url = "postgres:///shop?connect_timeout=1"
    values = ("require", "verify-ca", "allow") if parameter == "sslmode" else ("a", "b", "c")
    sources = [variable, f"{parameter} in the service's file", f"{parameter} in the URL"]
    for source, value in zip(sources, values, strict=True):
        login.add(source, value)
        assert login.effective()[parameter] == value
    if parameter != "sslrootcert":
        login.check()


def test_a_default_of_libpqs_is_no_second_source(login: Login, tmp_path: Path) -> None:
    (tmp_path / ".pgpass").write_text("*:*:*:*:secret\n")
    (tmp_path / ".pgpass").chmod(0o600)
    for each in (PASSWORD_FILE, CERTIFICATE):
        login.add(each)
    login.check()
    del login.environ[PASSWORD_FILE]
    login.add(TOKEN)
    login.check()


@pytest.mark.parametrize("source", ["role in the URL", "options in the URL", "PGOPTIONS"])
def test_a_role_beside_another_one(login: Login, source: str) -> None:
    value = r"a\ b" if source == "role in the URL" else r"-c%20role=a\\\ b"
    login.add(source, value.replace("%20", " ") if source == "PGOPTIONS" else value)
    login.check()
    if source != "role in the URL":
        login.check(role=r"a\ b")
    with pytest.raises(SettingsError, match="another role") as caught:
        login.check(role="owner")
    assert "-role is owner" in caught.value.message


@pytest.mark.parametrize("mode", ["sslmode in the URL", "sslmode in the service's file"])
def test_a_certificate_is_not_shown_without_tls(login: Login, mode: str) -> None:
    login.url = "postgres://app@db.example/shop?connect_timeout=1"
    login.add(mode, "disable")
    login.check()
    login.add(CERTIFICATE)
    with pytest.raises(SettingsError, match="sslmode=disable") as caught:
        login.check()
    assert caught.value.reason is Reason.TLS_FAILED


def test_the_service_may_say_that_a_token_is_sent_over_tls(login: Login) -> None:
    login.url = "postgres://app@db.example/shop?connect_timeout=1"
    login.add(TOKEN)
    with pytest.raises(SettingsError, match="no sslmode"):
        login.check()
    login.add("sslmode in the service's file", "verify-full")
    login.check()


UNUSABLE = {
    "service=nowhere": "not found",
    "sslmode=x1y2z3": "sslmode",
    "require_auth=x1y2z3": "require_auth",
    "channel_binding=x1y2z3": "channel_binding",
    "sslrootcert=system&sslmode=require": "sslrootcert=system",
    "hostaddr=127.0.0.1,127.0.0.2": "hostaddr",
    "port=1,2,3": "port",
    "sslmode=verify-full&sslrootcert=/x1y2z3": "does not exist",
    "sslmode=verify-ca&sslrootcert=/nowhere/x1y2z3.pem": "does not exist",
}


@pytest.mark.parametrize("settings", UNUSABLE)
def test_settings_that_no_server_accepts_are_named_before_anything_is_opened(
    login: Login, settings: str
) -> None:
    login.url = f"postgres://app@db.example/shop?{settings}"
    with pytest.raises(SettingsError) as caught:
        login.check()
    assert UNUSABLE[settings] in caught.value.message
    assert '"x1y2z3"' not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "host", ["a..b", ".a", "-a", "a-.b", "a" * 64, ".".join(["abcdefgh"] * 29), "ü" * 64]
)
def test_a_name_that_no_name_service_can_have_is_refused(host: str) -> None:
    for url, environ in ((f"host={host}", {}), ("dbname=x", {"PGHOST": host})):
        with pytest.raises(MigrationError, match="no host's name or address"):
            parse_target(url, environ)


@pytest.mark.parametrize("host", ["a_b.c", "a.b.", "xn--a.b", "ü.de", "1.2.3.4", "::1", "a" * 63])
def test_a_name_that_may_be_one_is_taken(host: str) -> None:
    for hosts in permutations((host, "other")):
        parse_target(f"host={','.join(hosts)}", {})
