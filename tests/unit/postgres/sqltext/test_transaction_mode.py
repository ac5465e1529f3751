"""Which scripts can be one transaction, and what the others are told."""

from __future__ import annotations

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.transaction_mode import (
    TransactionKind,
    TransactionMode,
    transaction_mode,
)

pytestmark = pytest.mark.quick


def mode(sql: str) -> TransactionMode:
    return transaction_mode(sql.encode(), "f")


ORDINARY = [
    "",
    "create table t (id int); insert into t values (1)",
    "create function f() returns int language plpgsql as $$ begin return 1; end $$",
    "create function f() returns int begin atomic select 1; end",
    "create procedure p() language plpgsql as $$ begin commit; end $$",
    "refresh materialized view concurrently v",
    "analyze t; savepoint a; rollback to savepoint a; rollback work to a; release a",
    "select 'vacuum; create index concurrently'; -- begin; commit",
    "create index i on t (concurrently)",
    "drop index i; create table concurrently (a int)",
    "cluster t using i; cluster verbose t; cluster t",
    "alter database d set work_mem = '1MB'; alter tablespace s rename to t",
    "reindex table t; reindex (verbose) index i; reindex (concurrently false) table t",
    "alter table t detach partition p; alter table t detach partition p finalize",
    "alter table t detach partition concurrently_named",
    "create subscription s connection 'c' publication p with (create_slot = false)",
    "create subscription s connection 'c' publication p with (slot_name = x, connect = 'off')",
    "alter subscription s disable; alter subscription s set publication p with (refresh = false)",
    "alter subscription s set (slot_name = none)",
    "discard plans; discard temp",
    "alter type t add value 'x'; alter type t add value 'y' after 'x'",
    "alter type t add value 'x'; insert into a values ('xx'); select 'y' -- 'x'",
    "create type t as enum (); alter type t add value 'x'; select 'x'::t",
    "alter type t rename value 'a' to 'b'; insert into a values ('b')",
    "do $$ begin perform 1; raise notice 'commit;'; end $$",
    "do $$ declare commit int; begin commit := 1; end $$",
    "do $$ declare rollback int; begin perform rollback; perform 1 + commit; end $$",
    "do $$ begin raise notice 'x'; perform commit from t; end $$",
    "do 'begin raise notice ''commit;''; end'",
    "do language plperl $$ print 'it''s a commit; $$",
    "do 'begin perform 1; end'; select 'begin commit; end'",
    "prepare q as select 1; execute q; deallocate q; set transaction read write",
    "begin_work(); select endpoint, backend from transactions",
]


@pytest.mark.parametrize("sql", ORDINARY)
def test_a_script_that_can_be_one_query_is_one(sql: str) -> None:
    assert mode(sql) == TransactionMode(TransactionKind.ONE_QUERY)


