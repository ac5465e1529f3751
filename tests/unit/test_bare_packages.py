"""Modules of a package without its `__init__.py`, loaded by several threads at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier

import pytest

from dbmigrate.bare_packages import bare_packages

pytestmark = pytest.mark.quick

THREADS = 8


def test_threads_that_load_at_once_and_threads_that_ask_all_find_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for number in range(50):
        name = f"heavy_{number}"
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text("raise ImportError('all of it')\n")
        (package / "part.py").write_text("VALUE = 7\n")
        gate = Barrier(THREADS)

        def load(index: int, name: str = name, gate: Barrier = gate) -> int:
            gate.wait()
            if index % 2:
                assert find_spec(name) is not None
                return 7
            with bare_packages(name):
                return int(import_module(f"{name}.part").VALUE)

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(load, range(THREADS))) == [7] * THREADS
        assert name not in sys.modules
