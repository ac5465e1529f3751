"""`make mutate`: a sample of mutants of the pure core, each run against the tests of its area.

The mutants are Cosmic Ray's. They are made in a copy of the working tree, so that this one stays as
it is. A mutant that changes annotations alone, or that stands in tests/equivalent_mutants.txt, is
passed over. What survives is printed as a diff; the exit code is 1 below the wanted share.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "mutants"
EQUIVALENT = ROOT / "tests" / "equivalent_mutants.txt"
PACKAGE = "operator/dbmigrate"
WANTED = 0.95
"""The share of the mutants that tests have to kill."""
AREAS = {
    "planning": ("runner/planning runner/batches/pace.py", "runner/planning runner/batches"),
    "diff": ("diff/casting.py", "diff/test_casting.py"),
    "report": (
        "report codec.py durations.py",
        "test_codec.py test_report.py cli/arguments/test_numbers.py",
    ),
    "api": ("api timestamps.py untrusted.py", "api controller/test_every_field.py crds hostile"),
    "controller": ("controller/decisions controller/jobs", "controller"),
    "sqltext": ("postgres/sqltext", "postgres/sqltext"),
}
"""Each area's modules, below the package, and its tests, below tests/unit."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module."""

    area: str
    path: str
    """The module, relative to the root."""
    original: str
    mutated: str

    @property
    def lines(self) -> tuple[str, str]:
        """The first lines in which the two differ, without their indentation."""
        pairs = zip(self.original.splitlines(), self.mutated.splitlines(), strict=False)
        old, new = next((o, n) for o, n in pairs if o != n)
        return old.strip(), new.strip()

    @property
    def key(self) -> tuple[str, str, str]:
        """How the list of the equivalent ones names it."""
        return (self.path.removeprefix(f"{PACKAGE}/"), *self.lines)

    def __str__(self) -> str:
        before, after = (text.splitlines() for text in (self.original, self.mutated))
        diff = difflib.unified_diff(before, after, self.path, "mutant", lineterm="", n=1)
        return "\n".join([*diff][2:])


def read_equivalent() -> dict[tuple[str, str, str], str]:
    """The mutants that change nothing that anybody can see, with the reason."""
    found = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line and not line.startswith("#"):
            path, old, new, reason = (part.strip() for part in line.split(" ¦ "))
            found[path, old, new] = reason
    return found


def modules_of(area: str) -> Iterator[Path]:
    for place in AREAS[area][0].split():
        path = ROOT / PACKAGE / place
        yield from (path,) if path.is_file() else sorted(path.rglob("*.py"))


def draw(area: str, number: int, chooser: random.Random) -> Iterator[Mutant]:
    """So many mutants of an area, none twice."""
    from cosmic_ray.commands.init import _all_work_items
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    specs = [item.mutations[0] for item in _all_work_items(list(modules_of(area)), {})]
    chooser.shuffle(specs)
    passed_over = read_equivalent()
    for spec in specs:
        if number == 0:
            return
        path = Path(spec.module_path)
        original = path.read_text()
        mutated = mutate_code(original, get_operator(spec.operator_name)(), spec.occurrence)
        if mutated is None or _meaning(mutated) == _meaning(original):
            continue
        mutant = Mutant(area, str(path.relative_to(ROOT)), original, mutated)
        if mutant.key not in passed_over:
            number -= 1
            yield mutant


def _meaning(source: str) -> str:
    """The program without its annotations and documentation."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def make_copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, COPY / name)


def survives(mutant: Mutant, limit: float) -> bool:
    """Whether the area's tests pass all the same; one that does not end is killed."""
    path = COPY / mutant.path
    path.write_text(mutant.mutated)
    try:
        return run_tests(mutant.area, limit) == 0
    finally:
        path.write_text(mutant.original)


def run_tests(area: str, limit: float) -> int:
    tests = [f"tests/unit/{each}" for each in (*AREAS[area][1].split(), "test_dataclasses.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTHONPATH": str(COPY / "operator"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=COPY, env=environ, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--number", type=int, default=40, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("areas", nargs="*", default=[], metavar="AREA", help=", ".join(AREAS))
    given = parser.parse_args()
    make_copy()
    total = killed = 0
    for area in given.areas or AREAS:
        started = time.monotonic()
        if run_tests(area, 3600) != 0:
            print(f"{area}: its tests fail without a mutant", flush=True)
            return 2
        limit = 30 + 5 * (time.monotonic() - started)
        alive = []
        mutants = list(draw(area, given.number, random.Random(given.seed)))
        for number, mutant in enumerate(mutants, start=1):
            if survives(mutant, limit):
                alive.append(mutant)
                print(f"{mutant.path} survived:\n{mutant}\n", flush=True)
            if number % 10 == 0:
                print(f"{area}: {number} of {len(mutants)}", flush=True)
        total, killed = total + len(mutants), killed + len(mutants) - len(alive)
        print(f"{area}: {len(mutants) - len(alive)} of {len(mutants)} killed", flush=True)
    print(f"all: {killed} of {total} killed ({killed / max(total, 1):.0%})")
    return 0 if killed >= WANTED * total else 1


if __name__ == "__main__":
    sys.exit(main())
