"""Logins on Azure Database: azure-identity's own library, and endpoints of the tests' own.

Microsoft Entra is reached by HTTPS alone: a proxy of the tests' own answers in its name, with a
certificate of an authority that the library is told to trust.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dbmigrate.errors import SettingsError
from dbmigrate.postgres.identity.azure import SCOPE, AzureTokens, scope_of
from dbmigrate.postgres.identity.identity import CloudIdentity, Login, Provider
from tests.cli.program import run
from tests.cloud.arrange import nothing_is_shown, request_to
from tests.cloud.azure import CLIENT, ENTRA, TENANT, TOKEN_FORM, entra_endpoint
from tests.cloud.bearer import BearerServer, Issuer, bearer_server
from tests.cloud.endpoints import Answer, Asked, Endpoint
from tests.cloud.sigv4 import Refused
from tests.database import Database
from tests.runner.arrange import version_row

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("no_providers")]

HOST = "shop.postgres.database.azure.com"
USER = "migrator"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(form=TOKEN_FORM)


@pytest.fixture
def instance(
    database: Database, authority: trustme.CA, roots: Path, issuer: Issuer
) -> Iterator[BearerServer]:
    with bearer_server(database, authority, roots, HOST, issuer) as made:
        yield made


def base_environment() -> dict[str, str]:
    """One in which no developer's tools are asked."""
    return {"AZURE_TOKEN_CREDENTIALS": "prod", "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def managed(issuer: Issuer) -> Iterator[Endpoint]:
    """The metadata service of a machine, with a user-assigned identity."""

    def respond(asked: Asked) -> Answer:
        if asked.headers.get("metadata") != "true":
            return Answer(status=400)
        if asked.query.get("client_id") not in (None, CLIENT):
            return Answer(
                {"error": "invalid_request", "error_description": "Identity not found"}, 400
            )
        return Answer(
            {
                "access_token": issuer.issue(),
                "client_id": CLIENT,
                "expires_in": str(issuer.lifetime),
                "expires_on": str(int(time.time()) + issuer.lifetime),
                "resource": asked.query["resource"],
                "token_type": "Bearer",
            }
        )

    made = Endpoint(respond)
    yield made
    made.close()


@pytest.fixture
def entra(issuer: Issuer, authority: trustme.CA) -> Iterator[Endpoint]:
    """Microsoft Entra, which trusts one token."""
    made = entra_endpoint(issuer, authority, lambda token: token == "token-of-the-pod")
    yield made
    made.close()


def of_a_machine(endpoint: Endpoint) -> dict[str, str]:
    return {**base_environment(), "AZURE_POD_IDENTITY_AUTHORITY_HOST": endpoint.url}


def of_a_pod(endpoint: Endpoint, roots: Path, directory: Path) -> dict[str, str]:
    """As the webhook of AKS's workload identity sets a Pod up."""
    file = directory / "azure-identity-token"
    file.write_text("token-of-the-pod")
    return {
        **base_environment(),
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_AUTHORITY_HOST": f"https://{ENTRA}/",
        "HTTPS_PROXY": endpoint.url,
        "REQUESTS_CA_BUNDLE": str(roots),
        "SSL_CERT_FILE": str(roots),
    }


@pytest.mark.parametrize("identity", ["azure", f"azure:client-id={CLIENT}"])
def test_a_run_logs_in_by_a_managed_identity(
    instance: BearerServer, managed: Endpoint, files: Path, identity: str
) -> None:
    done = run(
        *("-path", str(files), "-identity", identity, "-database", instance.url(USER), "up"),
        environ=of_a_machine(managed),
    )
    assert done.code == 0, done.stderr
    assert version_row(instance.database) == [(3, False)]
    asked = [each.query for each in managed.asked if "resource" in each.query]
    assert {each["resource"] for each in asked} == {SCOPE.removesuffix("/.default")}
    has_client = identity != "azure"
    assert all((each.get("client_id") == CLIENT) is has_client for each in asked)
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_a_run_logs_in_by_a_workload_identity(
    instance: BearerServer, entra: Endpoint, roots: Path, files: Path, tmp_path: Path
) -> None:
    done = run(
        *("-path", str(files), "-identity", "azure", "-database", instance.url(USER), "up"),
        environ=of_a_pod(entra, roots, tmp_path),
    )
    assert done.code == 0, done.stderr
    forms = [each.form for each in entra.asked if each.form]
    assert {each["scope"] for each in forms} == {SCOPE}
    nothing_is_shown(instance.database, done.stdout + done.stderr)


def test_a_token_is_renewed_before_its_end(
    instance: BearerServer,
    managed: Endpoint,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dbmigrate.runner.commands.up import up

    for name, value in of_a_machine(managed).items():
        monkeypatch.setenv(name, value)
    assert up(request_to(instance.url(USER), "azure")).unwrap() is None
    assert up(request_to(instance.url(USER), "azure")).unwrap() is None
    assert issuer.issued <= 2  # one is for its probe
    monkeypatch.setattr("dbmigrate.postgres.identity.tokens._providers", {})
    issuer.lifetime = 120
    assert up(request_to(instance.url(USER), "azure")).unwrap() is None
    issuer.live.clear()
    assert up(request_to(instance.url(USER), "azure")).unwrap() is None
    assert not [each.refusal for each in instance.gate.shown if each.refusal]


def test_an_unknown_identity_and_a_refused_principal_are_named(
    instance: BearerServer, managed: Endpoint, entra: Endpoint, roots: Path, tmp_path: Path
) -> None:
    def version(identity: str, environ: dict[str, str]) -> dict[str, str]:
        options = ("-identity", identity, "-database", instance.url(USER), "-json")
        done = run(*options, "version", environ=environ)
        assert done.code == 1
        nothing_is_shown(instance.database, done.stdout + done.stderr)
        assert "token-of-the-pod" not in done.stdout + done.stderr
        error: dict[str, str] = json.loads(done.stdout)["error"]
        return error

    error = version("azure:client-id=unknown", of_a_machine(managed))
    assert error["reason"] == "AuthenticationFailed"
    assert "azure.workload.identity/client-id" in error["hint"]
    environ = of_a_pod(entra, roots, tmp_path)
    (tmp_path / "azure-identity-token").write_text("token-of-the-pod-of-another")
    assert "AADSTS700016" in version("azure", environ)["message"]
    instance.gate.check = _refuse
    error = version("azure", of_a_machine(managed))
    assert f"the user {USER} is a principal of Microsoft Entra" in error["hint"]
    managed.ahead = -7200
    error = version("azure", of_a_machine(managed))
    assert "this machine's clock is 2 h ahead of that of 127.0.0.1" in error["hint"]


@pytest.mark.parametrize("secret", ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"])
def test_a_principal_of_the_variables_beside_another_client_is_refused(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv(secret, "s3cr3t")
    tokens = AzureTokens(CloudIdentity(Provider.AZURE, client_id="another"))
    with pytest.raises(SettingsError, match="AZURE_CLIENT_ID") as caught:
        tokens.issue(Login(HOST, 5432, USER))
    assert "client another" in caught.value.message
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint}"


def _refuse(*_: object) -> None:
    raise Refused("it is no principal")


@pytest.mark.parametrize(
    ("host", "cloud"),
    [
        (HOST, "windows.net"),
        ("shop.postgres.database.usgovcloudapi.net", "usgovcloudapi.net"),
        ("shop.postgres.database.chinacloudapi.cn", "chinacloudapi.cn"),
        ("db.internal", "windows.net"),
    ],
)
def test_each_cloud_has_its_own_scope(host: str, cloud: str) -> None:
    assert scope_of(host) == f"https://ossrdbms-aad.database.{cloud}/.default"
