"""pg_dump's script of a schema as a migration."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.pg_dump_script import as_migration
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode

pytestmark = pytest.mark.quick

DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;

--
-- Name: f(); Type: FUNCTION
--

CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$
SET statement_timeout = 0;
\\restrict me not


SELECT 1; $$;


--
-- Name: USER MAPPING
--

CREATE USER MAPPING FOR app SERVER there OPTIONS (
    password 'secret; or not'
);


CREATE MATERIALIZED VIEW public."a b" AS
 SELECT 1
  WITH NO DATA;


CREATE MATERIALIZED VIEW public.unfilled AS
 SELECT 1
  WITH NO DATA;


--
-- PostgreSQL database dump complete
--

\\unrestrict abc

"""
MADE = """-- from there

SELECT pg_catalog.set_config('search_path', '', true);
SET LOCAL check_function_bodies = false;

--
-- Name: f(); Type: FUNCTION
--

CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$
SET statement_timeout = 0;
\\restrict me not


SELECT 1; $$;


--
-- Name: USER MAPPING
--

-- A user mapping is left out: it may hold a password.


CREATE MATERIALIZED VIEW public."a b" AS
 SELECT 1
  WITH NO DATA;


CREATE MATERIALIZED VIEW public.unfilled AS
 SELECT 1
  WITH NO DATA;


REFRESH MATERIALIZED VIEW public."a b";
"""


def test_the_session_of_pg_dump_is_left_out_and_nothing_within_a_statement() -> None:
    made = as_migration(DUMP, head=["from there"], filled={'public."a b"'})
    assert made.decode() == MADE
    assert transaction_mode(made, "f").kind is not TransactionKind.NONE


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\u2028", "\r\n\n"])
def test_what_another_tool_has_said_stays_a_comment(end: str) -> None:
    made = as_migration(DUMP, head=[f"revision a{end}DROP TABLE users;"], filled=())
    assert made.startswith(b"-- revision a DROP TABLE users;\n\nSELECT")


def test_a_schema_of_nothing_is_a_comment() -> None:
    empty = (
        DUMP[: DUMP.index(b"SET statement")]
        + DUMP[DUMP.index(b"--\n-- PostgreSQL database dump com") :]
    )
    assert as_migration(empty, head=["nothing"], filled=()) == b"-- nothing\n"
