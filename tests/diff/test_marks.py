"""What people are told beside the statements: what is lost, what is slow, what is not handled."""

from __future__ import annotations

import pytest

from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.schema.catalog import ObjectName
from tests.database import Server
from tests.diff.round_trip import loaded

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("before", "after", "destroys"),
    [
        ("CREATE TABLE t (a int)", "", ["the rows of public.t are lost"]),
        (
            "CREATE TABLE t (a int, b int, g int GENERATED ALWAYS AS (a) STORED)",
            "CREATE TABLE t (a int)",
            ["the values of public.t.b are lost"],
        ),
        (
            "CREATE TABLE t (a numeric(10, 2))",
            "CREATE TABLE t (a int)",
            ["values of public.t.a that do not fit integer exactly are changed"],
        ),
        ("CREATE TABLE t (a int, b varchar(3))", "CREATE TABLE t (a bigint, b text)", []),
        ("CREATE SEQUENCE s", "", ["where public.s is, is lost"]),
        ("CREATE VIEW v AS SELECT 1 a", "", []),
        ("CREATE TABLE t (a int) PARTITION BY LIST (a)", "", []),
    ],
)
def test_what_is_lost_is_said(server: Server, before: str, after: str, destroys: list[str]) -> None:
    with loaded(server, before) as one, loaded(server, after) as other:
        plan = plan_changes(one.schema(), other.schema())
    assert [change.destroys for change in plan if change.destroys is not None] == destroys


def test_rewrites_and_required_columns_are_noted(server: Server) -> None:
    before = "CREATE TABLE t (a int, b varchar(5), c text)"
    after = """CREATE TABLE t (a bigint, b varchar(9), c varchar(9), d int NOT NULL,
        e uuid DEFAULT gen_random_uuid(), f int DEFAULT 1)"""
    with loaded(server, before) as one, loaded(server, after) as other:
        plan = plan_changes(one.schema(), other.schema())
    notes = {change.about.name.rpartition(".")[2]: change.note for change in plan}
    assert "rewritten" in (notes["a"] or "")
    assert notes["b"] is None
    assert "rewritten" in (notes["c"] or "")
    assert "fails if the table has rows" in (notes["d"] or "")
    assert "rewritten" in (notes["e"] or "")
    assert notes["f"] is None


def test_what_has_no_plan_is_named_with_its_definition(server: Server) -> None:
    made = """CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
    CREATE OPERATOR CLASS oc FOR TYPE int USING btree
        AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int);
    CREATE TYPE shell"""
    with loaded(server, made) as one:
        found = one.schema().unhandled
    assert {name.kind for name in found} == {"conversion", "operator class", "operator family"}
    assert "iso8859_1_to_utf8" in found[ObjectName("conversion", "public.conv")]


def test_members_of_extensions_are_neither_objects_nor_unhandled(server: Server) -> None:
    with loaded(server, "CREATE EXTENSION hstore") as one:
        schema = one.schema()
    assert not schema.unhandled
    assert {name.kind for name in schema.objects} == {"schema", "extension"}


def test_the_tables_of_the_history_are_passed_over(server: Server) -> None:
    made = """CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean);
    CREATE TABLE schema_migrations_log (id bigserial PRIMARY KEY, name text UNIQUE);
    COMMENT ON TABLE schema_migrations IS 'ours'; CREATE TABLE t (a int)"""
    with loaded(server, made) as one:
        schema = read_schema(one.session, without=HistoryTable())
    assert {name.name.split(".")[-1] for name in schema.objects} == {"public", "t", "a"}


def test_one_round_trip_reads_it_all(server: Server) -> None:
    with loaded(server, "CREATE TABLE t (a int)") as one:
        before = one.session.round_trips
        one.schema()
        assert one.session.round_trips - before <= 3
