"""How wrong this machine's clock is, by the Date of an HTTP answer.

A token is signed with a time, or says until when it is valid. A server that refuses one for its
time does not say so.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

_SECONDS = 2.0
"""For the question."""
TOLERATED = 60.0
"""Seconds of difference that nothing fails for."""


def describe_skew(url: str) -> str | None:
    """A sentence, if this clock is wrong; None: it is right, or that is unknown."""
    ahead = measure_skew(url)
    if ahead is None or abs(ahead) <= TOLERATED:
        return None
    direction = "ahead of" if ahead > 0 else "behind"
    return (
        f"this machine's clock is {_duration(abs(ahead))} {direction} that of"
        f" {urlsplit(url).hostname}, and a token is valid at its time alone: set the clock (NTP)"
    )


def measure_skew(url: str) -> float | None:
    """By how many seconds this clock is ahead of the one there; None: unknown."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_SECONDS) as answer:
            date = answer.headers.get("Date")
    except HTTPError as refusal:
        date = refusal.headers.get("Date")
        refusal.close()
    except (OSError, HTTPException, ValueError):
        return None
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(seconds / 3600)} h"
