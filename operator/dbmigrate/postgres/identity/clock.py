"""How wrong this machine's clock is, by the Date of an HTTP answer.

A token is signed with a time, or says until when it is valid. A server that refuses one for its
time does not say so.
"""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

_SECONDS = 2.0
"""For the question and the answer together."""
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
    found: list[str | None] = []
    # A time limit of urllib's is one for each part that comes, of which there may be many.
    asking = Thread(target=_ask, args=(url, found), daemon=True)
    asking.start()
    asking.join(_SECONDS)
    try:
        return time.time() - parsedate_to_datetime(found[0] or "").timestamp()
    except (IndexError, TypeError, ValueError):
        return None


def _ask(url: str, found: list[str | None]) -> None:
    with suppress(OSError, HTTPException, ValueError):
        try:
            with urlopen(Request(url, method="HEAD"), timeout=_SECONDS) as answer:
                found.append(answer.headers.get("Date"))
        except HTTPError as refusal:
            found.append(refusal.headers.get("Date"))
            refusal.close()


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(seconds / 3600)} h"
