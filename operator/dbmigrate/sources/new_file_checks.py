"""Checks of a new migration against the existing ones; normally without a finding.

golang-migrate writes whatever it is told. A version below one that is there is no error
either, but a database that has the higher one takes the new one for out of order; and two
migrations of one name are mixed up by people. Both are said as soon as the files are
there, and not when a run refuses them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbmigrate.sources.listing import printable

_NAME = re.compile(r"([0-9]+)_(.*?)(?:\.(?:up|down))?\.[^.]*")


def warn_of(created: Iterable[Path]) -> Iterator[str]:
    """A sentence for each thing that is odd about the files of a new migration."""
    paths = list(created)
    new = _NAME.fullmatch(paths[0].name)
    if new is None:
        return
    mine = {path.name for path in paths}
    others = sorted(name for name in os.listdir(paths[0].parent) if name not in mine)
    known = [found for found in map(_NAME.fullmatch, others) if found is not None]
    highest = max(known, key=lambda found: int(found[1]), default=None)
    if highest is not None and int(highest[1]) > int(new[1]):
        yield (
            f"version {new[1]} is below {printable(highest[0])}: it is out of order in a"
            " database that has that one"
        )
    same = next((found[0] for found in known if found[2] == new[2]), None)
    if same is not None:
        yield f"a migration with that name already exists: {printable(same)}"
