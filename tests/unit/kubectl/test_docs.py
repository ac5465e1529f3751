"""Every command line of the plugin in the docs is one that it understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.api.action import FOR_SETS_ALONE, ActionKind
from dbmigrate.kubectl.arguments import parse_arguments
from dbmigrate.kubectl.requests import (
    DriftRequest,
    FleetViewRequest,
    LogsRequest,
    OrderRequest,
    PlanRequest,
    StatusRequest,
    WaitRequest,
)
from dbmigrate.kubectl.text.description import describe
from tests.unit.kubectl.bodies import BEFORE, NOW, make_resource, text_of

pytestmark = pytest.mark.quick

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\$ |\$\()kubectl dbmigrate ([^|)\n]*)", re.MULTILINE)


def read_lines(page: Path) -> list[str]:
    """The command lines in the page's blocks."""
    blocks = BLOCK.findall(page.read_text())
    return [line for block in blocks for line in COMMAND.findall(block)]


READERS = {
    "status": StatusRequest,
    "logs": LogsRequest,
    "wait": WaitRequest,
    "plan": PlanRequest,
    "drift": DriftRequest,
}
ORDERS = {kind.value.lower(): kind for kind in ActionKind if kind not in FOR_SETS_ALONE}


def test_every_command_line_in_the_docs_is_understood() -> None:
    found = [(page.name, line) for page in sorted(DOCS.glob("*.md")) for line in read_lines(page)]
    assert len(found) > len(READERS) + len(ORDERS)
    for page, line in found:
        words = shlex.split(line)
        if words[0] == "fleet":
            request = parse_arguments(words)[1]
            is_order = isinstance(request, OrderRequest) and request.is_for_set
            assert is_order or isinstance(request, FleetViewRequest)
            continue
        subcommand = next(word for word in words if word in {*READERS, *ORDERS})
        _, request = parse_arguments(words)
        if isinstance(request, OrderRequest):
            assert request.kind is ORDERS[subcommand], f"{page}: {line}"
        else:
            assert type(request) is READERS[subcommand], f"{page}: {line}"


def test_the_plugins_page_shows_every_subcommand() -> None:
    text = (DOCS / "kubectl.md").read_text()
    for name in (*READERS, *ORDERS):
        assert any(line.split()[0] == name for line in read_lines(DOCS / "kubectl.md")), name
        assert f"`{name}" in text or name == "status"


FAILED: dict[str, Any] = {
    "version": "2",
    "target": "3",
    "pending": 1,
    "dirty": False,
    "serverVersion": "17.6",
    "owner": "9c1f0a52/team/shop#7d2e",
    "lastRun": {
        "job": "shop-c681b8eb89",
        "command": "goto",
        "outcome": "Failed",
        "attempts": 1,
        "milliseconds": 27,
        "finishedAt": BEFORE,
        "error": {
            "reason": "StatementFailed",
            "sqlstate": "42601",
            "file": "000003_add_name.up.sql",
            "line": 2,
            "column": 14,
            "message": 'migration failed: syntax error at or near "x"',
            "excerpt": "SELECT 1 FRO x y z;\n             ^",
        },
    },
    "history": [
        {
            "version": version,
            "name": name,
            "direction": "up",
            "milliseconds": took,
            "finishedAt": "2026-11-12T11:57:00Z",
        }
        for version, name, took in (("2", "add_price", 1), ("1", "create_items", 4))
    ],
}


def test_the_sample_of_a_failed_resource_is_what_is_printed() -> None:
    message = '000003_add_name.up.sql:2:14: migration failed: syntax error at or near "x"'
    resource = make_resource("StatementFailed", message, is_stalled=True, **FAILED)
    printed = text_of(describe(resource, NOW)).splitlines()
    page = (DOCS / "kubectl.md").read_text()
    (sample,) = (b for b in BLOCK.findall(page) if b.startswith("$ kubectl dbmigrate status shop"))
    assert sample.splitlines()[1:] == [line.rstrip() for line in printed]
