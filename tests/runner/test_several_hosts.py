"""Several hosts and target_session_attrs: which one is used, and what is told when none is fit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import Result
from tests.database.server import Server
from tests.database.standby import standby_of
from tests.runner.arrange import request, tables

pytestmark = pytest.mark.database
DATABASE = "shop"


@dataclass(frozen=True)
class Pair:
    primary: int
    standby: int


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Server.start() as primary:
        primary.create_named(DATABASE)
        with standby_of(primary) as standby:
            yield Pair(primary.port, standby.port)


@pytest.fixture
def closed() -> Iterator[int]:
    """A port on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def run(*ports: int | str, attributes: str = "", user: str = "postgres") -> Result[Any]:
    hosts = ",".join(f"127.0.0.1:{each}" if isinstance(each, int) else each for each in ports)
    url = f"postgres://{user}@{hosts}/{DATABASE}?sslmode=disable"
    if attributes:
        url += f"&target_session_attrs={attributes}"
    return up(request(url, tables(1)))


@pytest.mark.parametrize("attributes", ["read-write", "primary"])
def test_the_primary_is_found_wherever_it_stands(pair: Pair, closed: int, attributes: str) -> None:
    result = run(closed, pair.standby, pair.primary, attributes=attributes)
    assert result.error is None


def test_the_attributes_may_come_from_the_environment(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "read-write")
    assert run(pair.standby, pair.primary).error is None


def test_of_several_hosts_the_standby_is_named(pair: Pair) -> None:
    error = run(pair.standby, pair.primary).error
    assert error is not None
    assert error.reason is Reason.CONNECTION_REFUSED
    assert str(error).startswith(f"127.0.0.1:{pair.standby}, to which 127.0.0.1:{pair.standby},")
    assert "name all hosts" not in (error.hint or "")
    assert "target_session_attrs=read-write" in (error.hint or "")
    alone = run(pair.standby).error
    assert alone is not None
    assert str(alone).startswith(f"127.0.0.1:{pair.standby}/{DATABASE} is a standby")
    assert "name all hosts" in (alone.hint or "")


def test_every_host_is_told_with_what_is_wrong_with_it(pair: Pair, closed: int) -> None:
    error = run(closed, "nowhere.invalid", pair.standby, attributes="read-write").error
    assert error is not None
    assert error.is_retryable
    hosts = f"127.0.0.1:{closed},nowhere.invalid,127.0.0.1:{pair.standby}"
    for said in (
        f"can't connect to {hosts}/{DATABASE}: ",
        f"port {closed} failed: Connection refused",
        "failed to resolve host 'nowhere.invalid'",
        f"port {pair.standby} failed: session is read-only",
    ):
        assert said in str(error)


def test_no_primary_among_the_hosts_is_no_server_that_is_away(pair: Pair) -> None:
    error = run(pair.standby, attributes="primary").error
    assert error is not None
    assert error.reason is Reason.CONNECTION_REFUSED
    assert "no host satisfies target_session_attrs" in (error.hint or "")


def test_a_word_that_libpq_does_not_know_is_not_tried_again(pair: Pair) -> None:
    error = run(pair.primary, attributes="read-wrote").error
    assert error is not None
    assert error.reason is Reason.CONNECTION_INVALID
    assert not error.is_retryable
    assert "invalid target_session_attrs value" in str(error)
