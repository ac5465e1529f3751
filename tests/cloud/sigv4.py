"""Verifies a presigned request by the published rules of AWS Signature Version 4.

Written from "Authenticating requests: using query parameters" and "Create a signed AWS API request"
of AWS's documentation alone; it shares nothing with botocore.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()
FUTURE = timedelta(minutes=5)
"""How far ahead of the verifier's clock a signature may be."""


class Refused(Exception):
    """The request is not authentic, or not valid now."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a verifier knows of an access key."""

    secret: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What an authentic request says."""

    host: str
    query: dict[str, str]
    region: str
    service: str
    signed_at: datetime


def verify(url: str, keys: Mapping[str, Key], *, now: datetime, payload: str = EMPTY) -> Verified:
    """Check a presigned GET. Raises Refused."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Refused("a parameter is given twice")
    if query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise Refused("another algorithm")
    access_key, day, region, service, end = query["X-Amz-Credential"].split("/")
    if end != "aws4_request" or access_key not in keys:
        raise Refused(f"the access key {access_key} is not known")
    key = keys[access_key]
    if query.get("X-Amz-Security-Token") != key.session_token:
        raise Refused("the session token is not that of the access key")
    if query.get("X-Amz-SignedHeaders") != "host":
        raise Refused("the host is not what is signed")
    stamp = query["X-Amz-Date"]
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", stamp) or not stamp.startswith(day):
        raise Refused("the date is not the scope's")
    canonical = "\n".join(
        (
            "GET",
            quote(parts.path, safe="/-_.~") or "/",
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                for name, value in sorted(pairs)
                if name != "X-Amz-Signature"
            ),
            f"host:{parts.netloc}",
            "",
            "host",
            payload,
        )
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    step = f"AWS4{key.secret}".encode()
    for word in (day, region, service, "aws4_request"):
        step = hmac.digest(step, word.encode(), "sha256")
    signature = hmac.digest(step, text.encode(), "sha256").hex()
    if not hmac.compare_digest(signature, query.get("X-Amz-Signature", "")):
        raise Refused("the signature does not match")
    signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if signed_at > now + FUTURE:
        raise Refused("signed in the future")
    if now > signed_at + timedelta(seconds=int(query["X-Amz-Expires"])):
        raise Refused("expired")
    return Verified(parts.netloc, query, region, service, signed_at)


def verify_login(
    token: str,
    keys: Mapping[str, Key],
    *,
    host: str,
    user: str,
    region: str,
    now: datetime,
) -> Verified:
    """Check a token of RDS as its instance does: for that host and port, and for that user.

    Raises Refused.
    """
    if "://" in token:
        raise Refused("a token has no scheme")
    found = verify(f"https://{token}", keys, now=now)
    wanted = (host, region, "rds-db", "connect", user, "900")
    query = found.query
    got = (found.host, found.region, found.service, query["Action"], query["DBUser"])
    if (*got, query["X-Amz-Expires"]) != wanted:
        raise Refused(f"it is for {got}")
    return found
