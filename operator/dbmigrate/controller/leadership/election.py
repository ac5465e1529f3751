"""The rules by which operators elect one leader: functions of a Lease and of moments.

A candidate takes a Lease that has no holder, or whose holder has not renewed it for its whole
duration, by the candidate's own clock: times in the Lease are for people, since clocks of machines
differ. The leader stops writing after two thirds of that duration without a renewal, counted from
before the request was sent. The last third is the time that a write on its way may take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from dbmigrate.api.fields import Document

WRITING_SHARE = 2 / 3
"""Of the duration, in which the leader may write after its last renewal."""
RENEWALS = 5
"""In one duration, by the leader; a candidate looks as often."""
DAY = 24 * 3600
"""Seconds. No Lease stands for longer, whatever it says."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A coordination.k8s.io Lease, as far as an election needs it."""

    holder: str
    """Empty: there is none."""
    duration: timedelta
    """For which it stands after each renewal."""
    version: str
    """The object's resourceVersion: a renewal changes it. Empty: it has been deleted."""
    acquired_at: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a candidate has seen last."""

    lease: Lease | None
    """None: there has been none."""
    since: float
    """When this version of it was first seen: a moment of the candidate's own clock, in seconds."""


class ElectionMove(Enum):
    """What a candidate does next."""

    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def see(before: Sighting | None, lease: Lease | None, now: float) -> Sighting:
    """The sighting after the Lease was read at that moment; None: it is not there.

    A Lease that is deleted is still valid for its duration: its holder may write.
    """
    known = before.lease if before is not None else None
    if lease is None and known is not None:
        lease = replace(known, version="")
    is_same = known is not None and lease is not None and known.version == lease.version
    return before if is_same and before is not None else Sighting(lease, now)


def choose_move(sighting: Sighting, identity: str, now: float) -> ElectionMove:
    """What the candidate of that identity does at that moment."""
    lease = sighting.lease
    if lease is None or not lease.holder:
        return ElectionMove.TAKE
    if lease.holder == identity:
        return ElectionMove.RENEW
    has_ended = now - sighting.since >= lease.duration.total_seconds()
    return ElectionMove.TAKE if has_ended else ElectionMove.WAIT


def writes_until(sent: float, duration: timedelta) -> float:
    """The moment up to which a leader may write whose renewal was sent at `sent`."""
    return sent + duration.total_seconds() * WRITING_SHARE


def parse_lease(body: Mapping[str, Any]) -> Lease:
    """The Lease of a document. A field that is missing or of another type counts as unset."""
    spec = body.get("spec")
    fields: Mapping[str, Any] = spec if isinstance(spec, Mapping) else {}
    seconds, transitions = fields.get("leaseDurationSeconds"), fields.get("leaseTransitions")
    return Lease(
        holder=_text(fields.get("holderIdentity")),
        duration=timedelta(
            seconds=min(seconds, DAY) if isinstance(seconds, int) and seconds > 0 else 0
        ),
        version=_text(body.get("metadata", {}).get("resourceVersion")),
        acquired_at=_text(fields.get("acquireTime")),
        transitions=transitions
        if isinstance(transitions, int) and 0 <= transitions < 2**31 - 1
        else 0,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def build_lease(
    sighting: Sighting, identity: str, duration: timedelta, *, now: datetime
) -> Document:
    """The `spec` with which that candidate takes or renews the Lease; no identity: gives it up."""
    before = sighting.lease
    is_same = before is not None and before.holder == identity
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    taken = before.transitions if before is not None else 0
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, math.ceil(duration.total_seconds())),
        "acquireTime": (before.acquired_at or moment) if before and is_same else moment,
        "renewTime": moment,
        "leaseTransitions": taken if is_same or not identity or before is None else taken + 1,
    }
