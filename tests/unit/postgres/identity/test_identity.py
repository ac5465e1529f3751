"""Reading -identity, and showing a library's error."""

from __future__ import annotations

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.identity.identity import CloudIdentity, Provider, parse_identity
from dbmigrate.postgres.identity.passwords import TokenPasswords
from dbmigrate.postgres.identity.tokens import show_error
from dbmigrate.report import Reason

pytestmark = pytest.mark.quick

AWS, GCP, AZURE = map(CloudIdentity, Provider)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("aws", AWS),
        ("gcp", GCP),
        ("azure", AZURE),
        ("aws:region=eu-central-1", CloudIdentity(Provider.AWS, region="eu-central-1")),
        (
            "aws:host=shop.c1.eu-central-1.rds.amazonaws.com,port=5433,region=us-gov-west-1",
            CloudIdentity(
                Provider.AWS, "us-gov-west-1", "shop.c1.eu-central-1.rds.amazonaws.com", 5433
            ),
        ),
        ("azure:client-id=1-2-a", CloudIdentity(Provider.AZURE, client_id="1-2-a")),
    ],
)
def test_an_identity_is_read(text: str, identity: CloudIdentity) -> None:
    assert parse_identity(text) == identity


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AWS",
        "oracle",
        "aws:",
        "aws:region",
        "aws:region=",
        "aws:region=EU",
        "aws:region=eu-west-1,region=eu-west-1",
        "aws:zone=a",
        "aws:port=0",
        "aws:port=65536",
        "aws:port=1e3",
        "aws:host=-x",
        "aws:host=a/b",
        "aws:host=a@b",
        "aws:client-id=x",
        "gcp:",
        "gcp:x=y",
        "azure:client-id=",
        "azure:region=eu-west-1",
        "aws\n",
        "aws:region=eu-west-1\n",
    ],
)
def test_what_is_no_identity_is_refused_without_its_values(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^@\n]+$") as caught:
        parse_identity(text)
    value = text.rpartition("=")[2]
    assert len(value) < 3 or value not in str(caught.value).replace("aws", "")


@pytest.mark.parametrize(
    ("conninfo", "environ"),
    [
        ({}, {}),
        ({"sslmode": "prefer"}, {}),
        ({"sslmode": "disable"}, {"PGSSLMODE": "verify-full"}),
        ({"sslmode": "nonsense"}, {}),
        ({"sslmode": "allow", "sslrootcert": "system"}, {}),
        ({}, {"PGSSLMODE": "prefer", "PGSSLROOTCERT": "system"}),
        ({"sslrootcert": "/roots.pem"}, {"PGSSLROOTCERT": "system"}),
    ],
)
def test_a_connection_without_tls_is_refused(
    conninfo: dict[str, str], environ: dict[str, str]
) -> None:
    for identity in (AWS, GCP, AZURE):
        with pytest.raises(MigrationError) as caught:
            TokenPasswords(identity, conninfo, environ)
        assert caught.value.reason is Reason.TLS_FAILED
        assert "nonsense" not in caught.value.message


@pytest.mark.parametrize(
    ("conninfo", "environ"),
    [
        ({"sslmode": "require"}, {}),
        ({"sslmode": "verify-full"}, {"PGSSLMODE": "disable"}),
        ({}, {"PGSSLMODE": "verify-ca"}),
        ({"sslrootcert": "system"}, {}),
        ({}, {"PGSSLROOTCERT": "system"}),
    ],
)
def test_a_connection_with_tls_is_taken(conninfo: dict[str, str], environ: dict[str, str]) -> None:
    assert TokenPasswords(AWS, conninfo, environ).newest is None


def test_an_error_of_a_library_shows_no_credential() -> None:
    place = "http://169.254.169.254/latest/meta-data/iam/security-credentials/role-of-the-run"
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    words = [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtaWdyYXRvciJ9.c2lnbmF0dXJl",
        "ya29.a0AfH6SMBx-y_z",
        "X-Amz-Security-Token=abc%2F==&X-Amz-Signature=0f0f",
        "A" * 24 + "/" + "b" * 24 + "==",
        secret,
        "hunter22",
    ]
    environ = {
        "AWS_SECRET_ACCESS_KEY": secret,
        "CLIENT": "hunter22",
        "DBMIGRATE_SECRET_VARIABLES": "CLIENT",
    }
    text = show_error(RuntimeError(f"{place}?token=1: " + " and ".join(words)), environ)
    assert place in text
    assert text.startswith("RuntimeError: ")
    for part in ("eyJ", "ya29.a", "abc%2F", "0f0f", "A" * 24, "b" * 24, secret, "hunter22"):
        assert part not in text
    assert len(show_error(RuntimeError("a b " * 1000), {})) < 1000
    assert show_error(RuntimeError(), {}) == "RuntimeError"
