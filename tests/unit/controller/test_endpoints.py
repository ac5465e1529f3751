"""The operator's HTTP endpoints: what they answer, and at which addresses."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from dbmigrate.controller.endpoints import Endpoints, ListenError, listen, served
from dbmigrate.controller.metrics import Metrics

pytestmark = pytest.mark.quick


def ask(host: str, port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def make(host: str, *, answer: bool = True) -> Endpoints:
    registry = Metrics("0.1.0").registry
    return Endpoints((host, 0), registry, is_alive=lambda: answer, is_ready=lambda: answer)


@pytest.mark.parametrize(("answer", "status"), [(True, 200), (False, 503)])
def test_the_endpoints_answer_what_they_are_told(answer: bool, status: int) -> None:
    with served(make("127.0.0.1", answer=answer)) as port:
        assert ask("127.0.0.1", port, "/healthz")[0] == status
        assert ask("127.0.0.1", port, "/readyz?verbose")[0] == status
        assert ask("127.0.0.1", port, "/secrets")[0] == 404
        code, text = ask("127.0.0.1", port, "/metrics")
    assert code == 200
    assert "dbmigrate_build_info" in text


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("", ["127.0.0.1", "[::1]"]),
        ("::", ["127.0.0.1", "[::1]"]),
        ("::1", ["[::1]"]),
        ("0.0.0.0", ["127.0.0.1"]),
        ("localhost", ["localhost"]),
    ],
)
def test_each_family_is_served_that_the_address_stands_for(host: str, asked: list[str]) -> None:
    with served(make(host)) as port:
        for each in asked:
            assert ask(each, port, "/healthz") == (200, "ok\n")


def test_without_ipv6_all_addresses_are_those_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with served(make("")) as port:
        assert ask("127.0.0.1", port, "/healthz")[0] == 200


def test_an_address_that_cannot_be_had_is_named() -> None:
    with listen(("127.0.0.1", 0), backlog=1) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            listen(("127.0.0.1", port), backlog=1)
    with pytest.raises(ListenError, match=r"cannot listen at \[2001:db8::1\]:80: "):
        listen(("2001:db8::1", 80), backlog=1)
    with pytest.raises(ListenError, match=r"not\.an\.address\.invalid:80 is no address: "):
        listen(("not.an.address.invalid", 80), backlog=1)
    with pytest.raises(ListenError, match="is no address"):
        listen(("a" * 64 + ".b", 80), backlog=1)
