"""A page of a proxy or of a captive portal where a provider's service should answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbmigrate.postgres.identity import clock
from dbmigrate.postgres.identity.answers import Answers
from tests.cli.program import run
from tests.cloud.aws import REGION, ROLE, isolated
from tests.cloud.endpoints import Answer, Endpoint

URL = f"postgres://app@shop.cabc123.{REGION}.rds.amazonaws.com/shop?sslmode=require&hostaddr=127.0.0.1"
PAGE = "<!DOCTYPE html>\n<html><body>" + "s3cr3t-of-the-page " * 200 + "</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
PROXY = "of a proxy, or of the network's login"


def token_file(directory: Path) -> str:
    file = directory / "token"
    file.write_text("token-of-the-pod")
    return str(file)


def google(endpoint: Endpoint, directory: Path) -> dict[str, str]:
    return {
        "GCE_METADATA_HOST": endpoint.address,
        "GCE_METADATA_IP": endpoint.address,
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "CLOUDSDK_CONFIG": str(directory / "no-gcloud"),
        "NO_PROXY": "127.0.0.1",
    }


SERVICES: dict[str, tuple[str, Callable[[Endpoint, Path], dict[str, str]]]] = {
    "an instance of AWS": (
        "aws",
        lambda endpoint, _: isolated(
            AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint.url
        ),
    ),
    "the agent of EKS": (
        "aws",
        lambda endpoint, directory: isolated(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/v1/credentials",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token_file(directory),
        ),
    ),
    "STS": (
        "aws",
        lambda endpoint, directory: isolated(
            AWS_ROLE_ARN=ROLE,
            AWS_WEB_IDENTITY_TOKEN_FILE=token_file(directory),
            AWS_ENDPOINT_URL_STS=endpoint.url,
        ),
    ),
    "Google's metadata server": ("gcp", google),
    "Azure's metadata service": (
        "azure",
        lambda endpoint, _: {
            "AZURE_TOKEN_CREDENTIALS": "prod",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": endpoint.url,
            "NO_PROXY": "127.0.0.1",
        },
    ),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_page_is_told_by_its_status_and_kind_and_never_shown(
    tmp_path: Path, service: str, status: int
) -> None:
    identity, environment = SERVICES[service]
    endpoint = Endpoint(lambda _: Answer(PAGE, status, HTML))
    try:
        environ = environment(endpoint, tmp_path)
        done = run("-identity", identity, "-database", URL, "version", environ=environ)
    finally:
        endpoint.close()
    assert done.code == 1
    assert f"no token of {identity}: {endpoint.url}" in done.stderr
    assert f"answered with status {status} (text/html)" in done.stderr
    assert "NO_PROXY" in done.stderr
    assert (PROXY in done.stderr) == (status == 200)
    assert "s3cr3t" not in done.stderr
    assert "internal error" not in done.stderr


def test_a_place_is_shown_without_what_an_answer_has_put_into_it() -> None:
    answers = Answers()
    answers.note("http://user:s3cr3t@a.b:80/latest/%3Chtml%3E s3cr3t?token=s3cr3t", 302, None)
    assert answers.last is not None
    assert answers.last.describe() == (
        "http://a.b:80/latest/ answered with status 302 (no content type)"
    )
    assert PROXY in answers.last.advise("usual")
    answers.note("http://a.b/x", "404", "application/json; charset=utf-8")
    assert answers.last.advise("usual") == "usual"
    answers.note("http://a.b/x", 407, "s3cr3t")
    assert "s3cr3t" not in answers.last.describe()
    assert PROXY in answers.last.advise("usual")


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """A server whose answer goes on for ever, a byte at a time."""
    listener, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(head)
            while not done.wait(0.01):
                client.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_an_answer_that_never_ends_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(clock, "_SECONDS", 0.3)
    with dripping(head) as url:
        assert clock.measure_skew(url) is None
