"""The text of an expression in the form that another round trip through the server leaves alone."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.deparsed import settle

VARCHAR = "character varying"


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        (
            f"((s)::text = ANY ((ARRAY['a'::{VARCHAR}, v])::text[]))",
            f"((s)::text = ANY (ARRAY[('a'::{VARCHAR})::text, (v)::text]))",
        ),
        (
            "(ARRAY[ARRAY[a], ARRAY[b]])::character varying(5)[]",
            "ARRAY[ARRAY[(a)::character varying(5)], ARRAY[(b)::character varying(5)]]",
        ),
        (
            "f(a, b, (ARRAY[c])::text[], (ARRAY[d, e])::s.t[], g, h, i, j, k, l, m, n, o, p)",
            "f(a, b, ARRAY[(c)::text], ARRAY[(d)::s.t, (e)::s.t], g, h, i, j, k, l, m, n, o, p)",
        ),
        ("f((ARRAY[a])::text, b, c[1])", "f((ARRAY[a])::text, b, c[1])"),
        ("f((ARRAY[a])::text[1], b)", "f((ARRAY[a])::text[1], b)"),
        ("f((ARRAY[a])::x::text[])", "f((ARRAY[a])::x::text[])"),
        ("f((ROW[a])::text[], (ARRAY(a))::text[])", "f((ROW[a])::text[], (ARRAY(a))::text[])"),
        ("(((a) AND (b)) AND c)", "((a) AND (b) AND c)"),
        ("((((a OR b)) OR c) OR d)", "(((a OR b)) OR c OR d)"),
        ("((a AND b) OR c)", "((a AND b) OR c)"),
        ("(a AND (b AND c))", "(a AND (b AND c))"),
        ("(x = '])::text[] )) AND (')", "(x = '])::text[] )) AND (')"),
        ('"a])::b" ((((", "', '"a])::b" ((((", "'),
        ("AS $f$ ((a AND b) AND c) $f$", "AS $f$ ((a AND b) AND c) $f$"),
    ],
)
def test_the_text_is_that_of_the_next_round_trip(text: str, settled: str) -> None:
    assert settle(text) == settled
    assert settle(settled) == settled
