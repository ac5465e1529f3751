"""Which database a resource means, and when two mean the same."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.api.cloud_login import CloudLogin
from dbmigrate.api.database import (
    CnpgCluster,
    Connection,
    DatabaseSpec,
    KeyRef,
    SessionAttributes,
    SslMode,
    UrlFrom,
    parse_database,
)
from dbmigrate.api.fields import Fields, SpecError

pytestmark = pytest.mark.quick

REF = {"secretKeyRef": {"name": "s", "key": "k"}}
URL = {"urlFrom": REF}
HOST = {"host": "h", "dbname": "d"}
CNPG = {"cnpg": {"cluster": "pg"}}
LABELS = ".".join(["a" * 63] * 3)


def parse(raw: dict[str, Any]) -> DatabaseSpec:
    return parse_database(Fields(raw, "spec.database"))


def connect(**fields: Any) -> dict[str, Any]:
    return {"connection": {**HOST, **fields}}


@pytest.mark.parametrize(
    ("raw", "expected", "description"),
    [
        (URL, UrlFrom(KeyRef("s", "k")), "secret/s[k]"),
        (connect(), Connection("h", "d"), "h:5432/d"),
        (connect(port=1), Connection("h", "d", 1), "h:1/d"),
        (connect(port=65535), Connection("h", "d", 65535), "h:65535/d"),
        (connect(sslmode="prefer"), Connection("h", "d", sslmode=SslMode.PREFER), "h:5432/d"),
        (connect(rootCertificateFrom={"system": {}}), Connection("h", "d", trusts_system=True),
         "h:5432/d"),
        (connect(targetSessionAttrs="any"),
         Connection("h", "d", target_session_attrs=SessionAttributes.ANY), "h:5432/d"),
        (CNPG, CnpgCluster("pg"), "cnpg/pg/"),
        ({"cnpg": {"cluster": "pg", "database": "d", "role": "r"}}, CnpgCluster("pg", "d", "r"),
         "cnpg/pg/d"),
    ],
)  # fmt: skip
def test_a_database_is_reached_by_a_url_a_connection_or_a_cluster(
    raw: dict[str, Any], expected: object, description: str
) -> None:
    access = parse(raw).access
    assert (access, access.description) == (expected, description)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (connect(user="u", userFrom=REF),
         "connection.userFrom: must not be set together with user"),
        (connect(passwordFile="/p", passwordFrom=REF),
         "connection.passwordFrom: must not be set together with passwordFile"),
        (connect(port=0), "connection.port: must be a whole number from 1 to 65535"),
        (connect(host=f"{LABELS}.{'b' * 62}"), "connection.host: must have names of at most 253"),
        (connect(host=f"a,{LABELS}.{'b' * 62}"), "connection.host: must have names of at most 253"),
        (connect(rootCertificateFrom={"system": {}}, sslmode="require"),
         "connection.sslmode: must be verify-full"),
        (connect(rootCertificateFrom={}), "connection.rootCertificateFrom: must have exactly one"),
        ({**CNPG, "identity": {"gcp": {}}}, "identity: must not be set together with cnpg"),
        ({**connect(passwordFrom=REF, sslmode="require"), "identity": {"gcp": {}}},
         "identity: must not be set together with a password"),
        ({**connect(sslmode="allow"), "identity": {"gcp": {}}}, "identity: needs connection."),
        ({**URL, "identity": {"aws": {"port": 0}}}, "identity.aws.port: must be a whole number"),
        ({**URL, "identity": {}}, "identity: must have exactly one of aws, gcp, azure"),
        ({"urlFrom": {"configMapKeyRef": {"name": "m"}}}, "urlFrom.configMapKeyRef.key: is "),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(raw: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(raw)
    assert str(caught.value).startswith(f"spec.database.{problem}")


@pytest.mark.parametrize("host", [f"{LABELS}.{'b' * 61}", f"{LABELS}.{'b' * 61}.", "a,b,/run"])
def test_the_names_of_hosts_are_as_long_as_dns_allows(host: str) -> None:
    access = parse(connect(host=host)).access
    assert isinstance(access, Connection)
    assert access.host == host


@pytest.mark.parametrize("mode", SslMode)
def test_a_token_goes_over_tls_alone(mode: SslMode) -> None:
    raw = {**connect(sslmode=mode.value), "identity": {"azure": {}}}
    if mode in ("require", "verify-ca", "verify-full"):
        assert parse(raw).cloud_login == CloudLogin("azure")
        return
    with pytest.raises(SpecError):
        parse(raw)


@pytest.mark.parametrize(
    ("identity", "argument"),
    [
        ({"gcp": {}}, "gcp"),
        ({"aws": {}}, "aws"),
        ({"aws": {"region": "eu-west-1", "host": "h", "port": 1}},
         "aws:region=eu-west-1,host=h,port=1"),
        ({"azure": {}}, "azure"),
        ({"azure": {"clientId": "c-1"}}, "azure:client-id=c-1"),
    ],
)  # fmt: skip
def test_a_clouds_login_is_an_argument_of_the_runner(
    identity: dict[str, Any], argument: str
) -> None:
    login = parse({**URL, "identity": identity}).cloud_login
    assert login is not None
    assert login.argument == argument


def test_a_certificate_and_references_are_read() -> None:
    spec = parse({**URL, "clientCertificateFrom": {"secretRef": {"name": "c"}}, "role": "r"})
    assert (spec.client_certificate, spec.role) == ("c", "r")
    ref = KeyRef("m", "k", "ConfigMap")
    assert parse({"urlFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}).access == UrlFrom(ref)
    assert (ref.field, KeyRef("s", "k").field) == ("configMapKeyRef", "secretKeyRef")


CHANGES: list[tuple[dict[str, Any], bool]] = [
    ({**URL, "historyTable": "a.b"}, True),
    ({"urlFrom": {"secretKeyRef": {"name": "s", "key": "other"}}}, True),
    ({**URL, "historyTable": "schema_migrations"}, False),
    ({**URL, "role": "r"}, False),
    ({**URL, "identity": {"gcp": {}}}, False),
    ({**URL, "clientCertificateFrom": {"secretRef": {"name": "c"}}}, False),
]


@pytest.mark.parametrize(("raw", "is_another"), CHANGES)
def test_two_resources_use_one_history_whatever_their_login(
    raw: dict[str, Any], is_another: bool
) -> None:
    assert (parse(raw).identity != parse(URL).identity) is is_another
    is_same = raw == CHANGES[2][0]
    assert (parse(raw).words == parse(URL).words) is is_same
    assert (parse(raw).checksum == parse(URL).checksum) is is_same


def test_what_older_versions_did_not_know_is_left_out_where_it_is_not_set() -> None:
    """Their intents stay as they are, so an update of the operator runs nothing."""
    assert parse(URL).words == {
        "access": {"ref": {"name": "s", "key": "k", "kind": "Secret"}},
        "history_table": "schema_migrations",
    }
    first = {"host", "dbname", "port", "user", "user_from", "password_from", "sslmode"}
    first |= {"root_certificate_from"}
    assert set(parse(connect()).words["access"]) == first
    later = connect(passwordFile="/p", targetSessionAttrs="any")
    assert set(parse(later).words["access"]) - first == {"password_file", "target_session_attrs"}
