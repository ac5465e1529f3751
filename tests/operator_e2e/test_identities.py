"""Runs that log in as the identity of their ServiceAccount, through all that stands between.

The clouds' webhooks set a Pod up for its ServiceAccount: here one of the tests' own, which the API
server calls, adds what EKS's and AKS's do by their documents. The Pod's token is the API server's
own; the token services let it be reviewed there, for their audience. PostgreSQL stands behind a
front that checks the token at each login.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cloud import aws, gcp
from tests.cloud.azure import CLIENT, ENTRA, TENANT, TOKEN_FORM, entra_endpoint
from tests.cloud.bearer import Issuer, bearer_server
from tests.cluster import Cluster, Namespace
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.database,
    pytest.mark.usefixtures("webhook"),
]

ACCOUNT = "shop-migrations"
GOOGLE_ACCOUNT = "migrator@shop.iam.gserviceaccount.com"
LABEL = "azure.workload.identity/use"
ROOTS = "/etc/dbmigrate/tls/root.crt"
"""Where the Pod has the certificate of rootCertificateFrom."""
Document = dict[str, Any]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def set_up(pod: Document, account: Document) -> tuple[list[Document], str, str, str] | None:
    """Variables, and the mount, audience and path of a token, as the clouds' webhooks add them."""
    notes = account["metadata"].get("annotations") or {}
    if role := notes.get("eks.amazonaws.com/role-arn"):
        place = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
        values = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{place}/token"}
        return _variables(values), place, "sts.amazonaws.com", "token"
    if uri := notes.get("tests/pod-identity"):  # EKS keeps its associations elsewhere
        place = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
        values = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{place}/eks-pod-identity-token",
        }
        return _variables(values), place, "pods.eks.amazonaws.com", "eks-pod-identity-token"
    if pod["metadata"].get("labels", {}).get(LABEL) == "true":
        place = "/var/run/secrets/azure/tokens"
        values = {
            "AZURE_CLIENT_ID": notes["azure.workload.identity/client-id"],
            "AZURE_TENANT_ID": TENANT,
            "AZURE_FEDERATED_TOKEN_FILE": f"{place}/azure-identity-token",
            "AZURE_AUTHORITY_HOST": f"https://{ENTRA}/",
        }
        return _variables(values), place, "api://AzureADTokenExchange", "azure-identity-token"
    return None


def _variables(values: dict[str, str]) -> list[Document]:
    return [{"name": name, "value": value} for name, value in values.items()]


def patch_for(pod: Document, account: Document) -> list[Document]:
    """The webhook's answer, as a JSON patch."""
    wanted = set_up(pod, account)
    if wanted is None:
        return []
    env, place, audience, path = wanted
    token = {"audience": audience, "expirationSeconds": 3600, "path": path}
    volume = {"name": "identity", "projected": {"sources": [{"serviceAccountToken": token}]}}
    mount = {"name": "identity", "mountPath": place, "readOnly": True}
    patch: list[Document] = [{"op": "add", "path": "/spec/volumes/-", "value": volume}]
    for number, _ in enumerate(pod["spec"]["containers"]):
        at = f"/spec/containers/{number}"
        patch.append({"op": "add", "path": f"{at}/volumeMounts/-", "value": mount})
        patch += [{"op": "add", "path": f"{at}/env/-", "value": each} for each in env]
    return patch


@pytest.fixture
def webhook(installed: Cluster, namespace: Namespace, authority: trustme.CA) -> Iterator[None]:
    """Sets up the Pods of the test's namespace when they are created."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(size))["request"]
            pod = request["object"]
            account = namespace.get("serviceaccount", pod["spec"]["serviceAccountName"])
            patch = base64.b64encode(json.dumps(patch_for(pod, account)).encode()).decode()
            response = {"uid": request["uid"], "allowed": True}
            response |= {"patchType": "JSONPatch", "patch": patch}
            version = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            answer = json.dumps({**version, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    name = f"identities-{namespace.name}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    hook = {
        "name": "identities.tests.dbmigrate.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "rules": [{**rule, "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
        "clientConfig": {
            "url": f"https://127.0.0.1:{server.server_port}/",
            "caBundle": base64.b64encode(authority.cert_pem.bytes()).decode(),
        },
    }
    installed.api.post(path, {"metadata": {"name": name}, "webhooks": [hook]})
    yield
    installed.api.delete(f"{path}/{name}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def reviewed(installed: Cluster, namespace: Namespace) -> Callable[[str], Callable[[str], bool]]:
    """Whether a token is one of the ServiceAccount's, for that audience: the API server says so."""

    def make(audience: str) -> Callable[[str], bool]:
        def accepts(token: str) -> bool:
            review = installed.api.post(
                "/apis/authentication.k8s.io/v1/tokenreviews",
                {"spec": {"token": token, "audiences": [audience]}},
            )
            status = review["status"]
            wanted = f"system:serviceaccount:{namespace.name}:{ACCOUNT}"
            is_own = status.get("user", {}).get("username") == wanted
            return bool(status.get("authenticated")) and is_own

        return accepts

    return make


def make_account(shop: Shop, authority: trustme.CA, annotations: dict[str, str]) -> None:
    metadata = {"name": ACCOUNT, "annotations": annotations}
    shop.namespace.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    shop.namespace.config_map("roots", {"ca.crt": authority.cert_pem.bytes().decode()})
    shop.write_files(FILES)


FILES = {"1_a.up.sql": "INSERT INTO applied VALUES (1);", "2_b.up.sql": "CREATE TABLE b ();"}


