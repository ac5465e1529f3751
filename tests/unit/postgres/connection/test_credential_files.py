"""A login out of files: read for every connection, never shown, and as libpq wants a key."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.credential_files import (
    CERTIFICATE_VARIABLE,
    PASSWORD_VARIABLE,
    with_credentials,
)
from dbmigrate.report import Reason

pytestmark = pytest.mark.quick


ISSUED = trustme.CA().issue_cert(common_name="owner").cert_chain_pems[0].bytes().decode()
HEAD = {"tls.crt": ISSUED, "tls.key": "-----BEGIN PRIVATE KEY-----\n"}


class Volume:
    """A directory as a kubelet keeps a mounted Secret: files by a link that is replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version = 0
        for name in ("tls.crt", "tls.key"):
            (path / name).symlink_to(f"..data/{name}")

    def publish(self, certificate: str, key: str, mode: int = 0o444) -> None:
        self._version += 1
        place = self.path / f"..{self._version}"
        place.mkdir()
        for name, text in (("tls.crt", certificate), ("tls.key", key)):
            (place / name).write_text(HEAD[name] + text)
            (place / name).chmod(mode)
        (self.path / "..new").symlink_to(place.name)
        (self.path / "..new").rename(self.path / "..data")


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads whatever the mode is, unlike a runner."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def contents(*pair: Path) -> tuple[str, ...]:
    """What was published of each."""
    return tuple(
        file.read_text().removeprefix(HEAD["tls.crt"]).removeprefix(HEAD["tls.key"])
        for file in pair
    )


def pair(volume: Volume) -> tuple[Path, Path]:
    found = with_credentials({}, {CERTIFICATE_VARIABLE: str(volume.path)})
    return Path(found["sslcert"]), Path(found["sslkey"])


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o640, 0o644, 0o777])
def test_the_key_is_one_that_libpq_accepts_whatever_the_mode_of_the_mounted_one(
    volume: Volume, mode: int
) -> None:
    volume.publish("certificate", "key", mode)
    certificate, key = pair(volume)
    assert contents(certificate, key) == ("certificate", "key")
    about = key.stat()
    # libpq: u=rw (0600) or less if owned by the current user.
    assert (about.st_uid, about.st_mode & 0o777) == (os.geteuid(), 0o600)


def test_a_renewed_certificate_is_used_with_its_own_key_and_an_old_pair_stays_whole(
    volume: Volume,
) -> None:
    volume.publish("first", "first")
    first = pair(volume)
    assert pair(volume) == first
    volume.publish("second", "second")
    second = pair(volume)
    assert contents(*first, *second) == (*["first"] * 2, *["second"] * 2)


def test_no_connection_gets_the_certificate_of_one_version_and_the_key_of_another(
    volume: Volume,
) -> None:
    volume.publish("0", "0")
    done = threading.Event()

    def renew() -> None:
        for number in range(1, 50):
            volume.publish(str(number), str(number))
        done.set()

    renewing = threading.Thread(target=renew)
    renewing.start()
    while not done.is_set():
        certificate, key = pair(volume)
        assert len(set(contents(certificate, key))) == 1
    renewing.join()


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.sampled_from(["", "\n", "\r\n"]),
)
def test_a_password_is_the_file_without_the_line_break_at_its_end(text: str, end: str) -> None:
    text = text.rstrip("\r\n") or "x"
    with NamedTemporaryFile() as file:
        file.write((text + end).encode())
        file.flush()
        assert with_credentials({}, {PASSWORD_VARIABLE: file.name}) == {"password": text}


def test_what_the_url_says_wins(tmp_path: Path) -> None:
    own = {"password": "own", "sslcert": "/c", "sslkey": "/k"}
    environ = {PASSWORD_VARIABLE: str(tmp_path / "no"), CERTIFICATE_VARIABLE: str(tmp_path / "no")}
    assert with_credentials(own, environ) == own


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: no such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"se\0cret", "holds a NUL character"),
        (b"secret\xff", "is not UTF-8"),
        (b"s" * (1024 * 1024 + 1), "it is larger than"),
    ],
)
def test_a_password_that_is_none_is_told_without_it(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MigrationError) as caught:
        with_credentials({}, {PASSWORD_VARIABLE: str(path)})
    error = caught.value
    assert error.reason is Reason.AUTHENTICATION_FAILED
    assert said in str(error)
    assert "secret" not in str(error)
    assert "spec.database.connection.passwordFile" in (error.hint or "")


def test_a_certificate_that_is_not_there_or_not_for_us_is_told(
    tmp_path: Path, volume: Volume
) -> None:
    for directory in (tmp_path / "none", volume.path):
        with pytest.raises(MigrationError) as caught:
            with_credentials({}, {CERTIFICATE_VARIABLE: str(directory)})
        assert caught.value.reason is Reason.TLS_FAILED
        assert "no such file" in str(caught.value)
        assert "kubernetes.io/tls" in (caught.value.hint or "")
    tmp_path.chmod(0o755)
    volume.publish("certificate", "key", 0o400)
    with as_nobody(), pytest.raises(MigrationError, match="permission denied"):
        pair(volume)