FORBIDDEN = {
    "create index concurrently i on t (a)": "CREATE INDEX CONCURRENTLY",
    "Create /* */ Unique Index -- x\n Concurrently If Not Exists i on t (a)":
        "CREATE INDEX CONCURRENTLY",
    "drop index concurrently if exists i": "DROP INDEX CONCURRENTLY",
    "reindex index concurrently i": "REINDEX CONCURRENTLY",
    "reindex (verbose, concurrently) table t": "REINDEX CONCURRENTLY",
    "reindex database": "REINDEX DATABASE",
    "reindex (verbose) schema s": "REINDEX SCHEMA",
    "reindex system d": "REINDEX SYSTEM",
    "vacuum": "VACUUM",
    "vacuum (full, analyze) t": "VACUUM",
    "create database d": "CREATE DATABASE",
    "drop database if exists d": "DROP DATABASE",
    "alter database d set tablespace s": "ALTER DATABASE SET TABLESPACE",
    "create tablespace s location '/s'": "CREATE TABLESPACE",
    "drop tablespace s": "DROP TABLESPACE",
    "alter system set work_mem = '1MB'": "ALTER SYSTEM",
    "cluster": "CLUSTER of all tables",
    "cluster verbose": "CLUSTER of all tables",
    "cluster (verbose)": "CLUSTER of all tables",
    "discard all": "DISCARD ALL",
    "commit prepared 'x'": "COMMIT PREPARED",
    "rollback prepared 'x'": "ROLLBACK PREPARED",
    "alter table only s.t detach partition p concurrently": "DETACH PARTITION CONCURRENTLY",
    "create subscription s connection 'c' publication p":
        "CREATE SUBSCRIPTION with a replication slot",
    "create subscription s connection 'c' publication p with (create_slot = true)":
        "CREATE SUBSCRIPTION with a replication slot",
    "alter subscription s refresh publication": "ALTER SUBSCRIPTION REFRESH",
    "alter subscription s set publication p": "ALTER SUBSCRIPTION SET PUBLICATION",
    "alter subscription s add publication p": "ALTER SUBSCRIPTION ADD PUBLICATION",
    "alter subscription s set (failover)": "ALTER SUBSCRIPTION SET (failover, two_phase)",
    "drop subscription s": "DROP SUBSCRIPTION",
    "do $x$ begin insert into t values (1); commit; end $x$": "DO with COMMIT",
    "do $$ begin loop rollback and chain; end loop; end $$": "DO with ROLLBACK",
    "do $$ begin if true then commit; else rollback; end if; end $$": "DO with COMMIT",
    "do $$ begin if false then null; else rollback; end if; end $$": "DO with ROLLBACK",
    "do 'begin commit; end'": "DO with COMMIT",
    "do language plpgsql 'begin perform ''x''; rollback; end'": "DO with ROLLBACK",
    "do E'begin\\n commit;\\nend'": "DO with COMMIT",
    "do e'begin perform \\'x\\';commit;end'": "DO with COMMIT",
}  # fmt: skip


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_a_statement_that_refuses_a_transaction_is_told_with_its_line(sql: str) -> None:
    found = mode(f"select 1;\n\n{sql};\nselect 2;")
    assert found.kind is TransactionKind.NONE
    assert [str(cause) for cause in found.causes] == [
        f"line 3: {FORBIDDEN[sql]} can't run inside a transaction"
    ]
    assert found.prepare(sql.encode()) == sql.encode()


@pytest.mark.parametrize(
    ("sql", "use"),
    [
        ("alter type mood add value 'x'; insert into a values ('x')", 1),
        ("alter type mood add value if not exists 'x' before 'a';\nalter table a\ndefault 'x'", 2),
        ('alter type s."M" add value $$x$$;\nselect $$x$$', 2),
        ("alter type mood add value 'x';\ndo $$ begin insert into a values ('x'); end $$", 2),
        ("alter type mood add value 'x';\ndo $$ begin execute 'select ''x'''; end $$", 2),
        ("create type other as enum (); alter type mood add value 'x'; select 'x'", 1),
        ("alter type mood add value 'x';\ncopy a from stdin;\nx\n\\.\n", 2),
    ],
)
def test_a_new_enum_value_has_to_be_committed_before_it_is_used(sql: str, use: int) -> None:
    found = mode(sql)
    assert found.kind is TransactionKind.NONE
    assert f"before line {use} can use the value" in found.causes[0].what


@pytest.mark.parametrize(
    ("sql", "prepared"),
    [
        ("BEGIN;\nselect 1;\nCOMMIT;\n", "     ;\nselect 1;\n      ;\n"),
        ("begin work; select 1; end", "          ; select 1;    "),
        ("-- é\nstart\ntransaction;\nselect 1; commit work;", None),
        ("set x = 1; begin; select 1; commit and no chain;", None),
        ("select 1; commit", "select 1;       "),
        ("begin; select 1; begin; savepoint a; rollback to a; commit", None),
    ],
)
def test_a_script_wrapped_in_a_transaction_of_its_own_is_one_query_without_it(
    sql: str, prepared: str | None
) -> None:
    found = mode(sql)
    assert found.kind is TransactionKind.ONE_QUERY
    text = found.prepare(sql.encode()).decode()
    assert len(text) == len(sql)
    assert "begin" not in text.lower()
    assert "commit" not in text.lower()
    assert "transaction" not in text.lower()
    assert [i for i, c in enumerate(text) if c == "\n"] == [
        i for i, c in enumerate(sql) if c == "\n"
    ]
    assert prepared is None or text == prepared


