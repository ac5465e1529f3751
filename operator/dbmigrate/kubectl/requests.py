"""The parsed command line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.api.action import ActionKind


class Output(StrEnum):
    """The output format."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """`status [NAME]`."""

    name: str | None = None
    selector: str | None = None
    in_all_namespaces: bool = False
    is_watching: bool = False
    output: Output = Output.TABLE


@dataclass(frozen=True, slots=True)
class FleetViewRequest:
    """`fleet status [NAME]` and `fleet failed NAME`."""

    name: str | None = None
    in_all_namespaces: bool = False
    shows_failures: bool = False
    output: Output = Output.TABLE


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """`plan NAME`."""

    name: str
    output: Output = Output.TABLE


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """`drift NAME`."""

    name: str
    output: Output = Output.TABLE


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """`approve`, `retry`, `force`, `rollback` and `repair`; `fleet retry`, `fleet continue`,
    `fleet approve` and `fleet rollback`."""

    kind: ActionKind
    name: str
    is_for_set: bool = False
    version: str | None = None
    plan_hash: str | None = None
    """The plan that was read: no other one is approved."""
    reason: str = ""
    is_agreed: bool = False
    """The confirmation is skipped."""
    is_followed: bool = True
    """Whether the order's end is waited for."""
    timeout: float | None = None
    """Seconds; None: no limit."""


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """`logs NAME`."""

    name: str
    job: str | None = None
    is_following: bool = False


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """`wait NAME`."""

    name: str
    version: str | None = None
    """The least version that will do."""
    timeout: float | None = None
    """Seconds; None: no limit."""


Request = (
    StatusRequest
    | PlanRequest
    | DriftRequest
    | OrderRequest
    | LogsRequest
    | WaitRequest
    | FleetViewRequest
)
