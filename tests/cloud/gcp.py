"""Google's metadata server, as a machine, a Pod on GKE and google-auth know it."""

from __future__ import annotations

from collections.abc import Callable

from dbmigrate.postgres.identity.gcp import SCOPE
from tests.cloud.bearer import Issuer
from tests.cloud.endpoints import Answer, Asked, Endpoint

PLACE = "/computeMetadata/v1/instance/service-accounts"
_SUFFIX = ".gserviceaccount.com"


def user_of(account: str) -> str:
    """Cloud SQL's name for a service account."""
    return account.removesuffix(_SUFFIX)


def metadata_server(issuer: Issuer, find_account: Callable[[], str | None]) -> Endpoint:
    """Answers for the account that is found at each question; None: whoever asks has none."""
    flavor = {"Metadata-Flavor": "Google"}

    def respond(asked: Asked) -> Answer:
        if asked.headers.get("metadata-flavor") != "Google":
            return Answer(status=403)
        if asked.path == "/":
            return Answer("computeMetadata/", headers=flavor)
        if asked.path == "/computeMetadata/v1/project/project-id":
            return Answer("shop", headers=flavor)
        account = find_account()
        if account is None or not asked.path.startswith(PLACE):
            return Answer("not found", status=404, headers=flavor)
        name, _, what = asked.path.removeprefix(f"{PLACE}/").partition("/")
        if name not in ("default", account):
            return Answer("not found", status=404, headers=flavor)
        if what == "token":
            token = issuer.issue()
            answer = {"access_token": token, "expires_in": issuer.lifetime, "token_type": "Bearer"}
            return Answer(answer, headers=flavor)
        return Answer({"email": account, "scopes": [SCOPE]}, headers=flavor)

    return Endpoint(respond)


def in_its_reach(endpoint: Endpoint) -> dict[str, str]:
    """The variables by which the library finds that server, in the place of the fixed address."""
    return {"GCE_METADATA_HOST": endpoint.address, "GCE_METADATA_IP": endpoint.address}
