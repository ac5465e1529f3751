"""`make mutate`: a sample of mutants of the pure core, each run against the tests of its area.

The mutants are Cosmic Ray's. They are made in a copy of the working tree, so that this one stays as
it is. A mutant that changes nothing at run time (`_meaning`), or that stands in
tests/equivalent_mutants.txt, is passed over. A mutant meets the tests that reach its statement, the
fastest first; each run is a fork of this process, which has the libraries in memory. What survives
is printed as a diff; the exit code is 1 below the wanted share.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import functools
import importlib
import importlib.util
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "mutants"
EQUIVALENT = ROOT / "tests" / "equivalent_mutants.txt"
PACKAGE = "operator/dbmigrate"
WANTED = 0.95
"""The share of the mutants that tests have to kill."""
OF_THE_INTERPRETER = ("_Eq_Is", "_NotEq_IsNot")
"""Mutants whose effect depends on the interpreter: whether equal numbers are one object."""
AREAS = {
    "planning": ("runner/planning runner/batches/pace.py", "runner/planning runner/batches"),
    "diff": ("diff/casting.py", "diff/test_casting.py"),
    "report": (
        "report codec.py durations.py",
        "test_codec.py test_report.py cli/arguments/test_numbers.py",
    ),
    "api": (
        "api timestamps.py untrusted.py",
        "api test_versions.py controller/test_every_field.py crds hostile",
    ),
    "controller": ("controller/decisions controller/jobs", "controller"),
    "fleet": ("controller/fleet", "controller/fleet"),
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
    line: int

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
    """The mutants without an observable effect, with the reason."""
    found = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line and not line.startswith("#"):
            path, old, new, reason = (part.strip() for part in line.split(" ¦ "))
            found[path, old, new] = reason
    return found


def modules_of(area: str) -> Iterator[Path]:
    for place in AREAS[area][0].split():
        path = ROOT / PACKAGE / place
        if not path.exists():
            raise FileNotFoundError(path)
        yield from (path,) if path.is_file() else sorted(path.rglob("*.py"))


def draw(area: str, number: int, chooser: random.Random) -> Iterator[Mutant]:
    """So many mutants of an area, none twice."""
    from cosmic_ray.commands.init import _all_work_items
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    items = _all_work_items(list(modules_of(area)), {})
    specs = [item.mutations[0] for item in items]
    specs = [spec for spec in specs if not spec.operator_name.endswith(OF_THE_INTERPRETER)]
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
        line = spec.start_pos[0]
        mutant = Mutant(area, str(path.relative_to(ROOT)), original, mutated, line)
        if mutant.key not in passed_over:
            number -= 1
            yield mutant


def _meaning(source: str) -> str:
    """The program without what has no effect when it runs.

    These are annotations, the marks / and * among parameters, which mypy checks, and the bodies of
    protocols. None and the members of enums are equal to themselves alone, so that `is` and `==`
    are the same.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.arguments):
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.defaults += [each for each in node.kw_defaults if each is not None]
            node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        if isinstance(node, ast.arguments):
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.posonlyargs, node.kwonlyargs = [], []
            node.defaults += [each for each in node.kw_defaults if each is not None]
            node.kw_defaults = []
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases):
            node.body = []
        if isinstance(node, ast.Compare) and all(map(_is_single, node.comparators)):
            same = {ast.Is: ast.Eq(), ast.IsNot: ast.NotEq()}
            node.ops = [same.get(type(op), op) for op in node.ops]
    return ast.dump(tree)


def _is_single(node: ast.expr) -> bool:
    """Whether it is None, True, False or a member of an enum."""
    if isinstance(node, ast.Constant):
        return node.value is None or isinstance(node.value, bool)
    return isinstance(node, ast.Attribute) and node.attr.isupper()


def make_copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, COPY / name)


