"""Every command line of the plugin in the docs is one that it understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dbmigrate.api.action import FOR_SETS_ALONE, ActionKind
from dbmigrate.kubectl.arguments import parse_arguments
from dbmigrate.kubectl.requests import (
    DriftRequest,
    FleetOrderRequest,
    FleetViewRequest,
    LogsRequest,
    OrderRequest,
    PlanRequest,
    StatusRequest,
    WaitRequest,
)

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
            assert isinstance(parse_arguments(words)[1], FleetViewRequest | FleetOrderRequest)
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
