"""What a certificate says of itself is what cryptography reads of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.postgres.connection.client_certificate import describe, read_certificate

pytestmark = pytest.mark.quick
CA = trustme.CA(key_type=trustme.KeyType.ECDSA)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
    lambda name: len(name.encode()) <= 64  # X.520's own limit, as cryptography counts it
)
TIMES = st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1))


@settings(max_examples=30, deadline=None)
@given(NAMES, TIMES, st.integers(1, 10**6))
def test_a_certificate_is_read_as_cryptography_reads_it(
    name: str, begins: datetime, seconds: int
) -> None:
    issued = CA.issue_cert(
        common_name=name,
        not_before=begins,
        not_after=begins + timedelta(seconds=seconds),
        key_type=trustme.KeyType.ECDSA,
    )
    pem = issued.cert_chain_pems[0].bytes()
    read, truth = read_certificate(b"text before\n" + pem), load_pem_x509_certificate(pem)
    assert read is not None
    assert read.subject == name
    assert (read.begins, read.ends) == (truth.not_valid_before_utc, truth.not_valid_after_utc)
    assert describe(read, read.begins) is None
    assert "expired" in (describe(read, read.ends + timedelta(seconds=1)) or "")
    assert "not valid before" in (describe(read, read.begins - timedelta(seconds=1)) or "")


PEM = CA.issue_cert(common_name="owner", key_type=trustme.KeyType.ECDSA).cert_chain_pems[0].bytes()


@given(st.binary(max_size=200), st.integers(28, len(PEM)), st.integers(0, 20))
def test_what_is_no_certificate_is_none_or_one_and_never_an_error(
    noise: bytes, at: int, cut: int
) -> None:
    framed = b"-----BEGIN CERTIFICATE-----%b-----END"
    for text in (noise, framed % noise, PEM[:at] + noise + PEM[at + cut :]):
        read = read_certificate(text)
        assert read is None or read.begins <= datetime.max.replace(tzinfo=UTC)