def connection(shop: Shop, port: int) -> Document:
    return {
        "host": "localhost",
        "port": port,
        "dbname": shop.database.name,
        "user": aws.USER,
        "sslmode": "verify-full",
        "rootCertificateFrom": {"configMapKeyRef": {"name": "roots", "key": "ca.crt"}},
    }


@pytest.mark.parametrize("way", ["irsa", "pod identity"])
def test_a_run_is_the_role_of_its_service_account_on_eks(
    shop: Shop,
    operator: Operator,
    reviewed: Callable[[str], Callable[[str], bool]],
    authority: trustme.CA,
    way: str,
) -> None:
    account = aws.Account()
    services = {
        "irsa": (aws.token_service, "sts.amazonaws.com"),
        "pod identity": (aws.pod_identity_agent, "pods.eks.amazonaws.com"),
    }
    serve, audience = services[way]
    with (
        aws.rds(shop.database, account, authority, Path(ROOTS), "localhost") as instance,
        serve(account, reviewed(audience)) as service,
    ):
        env = {"AWS_EC2_METADATA_DISABLED": "true"}
        if way == "irsa":
            make_account(shop, authority, {"eks.amazonaws.com/role-arn": aws.ROLE})
            env |= {"AWS_ENDPOINT_URL_STS": service.url}
        else:
            make_account(shop, authority, {"tests/pod-identity": f"{service.url}/v1/credentials"})
        shop.order(
            database={
                "connection": connection(shop, instance.gate.port),
                "identity": {"aws": {"host": aws.HOST, "region": aws.REGION}},
            },
            job={"serviceAccountName": ACCOUNT, "env": _variables(env)},
        )
        assert shop.wait_ready()["status"]["version"] == "2"
        assert instance.gate.tokens
        assert not [each.refusal for each in instance.gate.shown if each.refusal]
    _is_not_shown(shop, operator)


def test_a_run_is_the_managed_identity_of_its_service_account_on_aks(
    shop: Shop,
    operator: Operator,
    reviewed: Callable[[str], Callable[[str], bool]],
    authority: trustme.CA,
) -> None:
    issuer = Issuer(form=TOKEN_FORM)
    entra = entra_endpoint(issuer, authority, reviewed("api://AzureADTokenExchange"))
    place = bearer_server(shop.database, authority, Path(ROOTS), "localhost", issuer)
    with place as instance:
        make_account(shop, authority, {"azure.workload.identity/client-id": CLIENT})
        env = {"HTTPS_PROXY": entra.url, "REQUESTS_CA_BUNDLE": ROOTS}
        shop.order(
            database={
                "connection": connection(shop, instance.gate.port),
                "identity": {"azure": {}},
            },
            job={
                "serviceAccountName": ACCOUNT,
                "labels": {LABEL: "true"},
                "env": _variables({**env, "AZURE_TOKEN_CREDENTIALS": "prod"}),
            },
        )
        assert shop.wait_ready()["status"]["version"] == "2"
        assert instance.gate.tokens
        assert not [each.refusal for each in instance.gate.shown if each.refusal]
    entra.close()
    _is_not_shown(shop, operator)


def test_a_run_is_the_service_account_of_its_own_on_gke(
    shop: Shop, operator: Operator, authority: trustme.CA
) -> None:
    """GKE sets no Pod up: its metadata server knows whose Pod asks, and gives the token of the
    account that the annotation of the Pod's ServiceAccount names."""

    def account_of_the_pod() -> str | None:
        running = [p for p in shop.namespace.list("pod") if p["status"].get("phase") == "Running"]
        (name,) = {pod["spec"]["serviceAccountName"] for pod in running}
        found = shop.namespace.get("serviceaccount", name)["metadata"].get("annotations") or {}
        account: str | None = found.get("iam.gke.io/gcp-service-account")
        return account

    issuer = Issuer()
    metadata = gcp.metadata_server(issuer, account_of_the_pod)
    place = bearer_server(shop.database, authority, Path(ROOTS), "localhost", issuer)
    env = {**gcp.in_its_reach(metadata), "NO_PROXY": "127.0.0.1"}
    with place as instance:
        make_account(shop, authority, {})
        parts = {**connection(shop, instance.gate.port), "user": gcp.user_of(GOOGLE_ACCOUNT)}
        shop.order(
            database={"connection": parts, "identity": {"gcp": {}}},
            job={"serviceAccountName": ACCOUNT, "env": _variables(env)},
        )
        # GKE's server answers so for the first seconds of a Pod as well: it is asked again.
        refused = shop.wait_for_reason("ConnectionRefused")
        assert "answered with status 404" in condition(refused, "Ready")["message"]
        assert not instance.gate.tokens
        make_account(shop, authority, {"iam.gke.io/gcp-service-account": GOOGLE_ACCOUNT})
        assert shop.wait_ready()["status"]["version"] == "2"
        users = {each.parameters["user"] for each in instance.gate.shown}
        assert users == {gcp.user_of(GOOGLE_ACCOUNT)}
        assert not [each.refusal for each in instance.gate.shown if each.refusal]
    metadata.close()
    _is_not_shown(shop, operator)


def _is_not_shown(shop: Shop, operator: Operator) -> None:
    """No token or credential is in any object, event or log."""
    kinds = ("dbm", "job", "pod", "event", "configmap", "secret")
    text = operator.read_log() + "".join(str(shop.namespace.list(kind)) for kind in kinds)
    text += shop.namespace.kubectl("logs", "--selector", "dbmigrate.dev/command")
    for word in ("X-Amz", "s3cr3t", "session-", "eyJ", "ya29"):
        assert word not in text, word
