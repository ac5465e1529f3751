"""An ignore comment counts where it is a comment of the script's own, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.lint.script import judge_script
from dbmigrate.postgres.sqltext.tokens import line_comments, tokens

IGNORE = "-- dbmigrate:ignore-file table-dropped"
DROP = "DROP TABLE t;"
NOT_ONES = {
    "a string": f"INSERT INTO t VALUES ('\n{IGNORE}\n');",
    "a string with escapes": f"INSERT INTO t VALUES (E'\\'\n{IGNORE}\n');",
    "a dollar-quoted string": f"INSERT INTO t VALUES ($a$\n{IGNORE}\n$a$);",
    "a quoted name": f'CREATE TABLE "\n{IGNORE}\n" (id int);',
    "a block comment": f"/*\n{IGNORE}\n*/",
    "a nested one": f"/* /* */\n{IGNORE}\n*/",
    "a function's body": f"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n{IGNORE}\n"
    "SELECT 1 $$;",
    "a string in a block": f"DO $$ BEGIN PERFORM f('\n{IGNORE}\n'); END $$;",
    "a comment in a block": f"DO $$ BEGIN /*\n{IGNORE}\n*/ PERFORM f(); END $$;",
}


def names(sql: str) -> set[str]:
    return {each.rule.name for each in judge_script(sql.encode(), "1_x.up.sql")}


@pytest.mark.parametrize("where", NOT_ONES)
@pytest.mark.parametrize("kind", ["dbmigrate:ignore-file table-dropped", "atlas:nolint DS102"])
def test_text_that_is_no_comment_of_the_script(where: str, kind: str) -> None:
    before = NOT_ONES[where].replace("dbmigrate:ignore-file table-dropped", kind)
    assert "table-dropped" in names(f"{before}\n{DROP}")
    assert "ignore-unused" not in names(f"{before}\n{DROP}")


@pytest.mark.parametrize(
    "sql",
    [
        f"{IGNORE}\n{DROP}",
        f"SELECT 'a', $$b$$, \"c\" /* d */;\n{IGNORE}\n{DROP}",
        f"SELECT 1 -- it's\n;\n  {IGNORE}\r\n{DROP}",
        f"DO LANGUAGE 'plpgsql' $x$\nBEGIN\n{IGNORE}\n{DROP} END $x$;",
    ],
)
def test_a_comment_of_the_script(sql: str) -> None:
    assert "table-dropped" not in names(sql)


PIECES = st.sampled_from(
    ["'", '"', "$$", "$a$", "/*", "*/", "--", "\n", "E'", "\\", "x", " ", "$1", "-", "/", ";", "\r"]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_comments_are_where_no_token_is(text: str) -> None:
    sql = text.encode()
    try:
        spans = [(each.start, each.end) for each in tokens(sql, 0, len(sql), file="")]
        found = [*line_comments(sql, 0, len(sql))]
    except MigrationError:
        return
    for place in found:
        assert sql.startswith(b"--", place)
        assert not any(start <= place < end for start, end in spans)
    bare = bytearray(sql)
    for start, end in spans:
        bare[start:end] = b"x" * (end - start)
    assert found == [*line_comments(bytes(bare), 0, len(bare))]
