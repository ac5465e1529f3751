"""What a dollar begins: a parameter, or a string with a quote of its own."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.tokens import TokenKind, tokens

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("before", [b"", b" ", b"1 ", b"select ", b"select  "])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"$1", TokenKind.SYMBOL),
        (b"$23", TokenKind.SYMBOL),
        (b"$$y$$", TokenKind.STRING),
        (b"$a$x$a$", TokenKind.STRING),
        (b"$a1$1$a1$", TokenKind.STRING),
    ],
)
def test_a_dollar_begins_a_parameter_or_a_string(
    before: bytes, text: bytes, kind: TokenKind
) -> None:
    sql = before + text
    last = [*tokens(sql, 0, len(sql), file="f")][-1]
    assert (last.kind, last.start, last.end) == (kind, len(before), len(sql))
