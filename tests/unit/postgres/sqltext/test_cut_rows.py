"""A script's SQL without the rows of its COPY statements."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.copy_data import cut_rows

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("end", [b"\\.\n", b"\\.\r\n", b"\\."])
def test_the_rows_and_the_line_that_ends_them_are_cut(end: bytes) -> None:
    before, rows = b"select 'a';\ncopy t from stdin;\n", b"1\n2\n"
    after = b"select 3;" if end.endswith(b"\n") else b""
    script = before + rows + end + after
    found = cut_rows(script, "f")
    assert found.sql == before + after
    assert [bytes(each) for each in found.rows] == [rows]
    for position, byte in enumerate(found.sql, start=1):
        assert script[found.byte_in_script(position)] == byte
