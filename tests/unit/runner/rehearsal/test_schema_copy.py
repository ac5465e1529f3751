"""A plain dump on its way to a scratch server that may be older than pg_dump."""

from __future__ import annotations

import pytest

from dbmigrate.runner.rehearsal.schema_copy import loadable

DUMP = rb"""--
-- PostgreSQL database dump
--

\restrict kq0aXxT6cW

SET statement_timeout = 0;
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.f() RETURNS text LANGUAGE sql BEGIN ATOMIC
 SELECT 'SET transaction_timeout = 0;'::text;
END;

\unrestrict kq0aXxT6cW
"""


@pytest.mark.parametrize(("version", "knows"), [(160010, False), (170010, True)])
def test_a_setting_that_the_server_is_too_old_for_is_left_out(version: int, knows: bool) -> None:
    statements = [text.decode() for text in loadable(DUMP, version)]
    assert ("SET transaction_timeout = 0" in statements) is knows
    assert statements[0] == "SET statement_timeout = 0"
    assert statements[-1].startswith("CREATE FUNCTION")
    assert "'SET transaction_timeout = 0;'" in statements[-1]
    assert not any("restrict" in text for text in statements)
