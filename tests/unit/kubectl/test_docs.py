"""Every command line of the plugin in the docs is one that it understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dbmigrate.api.action import ActionKind
from dbmigrate.kubectl.arguments import parse_arguments

pytestmark = pytest.mark.quick

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\$ |\$\()kubectl dbmigrate ([^|)\n]*)", re.MULTILINE)


def read_lines(page: Path) -> list[str]:
    """The command lines in the page's blocks."""
    blocks = BLOCK.findall(page.read_text())
    return [line for block in blocks for line in COMMAND.findall(block)]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_a_command_line_in_the_docs_is_understood(page: Path) -> None:
    for line in read_lines(page):
        parse_arguments(shlex.split(line))


def test_the_plugins_page_shows_every_subcommand() -> None:
    text = (DOCS / "kubectl.md").read_text()
    for name in ("status", "logs", "wait", "plan", *(kind.value.lower() for kind in ActionKind)):
        assert any(line.split()[0] == name for line in read_lines(DOCS / "kubectl.md")), name
        assert f"`{name}" in text or name == "status"
