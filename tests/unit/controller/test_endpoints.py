"""The operator's HTTP endpoints: what they answer, and at which addresses."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from dbmigrate.controller.endpoints import Endpoints, served
from dbmigrate.controller.listening import ListenError, listen, listen_at
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
    return Endpoints(
        listen((host, 0)),
        registry,
        is_alive=lambda: answer,
        is_ready=lambda: answer,
        has_started=lambda: answer,
    )


@pytest.mark.parametrize(("answer", "status"), [(True, 200), (False, 503)])
def test_the_endpoints_answer_what_they_are_told(answer: bool, status: int) -> None:
    with served(make("127.0.0.1", answer=answer)) as port:
        assert ask("127.0.0.1", port, "/healthz")[0] == status
        assert ask("127.0.0.1", port, "/readyz?verbose")[0] == status
        assert ask("127.0.0.1", port, "/startz")[0] == status
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


CODE = """
import os, socket, sys

port = int(sys.argv.pop())

class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == "dbmigrate.controller.cluster":
            socket.create_connection(("127.0.0.1", port), timeout=5)
            os._exit(42)

sys.meta_path.insert(0, AtImport())
sys.argv[1:] = ["run", "--health", f"127.0.0.1:{port}"]
from dbmigrate.controller.start import main

main()
"""


def test_a_probe_is_not_refused_while_the_operator_imports_itself() -> None:
    with listen(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", CODE, str(port)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 42


def test_one_address_for_both_is_listened_at_once() -> None:
    with listen(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    (listener,) = listen_at((address, address))
    listener.close()
    assert listen_at((None, None)) == ()


def test_an_address_that_cannot_be_had_is_named() -> None:
    with listen(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            listen(("127.0.0.1", port))
    with pytest.raises(ListenError, match=r"cannot listen at \[2001:db8::1\]:80: "):
        listen(("2001:db8::1", 80))
    with pytest.raises(ListenError, match=r"not\.an\.address\.invalid:80 is no address: "):
        listen(("not.an.address.invalid", 80))
    with pytest.raises(ListenError, match="is no address"):
        listen(("a" * 64 + ".b", 80))
