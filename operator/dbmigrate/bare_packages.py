"""Modules of a package without the package's own `__init__.py`.

Some libraries import all that they have in it, which takes longer than a short run.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType

_LOCK = threading.RLock()


@contextmanager
def bare_packages(*names: str) -> Iterator[None]:
    """Let modules of the packages be imported without the packages' own `__init__.py`.

    A package that is loaded already, or that another finder than that of sys.path finds,
    remains as it is. A later import of the package is the ordinary one, and finds the modules
    loaded. One thread at a time: the runs of a fleet load the same modules side by side, and
    others may ask meanwhile whether a package is installed.
    """
    with _LOCK:
        made = []
        for name in names:
            spec = None if name in sys.modules else PathFinder.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                package = ModuleType(name)
                package.__path__ = spec.submodule_search_locations
                package.__spec__ = spec
                sys.modules[name] = package
                made.append(name)
        try:
            yield
        finally:
            for name in made:
                del sys.modules[name]
