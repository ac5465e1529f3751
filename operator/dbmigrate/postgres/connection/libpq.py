"""libpq by psycopg's binding of it, without the rest of psycopg.

`import psycopg` also loads cursors, type adapters, their asynchronous twins and the metadata of
its wheel, of which a session that speaks the protocol directly uses none: more than half of the
processor time of a run that finds nothing to do. Only the modules below are loaded; a later
`import psycopg` is the ordinary one, and finds them loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

_PACKAGES = ("psycopg", "psycopg_binary")


@contextmanager
def _without_init() -> Iterator[None]:
    """Let modules of the packages be imported without the packages' own `__init__.py`.

    A package that is loaded already, or that another finder than that of sys.path finds,
    remains as it is.
    """
    made = []
    for name in _PACKAGES:
        spec = None if name in sys.modules else PathFinder.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package = ModuleType(name)
            package.__path__ = spec.submodule_search_locations
            sys.modules[name] = package
            made.append(name)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


if TYPE_CHECKING:
    from psycopg import pq
    from psycopg.conninfo import conninfo_attempts, make_conninfo, timeout_from_conninfo
    from psycopg.errors import Error, OperationalError
else:
    with _without_init():
        from psycopg import pq
        from psycopg.conninfo import conninfo_attempts, make_conninfo, timeout_from_conninfo
        from psycopg.errors import Error, OperationalError

__all__ = [
    "Error",
    "OperationalError",
    "conninfo_attempts",
    "make_conninfo",
    "pq",
    "timeout_from_conninfo",
]
