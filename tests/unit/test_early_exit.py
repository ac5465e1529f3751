"""SIGTERM while a program still imports itself, as the first process of a container."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
SCRIPTS = tomllib.loads(PYPROJECT.read_text())["project"]["scripts"]
IMPORTED = {
    "dbmigrate": "dbmigrate.cli.main",
    "dbmigrate-operator": "dbmigrate.controller.program",
    "kubectl-dbmigrate": "dbmigrate.kubectl.main",
}
"""The module by whose import the large ones begin."""
CODE = """
import os, signal, sys
from importlib import import_module

start, function, module = sys.argv.pop(), sys.argv.pop(), sys.argv.pop()
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the kernel's way with a first process

class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, AtImport())
getattr(import_module(start), function)()
"""


def test_every_program_is_tested_here() -> None:
    assert set(SCRIPTS) == set(IMPORTED)


@pytest.mark.parametrize("program", IMPORTED)
def test_sigterm_ends_a_program_that_is_still_importing_itself(program: str) -> None:
    start, _, function = SCRIPTS[program].partition(":")
    command = [sys.executable, "-c", CODE, IMPORTED[program], function, start]
    assert subprocess.run(command, check=False, timeout=60).returncode == 143
