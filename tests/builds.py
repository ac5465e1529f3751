"""What is slow to build or to fetch, made before the tests: `python -m tests.builds`.

`make test` runs it first, so that no test waits for a compiler on a cold machine. What
cannot be had is said here and fails nothing: only some tests need it, and those say so
again. Each row of `ROWS` is made one after another, since its builds share a cache or are
made from one another; the rows go in parallel.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.cluster.build import find_programs as find_control_plane
from tests.cluster.clients import find_helm, find_kubectl
from tests.database import oracle
from tests.diff_command.packages import find_django, find_gorm_loader, find_packages
from tests.diff_command.peers import find_peers
from tests.formats.orms import find_prisma, find_python_orms, find_ruby
from tests.node_e2e.node import make_images
from tests.node_e2e.programs import find_programs as find_node
from tests.runner.pgbouncer import find_pgbouncer
from tests.toolchain import find_go, say

Build = tuple[str, Callable[[], object]]

ROWS: tuple[tuple[Build, ...], ...] = (
    (
        ("the control plane", find_control_plane),
        ("the programs of a real node", find_node),
    ),
    (
        ("golang-migrate", oracle.find_migrate),
        ("goose", oracle.find_goose),
        ("Atlas", oracle.find_atlas),
        ("Atlas's library", oracle.find_atlas_library),
        ("actionlint", oracle.find_actionlint),
        ("the models of GORM", find_gorm_loader),
    ),
    (
        ("the images of a real node", make_images),
        ("kubectl", find_kubectl),
        ("helm", find_helm),
        ("PgBouncer", find_pgbouncer),
        ("dbmate", oracle.find_dbmate),
        ("Flyway", oracle.find_flyway),
        ("the peers of diff", find_peers),
        ("schemas of public packages", find_packages),
        ("Django", find_django),
        ("Alembic and Django", find_python_orms),
        ("Active Record", find_ruby),
        ("Prisma's engine", find_prisma),
    ),
)


def main() -> int:
    """Make all of it; always 0."""
    started = time.monotonic()
    try:
        find_go()  # first: most others would wait for one another to fetch it
    except Exception as problem:
        say(f"Go: {problem}")
    with ThreadPoolExecutor(len(ROWS)) as pool:
        failures = [failure for row in pool.map(make_row, ROWS) for failure in row]
    for failure in failures:
        say(f"NOT THERE, the tests that need it say so: {failure}")
    say(f"what the tests need is made, in {time.monotonic() - started:.0f} s")
    return 0


def make_row(row: tuple[Build, ...]) -> list[str]:
    """Make these one after another; what each failure says."""
    failures = []
    for name, make in row:
        try:
            make()
        except Exception as problem:  # whatever it is, it is the tests' to judge
            failures.append(f"{name}: {problem}")
    return failures


if __name__ == "__main__":
    sys.exit(main())
