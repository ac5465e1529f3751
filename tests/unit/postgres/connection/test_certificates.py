"""`sslrootcert=system` finds what the machine trusts, and nobody's own choice is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.postgres.connection.certificates import asks_system, name_system_bundle

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("conninfo", "environ", "expected"),
    [
        ({"sslrootcert": "system"}, {}, True),
        ({}, {"PGSSLROOTCERT": "system"}, True),
        ({"sslrootcert": "/ca.crt"}, {"PGSSLROOTCERT": "system"}, False),
        ({"service": "shop"}, {}, True),
        ({}, {"PGSERVICE": "shop"}, True),
        ({"service": "shop", "sslrootcert": "/ca.crt"}, {}, False),
        ({"sslmode": "verify-full"}, {}, False),
    ],
)
def test_who_asks_for_it(conninfo: dict[str, str], environ: dict[str, str], expected: bool) -> None:
    assert asks_system(conninfo, environ) is expected


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_choice_that_was_made_stays(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.touch()
    environ = {name: "/mine"}
    assert name_system_bundle(environ, [str(bundle)])
    assert environ == {name: "/mine"}


def test_the_first_bundle_that_is_there_is_named(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("missing", "directory", "first", "second")]
    places[1].mkdir()
    for place in places[2:]:
        place.touch()
    environ: dict[str, str] = {}
    assert name_system_bundle(environ, [str(place) for place in places])
    assert environ == {"SSL_CERT_FILE": str(places[2])}


def test_a_machine_that_trusts_nobody_is_told_apart() -> None:
    environ: dict[str, str] = {}
    assert not name_system_bundle(environ, ["/none"])
    assert environ == {}
