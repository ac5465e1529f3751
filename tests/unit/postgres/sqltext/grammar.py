"""Generates SQL that PostgreSQL parses, with semicolons wherever they do not count.

The fragments are those that mislead splitters: strings of all kinds, comments
that nest, dollar quotes, identifiers that are key words, bodies of functions
and rules. Whether the result parses is not left to this module: the tests ask
PostgreSQL's own parser.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

TRICKY = st.sampled_from(
    ["", ";", "a;b", "begin", "end;", "--", "/*", "*/", "$$", "$a$", "é;", "\U0001f418", "\n;\n",
     "\r\n", "case when", "atomic", "(", ")", ");", "E", "\\.", "copy t from stdin;"]
)  # fmt: skip

COMMENT = st.one_of(
    st.sampled_from(["-- ;\n", "--'\n", '--"$$\r\n', "-- end;\n", "--\n", "-- begin atomic \r"]),
    st.sampled_from(
        ["/* ; */", "/* ' */", "/* /* ; */ $$ */", "/**/", "/***/", "/* -- */", "/*/**/*/"]
    ),
)

GAP = st.lists(
    st.one_of(st.sampled_from([" ", "\n", "\t", "\r\n", "\f"]), COMMENT), max_size=3
).map(lambda parts: " " + "".join(parts))


def _standard(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "\\n'''"


# libpg_query keeps comments as tokens, and so, unlike the server, it does not continue
# a string behind one: that has an example of its own.
def _continued(text: str) -> str:
    return _standard(text) + "\n\t 'b;'"


def _escaped_continued(text: str) -> str:
    text = text.replace("\\", "\\\\")
    return f"e'{text}' \r\n\t'\\';{text}'"


def _dollar(text: str) -> str:
    for tag in ("$$", "$b$", "$_é9$"):
        # The text's end and the tag's start may make a tag together.
        if tag not in text + tag[:-1]:
            return tag + text + tag
    raise AssertionError(text)


STRING = st.builds(
    lambda quote, text: quote(text),
    st.sampled_from([_standard, _escaped, _continued, _escaped_continued, _dollar]),
    TRICKY,
)
UNICODE = st.sampled_from(["U&'d\\0061t;a'", "u&'\\+000061;'", "N'n;'", "date'2026-01-01'"])
QUOTED = TRICKY.filter(bool).map(lambda text: '"' + text.replace('"', '""') + 'q"')
NAME = st.one_of(
    QUOTED,
    st.sampled_from(
        ["t", "a$b", "a$$b", "é", "begin", "atomic", "E", "_e", "u", "x1", "stdin", "rule"]
    ),
    st.sampled_from(['U&"d\\0061t;a"']),
)
VALUE = st.one_of(
    STRING,
    UNICODE,
    st.sampled_from(
        ["1", "1.5", "$1", "-1", "1 - -1", "2/1", "3*/**/4", "a-b", "B'01'", "x'1F'", "null"]
    ),
    STRING.map(lambda text: f"case when {text} = 'x;' then 1 else 2 end"),
    STRING.map(lambda text: f'(select {text} as "end")'),
    st.sampled_from(["array[1,2]", "(1)", "f(g('(;'))", "t.begin", "1@>2", "a||'b'"]),
)


def _join(gaps: list[str], words: list[str]) -> str:
    return "".join(word + gaps[i % len(gaps)] for i, word in enumerate(words))


def _spaced(*words: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = [st.just(word) if isinstance(word, str) else word for word in words]
    return st.builds(_join, st.lists(GAP, min_size=3, max_size=3), st.tuples(*parts).map(list))


CASE = st.sampled_from([str.upper, str.lower, str.title])


def _cased(text: str) -> st.SearchStrategy[str]:
    return CASE.map(lambda change: change(text))


SIMPLE = st.one_of(
    _spaced(_cased("select"), VALUE, "as", NAME),
    _spaced(_cased("select"), VALUE, ",", VALUE),
    _spaced(_cased("insert"), "into", NAME, "values (", VALUE, ",", VALUE, ")"),
    _spaced(_cased("update"), NAME, "set x =", VALUE, "where y =", VALUE),
    _spaced(_cased("delete"), "from", NAME, "where", VALUE, "=", VALUE),
    _spaced(_cased("values"), "(", VALUE, ")"),
)

DEFINITION = st.one_of(
    _spaced("create table", NAME, "(", NAME, "text default", STRING, ")"),
    _spaced("create index concurrently", NAME, "on", NAME, "(x)"),
    _spaced("do", STRING),
    _spaced("comment on table", NAME, "is", STRING),
    _spaced("create or replace function", NAME, "() returns int language plpgsql as", STRING),
    _spaced(_cased("create"), _cased("procedure"), NAME, "(begin atomic) language sql as", STRING),
    _spaced("begin"),
    _spaced("start transaction"),
    _spaced("end"),
    _spaced("commit"),
    _spaced("copy", NAME, "to stdout"),
    _spaced("alter table", NAME, "add check (x <> ", STRING, ")"),
)

RULE = _spaced(
    _cased("create"), "or replace", _cased("rule"), NAME, "as on insert to", NAME, "where (", VALUE,
    "= 1) do also (", SIMPLE, ";", SIMPLE, ";;", SIMPLE, ")",
)  # fmt: skip

BODY = st.lists(st.one_of(SIMPLE, _spaced("return", VALUE), st.just("")), max_size=4)


def _routine(head: str, begin: str, body: list[str], gap: str) -> str:
    return f"{head}{begin}{gap}{''.join(each + ';' + gap for each in body)}END"


ATOMIC = st.builds(
    _routine,
    st.one_of(
        _spaced(_cased("create"), _cased("function"), NAME, "(a int) returns int language sql"),
        _spaced("create", "or", "replace", "procedure", NAME, "(a text default", STRING, ")"),
    ),
    _spaced(_cased("begin"), _cased("atomic")),
    BODY,
    GAP,
)

STATEMENT = st.one_of(SIMPLE, DEFINITION, RULE, ATOMIC)

SCRIPT = st.builds(
    lambda gaps, statements, tail: (
        "".join(gaps[i % len(gaps)] + each + ";" for i, each in enumerate(statements)) + tail
    ),
    st.lists(st.one_of(GAP, st.sampled_from(["", ";", "\n;;"])), min_size=1, max_size=3),
    st.lists(STATEMENT, max_size=6),
    st.one_of(GAP, SIMPLE, ATOMIC, RULE),
)


def _is_common_ground(soup: str) -> bool:
    """Not a string with escapes that the server alone continues behind a comment."""
    return "\\" not in soup or not re.search(r"'\s*--", soup)


SOUP = st.lists(
    st.sampled_from(
        ["'", "''", "E'", "e", "U&'", "b'", "\\", "\\'", "$", "$$", "$a$", "$1", "a", "b$", "1",
         '"', "--", "\n", "\r", "/*", "*/", "/", "*", "-", ";", ";", "(", ")", " ", "é", "x;y"]
    ),
    max_size=25,
).map("".join).filter(_is_common_ground)  # fmt: skip
"""Anything: where a token begins and ends is defined even where no parser makes sense of it."""