@pytest.mark.parametrize(
    "sql",
    [
        "begin; select 1; commit; begin; select 2; commit",
        "select 1; commit; select 2",
        "begin; select 1; rollback",
        "begin; select 1; commit and chain; commit",
        "begin isolation level serializable; select 1; commit",
        "start transaction read only; select 1; commit",
        "begin; select 1; prepare transaction 'x'",
        "select 1; abort",
        "begin; create index concurrently i on t (a); commit",
        "select 1; end; select 2; end",
    ],
)
def test_any_other_transaction_of_its_own_stays_what_it_is(sql: str) -> None:
    found = mode(sql)
    assert found.kind is TransactionKind.NONE
    assert found.blanks == ()
    assert any("own transaction" in cause.what for cause in found.causes)


def test_causes_are_told_in_the_order_of_the_script() -> None:
    found = mode("begin;\nvacuum;\ncommit;\nvacuum")
    assert [cause.line for cause in found.causes] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "sql",
    [
        "-- dbmigrate:no-transaction\nselect 1",
        "/* licence */\r\n--dbmigrate:no-transaction \r\n-- more\nselect 1",
        "-- first\n  -- dbmigrate:no-transaction\n\nselect 1;",
        "-- dbmigrate:no-transaction",
    ],
)
def test_a_directive_above_the_first_statement_forbids_the_transaction(sql: str) -> None:
    found = mode(sql)
    assert found.kind is TransactionKind.NONE
    assert found.causes[0].what == "dbmigrate:no-transaction"


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; -- dbmigrate:no-transaction\nselect 2",
        "select '\n-- dbmigrate:no-transaction\n'",
        "-- see dbmigrate:no-transaction\nselect 1",
    ],
)
def test_a_directive_anywhere_else_is_a_comment(sql: str) -> None:
    assert mode(sql).kind is TransactionKind.ONE_QUERY


def test_a_directive_that_is_not_known_is_refused() -> None:
    with pytest.raises(MigrationError, match="line 2: unknown directive dbmigrate:notransaction"):
        mode("\n-- dbmigrate:notransaction\nselect 1")


def test_rows_of_a_copy_are_run_one_by_one_in_one_transaction() -> None:
    found = mode(
        "\\restrict a\nbegin;\ncopy t from stdin;\nvacuum;\n\\.\ncommit;\n\\unrestrict a\n"
    )
    assert found.kind is TransactionKind.STATEMENTS
    assert [str(cause) for cause in found.causes] == ["line 3: COPY has its rows in the script"]
    assert [end - start for start, end in found.blanks] == [11, 5, 6, 13]


def test_lines_of_pg_dump_are_blanked() -> None:
    sql = b"\\restrict a\nselect 1;\n\\unrestrict a\n"
    found = transaction_mode(sql, "f")
    assert found.kind is TransactionKind.ONE_QUERY
    assert found.prepare(sql) == b" " * 11 + b"\nselect 1;\n" + b" " * 13 + b"\n"


def test_a_command_of_psql_is_refused_before_anything_runs() -> None:
    with pytest.raises(MigrationError, match="psql"):
        mode("select 1;\n\\i other.sql\n")


def test_what_decides_is_found_across_the_borders_of_the_search() -> None:
    line = b"insert into t values ('some text');\n"
    filler = line * ((4 << 20) // len(line))
    for shift in (0, 3, 6, 7):
        sql = filler + b" " * ((4 << 20) - len(filler) - shift) + b"vacuum\t;" + line * 10
        assert transaction_mode(sql, "f").kind is TransactionKind.NONE
