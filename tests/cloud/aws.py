"""AWS's side: credentials from its four kinds of places, and an instance of RDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.cloud.endpoints import Answer, Asked, Endpoint, Respond
from tests.cloud.gate import Gate
from tests.cloud.sigv4 import Key, Refused, verify_login
from tests.database import Database

REGION = "eu-central-1"
HOST = f"shop.cabc123.{REGION}.rds.amazonaws.com"
USER = "migrator"
ROLE = "arn:aws:iam::123456789012:role/migrator"


@dataclass
class Account:
    """Access keys that are valid, and the clock of all services."""

    keys: dict[str, Key] = field(default_factory=dict)
    lifetime: timedelta = timedelta(hours=1)
    """Of the keys that it gives. Within ten minutes of its end botocore renews a key."""
    passed: timedelta = timedelta()
    """How far its clock is ahead of this machine's."""

    @property
    def now(self) -> datetime:
        """The time in the cloud."""
        return datetime.now(UTC) + self.passed

    def new_key(self) -> tuple[str, Key]:
        """A further access key."""
        number = len(self.keys) + 1
        name = f"ASIATESTKEY{number:09}"
        self.keys[name] = Key(f"s3cr3t/{number}+" + "q" * 30, f"session-{number}-" + "z" * 200)
        return name, self.keys[name]

    def document(self) -> dict[str, str]:
        """A further access key, as the metadata services give it."""
        name, key = self.new_key()
        return {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": name,
            "SecretAccessKey": key.secret,
            "Token": key.session_token or "",
            "LastUpdated": f"{self.now:%Y-%m-%dT%H:%M:%SZ}",
            "Expiration": f"{self.now + self.lifetime:%Y-%m-%dT%H:%M:%SZ}",
        }


@dataclass
class Rds:
    """An instance: a gate whose clock and keys are the account's."""

    account: Account
    gate: Gate
    roots: Path
    database: Database
    host: str = HOST
    """What its tokens are signed for, with `port`."""
    port: int = 0

    def __post_init__(self) -> None:
        self.port = self.port or self.gate.port
        self.gate.check = self._check

    def url(self, host: str = "", *, user: str = USER, sslmode: str = "verify-full") -> str:
        """A URL of the database by that name, which leads to the loopback."""
        return (
            f"host={host or self.host} hostaddr=127.0.0.1 port={self.gate.port} user={user}"
            f" dbname={self.database.name} sslmode={sslmode} sslrootcert={self.roots}"
        )

    def _check(self, parameters: dict[str, str], token: str) -> None:
        if not token.startswith(f"{self.host}:"):
            raise Refused("it is no token of this host")
        verify_login(
            token,
            self.account.keys,
            host=f"{self.host}:{self.port}",
            user=parameters["user"],
            region=REGION,
            now=self.account.now,
        )


@contextmanager
def rds(
    database: Database, account: Account, authority: trustme.CA, roots: Path, *aliases: str
) -> Iterator[Rds]:
    """An instance before that database; its certificate is for the aliases as well."""
    gate = Gate(database.server, authority, (HOST, *aliases), lambda *_: None)
    try:
        yield Rds(account, gate, roots, database)
    finally:
        gate.close()


def isolated(**environ: str) -> dict[str, str]:
    """An environment of AWS's libraries that holds this alone, and leads nowhere."""
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_REGION": "",
        "AWS_DEFAULT_REGION": "",
        "NO_PROXY": "127.0.0.1",
        **environ,
    }


@contextmanager
def from_variables(account: Account, directory: Path) -> Iterator[dict[str, str]]:
    """The AWS_ variables, as a pipeline has them."""
    del directory
    name, key = account.new_key()
    yield isolated(
        AWS_ACCESS_KEY_ID=name,
        AWS_SECRET_ACCESS_KEY=key.secret,
        AWS_SESSION_TOKEN=key.session_token or "",
        AWS_ENDPOINT_URL_STS="http://127.0.0.1:9",
    )


