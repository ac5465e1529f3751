"""Pairs of schemas for each kind of object, written from PostgreSQL's documentation of it.

corpus/KIND.sql has variants; each leads to the next, the last to the first, and back, with rows in
the tables. The pairs of a file are planned at once, each in a schema of its own; what belongs to
the whole database is planned alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbmigrate.diff.bodies import STATEMENT
from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.tables import Table
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.runner.diffing.rows import insert_rows
from tests.database import Server
from tests.diff.round_trip import Stage, carry_out, close_idle, loaded
from tests.diff_command.arrange import make_roles

pytestmark = pytest.mark.database

CORPUS = Path(__file__).with_name("corpus")
_MARK = re.compile(r"^-- (always|alone|variant)\b ?(.*)$", re.MULTILINE)
_AT_ONCE = 12
OF_ROWS = ("22", "23")
"""Classes of SQLSTATE: data exceptions, and violated constraints."""


@dataclass(frozen=True)
class Written:
    """A file of the corpus."""

    kind: str
    always: str
    variants: tuple[tuple[str, str], ...]
    is_alone: bool
    """Its objects belong to the database, and not to a schema."""

    def pairs(self) -> Iterator[tuple[str, str]]:
        """What each leads from and to."""
        texts = [self.always + text for _, text in self.variants]
        yield from zip(texts, texts[1:] + texts[:1], strict=True)


def read(path: Path) -> Written:
    """One file."""
    marks = _MARK.split(path.read_text())
    found = list(zip(marks[1::3], marks[2::3], marks[3::3], strict=True))
    return Written(
        path.stem,
        "".join(text for mark, _, text in found if mark == "always"),
        tuple((name, text) for mark, name, text in found if mark == "variant"),
        any(mark == "alone" for mark, _, _ in found),
    )


FILES = [read(path) for path in sorted(CORPUS.glob("*.sql"))]


def batches(file: Written) -> Iterator[tuple[str, str]]:
    """Both sides of as many pairs as are planned at once."""
    pairs = list(file.pairs())
    size = 1 if file.is_alone else _AT_ONCE
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        if file.is_alone:
            old, new = some[0]
            yield f"RESET ALL; {old}", f"RESET ALL; {new}"
        else:
            yield together([old for old, _ in some]), together([new for _, new in some])


def together(texts: Sequence[str]) -> str:
    """Each in a schema of its own."""
    return "".join(
        f"CREATE SCHEMA pair_{number}; SET search_path = pair_{number};\n{text};\n"
        for number, text in enumerate(texts)
    )


BATCHES = [
    pytest.param(old, new, id=f"{file.kind}-{number}")
    for file in FILES
    for number, (old, new) in enumerate(batches(file))
]


@pytest.fixture(scope="module", autouse=True)
def prepared(server: Server) -> Iterator[None]:
    make_roles(server)
    yield
    close_idle(server)


def test_there_are_many_pairs() -> None:
    assert sum(len(file.variants) for file in FILES) >= 400


@pytest.mark.parametrize(("old", "new"), BATCHES)
def test_each_pair_there_and_back_with_rows(server: Server, old: str, new: str) -> None:
    with loaded(server, old) as here, loaded(server, new) as there:
        before, after = here.schema(), there.schema()
        judged, goal = here.catalog(), there.catalog()
        assert not before.unhandled
        try_with_rows(here, before, after)
        carry_out(here, before, after, goal)
        reached = here.schema()
        try_with_rows(here, reached, before)
        carry_out(here, reached, before, judged)


def try_with_rows(stage: Stage, before: Schema, after: Schema) -> None:
    """Each pair's plan in a transaction that is rolled back. What rows themselves forbid, such as
    a new column without a default, is no fault of the plan."""
    insert_rows(stage.session, before)
    plans: dict[str, list[Change]] = {}
    for change in plan_changes(before, after, online=False):
        found = re.search(r"\bpair_\d+", f"{change.about} {change.sql}")
        plans.setdefault(found.group() if found else "", []).append(change)
    for schema, plan in plans.items():
        script = ";\n".join(change.sql for change in plan)
        first = any("ADD VALUE" in change.sql for change in plan)
        if first:
            continue  # a new label has to be committed
        try:
            path = f"{STATEMENT}; SET LOCAL search_path = {schema or 'public'}"
            stage.session.execute(f"BEGIN; {path}; {script}; ROLLBACK".encode())
        except ServerFailure as failure:
            stage.session.roll_back()
            if (failure.sqlstate or "")[:2] not in OF_ROWS:
                raise AssertionError(f"{failure}\n{script}") from None
    tables = [
        name.name
        for name, each in before.objects.items()
        if isinstance(each, Table) and not each.is_partitioned
    ]
    if tables:
        stage.session.query(f"TRUNCATE {', '.join(sorted(tables))} CASCADE")