@dataclass(slots=True)
class Reached:
    """Which tests of an area reach which lines, and how long each takes."""

    area: str
    durations: dict[str, float]
    data: coverage.CoverageData

    @classmethod
    def measure(cls, area: str) -> Reached | None:
        """From a run without a mutant; None where a test fails."""
        durations, data_file = COPY / f"{area}.json", COPY / "build" / "coverage"
        measured = ["--cov", "--cov-context=test", "--cov-report="]
        data_file.unlink(missing_ok=True)
        if run_tests([*tests_of(area), *measured], Durations(str(durations)), 3600) != 0:
            return None
        data = coverage.CoverageData(str(data_file))
        data.read()
        return cls(area, json.loads(durations.read_text()), data)

    def tests(self, mutant: Mutant) -> set[str]:
        """The tests that reach the mutant; all of them for what an import runs."""
        contexts = self.data.contexts_by_lineno(str(COPY / mutant.path))
        lines = statement_lines(mutant.original, mutant.line)
        found = {each for line in lines for each in contexts.get(line, ())}
        return set(self.durations) if "" in found else {each.rpartition("|")[0] for each in found}


def statement_lines(source: str, line: int) -> range:
    """The lines of the innermost statement at a line, without those of its body."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            parts = [part for part in ast.walk(node) if isinstance(part, ast.stmt | ast.expr)]
            first = min(part.lineno for part in parts)
            last = max(part.end_lineno or part.lineno for part in parts)
            body = getattr(node, "body", None)
            header = max(first, body[0].lineno - 1) if body else last
            spans += [range(first, header + 1)] if first <= line <= header else []
    return min(spans, key=len, default=range(line, line + 1))


@dataclass(slots=True)
class Durations:
    """A plugin that writes down how long each test takes.

    It empties the caches of functions before each test, so that each reaches what it needs.
    """

    file: str
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        modules = [sys.modules[name] for name in list(sys.modules) if name.startswith("dbmigrate")]
        for value in [value for module in modules for value in vars(module).values()]:
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self) -> None:
        Path(self.file).write_text(json.dumps(self.seconds))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plugin that leaves the chosen tests, the fastest first."""

    tests: set[str]
    durations: dict[str, float]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.tests]
        items.sort(key=lambda item: self.durations.get(item.nodeid, 0))


def survives(mutant: Mutant, reached: Reached, limit: float) -> bool:
    """Whether the tests pass all the same; one that does not end is killed."""
    tests = reached.tests(mutant)
    if not tests:
        return True
    path = COPY / mutant.path
    path.write_text(mutant.mutated)
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    files = sorted({test.partition("::")[0] for test in tests})
    try:
        return run_tests(files, Chosen(tests, reached.durations), limit, write=False) == 0
    finally:
        path.write_text(mutant.original)


def tests_of(area: str) -> list[str]:
    return [f"tests/unit/{each}" for each in ("test_dataclasses.py", *AREAS[area][1].split())]


def run_tests(arguments: Iterable[str], plugin: object, limit: float, *, write: bool = True) -> int:
    """pytest's exit code in the copy; `write` keeps the bytecode for later runs."""
    ignored = "ignore::pytest.PytestAssertRewriteWarning"
    command = ["-q", "-x", "-p", "no:cacheprovider", "-W", ignored, *arguments]
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_run_pytest, args=(command, plugin, write))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode or 0


def _run_pytest(command: list[str], plugin: object, write: bool) -> None:
    os.chdir(COPY)
    for name in [name for name in sys.modules if name == "tests" or name.startswith("tests.")]:
        del sys.modules[name]
    sys.path[:] = [str(COPY / "operator"), *(each for each in sys.path if each != str(ROOT))]
    os.environ["PYTHONPATH"] = str(COPY / "operator")
    sys.dont_write_bytecode = not write
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os._exit(pytest.main(command, plugins=[plugin]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--number", type=int, default=40, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("areas", nargs="*", default=[], metavar="AREA", help=", ".join(AREAS))
    given = parser.parse_args()
    make_copy()
    for name in ("hypothesis", "jsonschema", "kopf", "psycopg", "yaml"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    total = killed = 0
    for area in given.areas or AREAS:
        started = time.monotonic()
        reached = Reached.measure(area)
        if reached is None:
            print(f"{area}: its tests fail without a mutant", flush=True)
            return 2
        limit = 30 + 5 * (time.monotonic() - started)
        alive = []
        mutants = list(draw(area, given.number, random.Random(given.seed)))
        for number, mutant in enumerate(mutants, start=1):
            if survives(mutant, reached, limit):
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