@contextmanager
def from_instance(account: Account, directory: Path) -> Iterator[dict[str, str]]:
    """The metadata service of an instance, version 2: no answer without its session's token."""
    del directory

    def respond(asked: Asked) -> Answer:
        if asked.method == "PUT" and asked.path == "/latest/api/token":
            assert "x-aws-ec2-metadata-token-ttl-seconds" in asked.headers
            return Answer("imds-session", headers={"x-aws-ec2-metadata-token-ttl-seconds": "21600"})
        if asked.headers.get("x-aws-ec2-metadata-token") != "imds-session":
            return Answer(status=401)
        where = "/latest/meta-data/iam/security-credentials/"
        if asked.path == where:
            return Answer("migrator-role")
        return (
            Answer(account.document())
            if asked.path == f"{where}migrator-role"
            else Answer(status=404)
        )

    with contextmanager(_serving)(account, respond) as service:
        yield isolated(
            AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=service.url
        )


@contextmanager
def token_service(account: Account, accepts: Callable[[str], bool]) -> Iterator[Endpoint]:
    """STS, which gives credentials of ROLE for a web identity's token that is accepted."""

    def respond(asked: Asked) -> Answer:
        form = asked.form
        is_wanted = (form["Action"], form["RoleArn"]) == ("AssumeRoleWithWebIdentity", ROLE)
        if not is_wanted or not accepts(form["WebIdentityToken"]):
            return Answer(status=403)
        given = account.document()
        return Answer(
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{given['AccessKeyId']}"
            f"</AccessKeyId><SecretAccessKey>{given['SecretAccessKey']}</SecretAccessKey>"
            f"<SessionToken>{given['Token']}</SessionToken><Expiration>{given['Expiration']}"
            "</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/m/s</Arn>"
            "<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>",
            headers={"Content-Type": "text/xml"},
        )

    yield from _serving(account, respond)


@contextmanager
def pod_identity_agent(account: Account, accepts: Callable[[str], bool]) -> Iterator[Endpoint]:
    """EKS's agent on the node, which gives a Pod credentials for a token that is accepted."""

    def respond(asked: Asked) -> Answer:
        is_known = accepts(asked.headers.get("authorization", ""))
        if asked.path != "/v1/credentials" or not is_known:
            return Answer(status=403)
        return Answer({**account.document(), "AccountId": "123456789012"})

    yield from _serving(account, respond)


@contextmanager
def from_service_account(account: Account, directory: Path) -> Iterator[dict[str, str]]:
    """IRSA: the token of a ServiceAccount for a role, as the webhook of EKS sets a Pod up."""
    file = directory / "service-account-token"
    file.write_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtaWdyYXRvciJ9.c2lnbmF0dXJl")
    with token_service(account, lambda token: token == file.read_text()) as service:
        yield isolated(
            AWS_ROLE_ARN=ROLE,
            AWS_WEB_IDENTITY_TOKEN_FILE=str(file),
            AWS_REGION=REGION,
            AWS_STS_REGIONAL_ENDPOINTS="regional",
            AWS_ENDPOINT_URL_STS=service.url,
        )


@contextmanager
def from_agent(account: Account, directory: Path) -> Iterator[dict[str, str]]:
    """EKS Pod Identity: the agent of the node, as the webhook of EKS sets a Pod up."""
    file = directory / "pod-identity-token"
    file.write_text("eyJhbGciOiJSUzI1NiJ9.eyJwb2QiOiJtaWdyYXRvciJ9.c2lnbmF0dXJl")
    with pod_identity_agent(account, lambda token: token == file.read_text()) as service:
        yield isolated(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{service.url}/v1/credentials",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file),
        )


SOURCES = {
    "variables": from_variables,
    "instance": from_instance,
    "service account": from_service_account,
    "agent": from_agent,
}


def _serving(account: Account, respond: Respond) -> Iterator[Endpoint]:
    service = Endpoint(respond)
    service.ahead = account.passed.total_seconds()
    try:
        yield service
    finally:
        service.close()
