"""The command line becomes a request, or an exit with code 2."""

from __future__ import annotations

import pytest

from dbmigrate.api.action import FOR_SETS_ALONE, ActionKind
from dbmigrate.kubectl.access import ClusterOptions
from dbmigrate.kubectl.arguments import parse_arguments
from dbmigrate.kubectl.requests import (
    DriftRequest,
    LogsRequest,
    OrderRequest,
    Output,
    PlanRequest,
    Request,
    StatusRequest,
    WaitRequest,
)

pytestmark = pytest.mark.quick


def order(kind: ActionKind, **more: object) -> OrderRequest:
    defaults: dict[str, object] = {"timeout": 600.0}
    if kind in {ActionKind.RETRY, ActionKind.REPAIR}:
        defaults["is_agreed"] = True
    return OrderRequest(kind, "shop", **{**defaults, **more})  # type: ignore[arg-type]


CASES: list[tuple[str, Request]] = [
    ("status", StatusRequest()),
    ("status shop -w", StatusRequest("shop", is_watching=True)),
    ("status -A -l team=a", StatusRequest(selector="team=a", in_all_namespaces=True)),
    ("status -o wide", StatusRequest(output=Output.WIDE)),
    ("plan shop -o json", PlanRequest("shop", Output.JSON)),
    ("plan dbm/shop", PlanRequest("shop")),
    ("drift shop", DriftRequest("shop")),
    ("drift dbm/shop -o json", DriftRequest("shop", Output.JSON)),
    ("plan databasemigrations.dbmigrate.dev/shop", PlanRequest("shop")),
    ("approve shop", order(ActionKind.APPROVE)),
    (
        "approve shop --hash 12 --yes",
        order(ActionKind.APPROVE, plan_hash="12", is_agreed=True),
    ),
    ("retry shop --no-wait", order(ActionKind.RETRY, is_followed=False)),
    ("repair shop --timeout none", order(ActionKind.REPAIR, timeout=None)),
    ("force shop -1", order(ActionKind.FORCE, version="-1")),
    (
        "force shop 20260101120000 -y",
        order(ActionKind.FORCE, version="20260101120000", is_agreed=True),
    ),
    ("rollback shop 3 --reason bad", order(ActionKind.ROLLBACK, version="3", reason="bad")),
    ("logs shop -f --job shop-1", LogsRequest("shop", "shop-1", is_following=True)),
    ("wait shop", WaitRequest("shop", None, 300.0)),
    ("wait shop --version 2 --timeout 1m30s", WaitRequest("shop", "2", 90.0)),
]


@pytest.mark.parametrize(("line", "request_"), CASES, ids=[line for line, _ in CASES])
def test_a_line_is_understood(line: str, request_: Request) -> None:
    assert parse_arguments(line.split())[1] == request_


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "COMMAND"),
        ("stat", "invalid choice: 'stat'"),
        ("plan", "NAME"),
        ("plan ../secrets/x", "is not the name of a DatabaseMigration"),
        ("plan pod/shop", "is not the name of a DatabaseMigration"),
        ("plan ..", "is not a valid Kubernetes name"),
        ("plan Shop", "is not a valid Kubernetes name"),
        ("status -n a/b", "is not a valid Kubernetes name"),
        ("logs shop --job a/b", "is not a valid Kubernetes name"),
        ("force shop", "VERSION"),
        ("force shop -2", "is not a version"),
        ("force shop latest", "is not a version"),
        ("rollback shop -1", "is not a version"),
        ("wait shop --timeout 5", "is not a duration"),
        ("wait shop --vers 5", "unrecognized arguments"),
        ("status -o yaml", "invalid choice: 'yaml'"),
    ],
)
def test_a_line_that_can_not_be_understood_ends_with_2(
    line: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse_arguments(line.split())
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert problem in said
    assert "--help" in said


@pytest.mark.parametrize(
    "line",
    [
        "--kubeconfig k -n team --context c --as bob --as-group g --as-group h status shop",
        "status shop --kubeconfig k -n team --context c --as bob --as-group g --as-group h",
        "--context c --kubeconfig k status -n team shop --as bob --as-group g --as-group h",
    ],
)
def test_options_of_kubectl_hold_wherever_they_stand(line: str) -> None:
    access, request = parse_arguments(line.split())
    options = "--context c --as bob --as-group g --as-group h"
    assert access == ClusterOptions("k", "team", tuple(options.split()))
    assert access.arguments == tuple(f"--kubeconfig k {options}".split())
    assert request == StatusRequest("shop")


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse_arguments(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    orders = (kind.value.lower() for kind in ActionKind if kind not in FOR_SETS_ALONE)
    for name in ("status", "plan", "logs", "wait", "fleet", *orders):
        assert f"    {name} " in said
