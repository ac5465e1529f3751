"""Whether a batch's rows are the next ones after the cursor, as far as the text shows.

The rows of a batch are those that its LIMIT returns, and the cursor continues after the last of
them. So the ORDER BY that belongs to this LIMIT has to match the columns that are compared with the
cursor, in the same direction; and RETURNING has to give the position at which the row was found,
not the one it was moved to. Anything else would end early and count as done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, outermost, refusal

Columns = list[list[Token]]
"""Expressions that stood between commas."""
_LIMITS = ("LIMIT", "FETCH")
_ENDS = frozenset(("LIMIT", "OFFSET", "FETCH", "FOR"))
_DECORATION = frozenset(("ASC", "DESC", "NULLS", "FIRST", "LAST"))
_UPWARDS = {">": True, "<": False}


def check_order(
    sql: bytes,
    file: str,
    found: Sequence[Token],
    cursors: Sequence[tuple[int, int]],
    size_at: int,
    *,
    is_descending: bool,
) -> None:
    """Refuse a statement that does not follow the cursor.

    `cursors`: the byte of each place of a cursor, and its number counted from 1; `size_at`:
    that of `:batch_size`. Raises MigrationError (SourceInvalid), with the place.
    """
    level = limited_level(found, size_at)
    if not any(token.text in _LIMITS for token in level) and _has_clause(found, "ORDER"):
        return  # the rows are limited in another way, which the author has to check
    order = _find_order(level)
    if order is None:
        place = cursors[0][0]
        problem = (
            "the rows of a batch must be the next ones after :cursor: ORDER BY is missing"
            " where :batch_size limits them, without it rows would be skipped"
        )
        raise refusal(sql, place, file, problem)
    words = {False: "from low to high", True: "from high to low"}
    for place, number in cursors:
        for item in order[number - 1 : number]:
            if any(token.text == "DESC" for token in item) is not is_descending:
                raise refusal(
                    sql,
                    item[0].start,
                    file,
                    f"this goes {words[not is_descending]}, the cursor {words[is_descending]}"
                    " (`order=desc` after dbmigrate:batched reverses it): rows would be skipped",
                )
        compared = find_compared(found, place, number)
        if compared is None:
            continue
        column, is_upwards = compared
        if is_upwards is is_descending:
            raise refusal(
                sql,
                place,
                file,
                f"the cursor goes {words[is_descending]}, and this looks for rows on its other"
                " side: rows would be skipped",
            )
        name = column_name(sql, column)
        if name is not None and not _goes_along(sql, found, order, number, name):
            raise refusal(
                sql,
                place,
                file,
                f"{name} is compared with the cursor, and ORDER BY does not go along it:"
                " rows would be left out",
            )


def check_returned(sql: bytes, file: str, main: Sequence[Token], keys: int) -> None:
    """Refuse an UPDATE that returns as its cursor a column that it sets.

    Raises MigrationError (SourceInvalid), with the place.
    """
    if main[0].text != "UPDATE":
        return
    clauses = [*_clauses(main, ("SET", "FROM", "WHERE", "RETURNING"))]
    written = {
        column_name(sql, column)
        for word, rest in clauses
        if word == "SET"
        for column in _targets(rest)
    }
    for word, rest in clauses:
        if word != "RETURNING":
            continue
        for column in [*_split(rest)][:keys]:
            name = column_name(sql, column)
            is_old = column[0].text == "OLD" and len(column) > 1
            if name is not None and name in written and not is_old:
                raise refusal(
                    sql,
                    column[0].start,
                    file,
                    f"RETURNING gives {name} as the statement has set it, and the next batch"
                    " would start after that: return the value that the row was found by (from"
                    " PostgreSQL 18"
                    f" old.{name}; before, join the rows of a WITH)",
                )


def shares_places(found: Sequence[Token], main: Token, size_at: int) -> bool:
    """Whether several rows may have one cursor position: a group, or several rows of a join."""
    level = limited_level(found, size_at)
    is_grouped = any(t.text == "DISTINCT" for t in level) or _has_clause(level, "GROUP")
    return is_grouped or main.text in ("INSERT", "MERGE")


def limited_level(found: Sequence[Token], size_at: int) -> list[Token]:
    """The tokens of the query whose rows are limited, without those in its parentheses."""
    start, end = limited_span(found, size_at)
    return [*outermost(found[start + 1 : end])]


def limited_span(found: Sequence[Token], size_at: int) -> tuple[int, int]:
    """The indexes of the parentheses around the query whose rows are limited.

    The innermost ones around `:batch_size` that have a LIMIT of their own; (-1, len(found))
    where it is the statement itself.
    """
    at = next(i for i, token in enumerate(found) if token.start == size_at)
    start, end = at, at
    while True:
        start, end = _edge(found, start - 1, -1), _edge(found, end + 1, 1)
        level = outermost(found[start + 1 : end])
        if start < 0 or any(token.text in _LIMITS for token in level):
            return start, end


def _edge(found: Sequence[Token], at: int, way: int) -> int:
    """The index of the parenthesis that ends this level in one direction."""
    opening, closing = ("(", ")") if way > 0 else (")", "(")
    depth = 0
    while 0 <= at < len(found):
        text = found[at].text
        if text == closing and depth == 0:
            return at
        depth += (text == opening) - (text == closing)
        at += way
    return at


def _find_order(level: Sequence[Token]) -> Columns | None:
    """The columns of a query's ORDER BY; None: it has none."""
    for index, (first, second) in enumerate(pairwise(level)):
        if (first.text, second.text) == ("ORDER", "BY"):
            rest = level[index + 2 :]
            end = next((i for i, token in enumerate(rest) if token.text in _ENDS), len(rest))
            return [*_split(rest[:end])]
    return None


def find_compared(
    found: Sequence[Token], place: int, number: int
) -> tuple[list[Token], bool] | None:
    """What is compared in `> :cursor`, and whether it asks for greater values; None: unknown."""
    at = next(i for i, token in enumerate(found) if token.start == place)
    is_row = False
    if [token.text for token in found[max(at - 2, 0) : at]] == ["COALESCE", "("]:
        at -= 2
    elif found[at - 1].text != "=" and found[at - 1].text not in _UPWARDS:
        at = _edge(found, at - 1, -1)
        is_row = True
    while at > 0 and found[at - 1].text == "=":
        at -= 1
    operator = at - 1
    if operator < 1 or found[operator].text not in _UPWARDS:
        return None
    is_upwards = _UPWARDS[found[operator].text]
    if not is_row:
        start = operator
        while start > 0 and _is_part_of_name(found[start - 1]):
            start -= 1
        return [*found[start:operator]], is_upwards
    if found[operator - 1].text != ")":
        return None
    opening = _edge(found, operator - 2, -1)
    columns = [*_split(found[opening + 1 : operator - 1])]
    return (columns[number - 1] if number <= len(columns) else []), is_upwards


def _is_part_of_name(token: Token) -> bool:
    is_name = token.kind in (TokenKind.WORD, TokenKind.IDENTIFIER) and token.text not in _BORDERS
    return is_name or token.text == "."


_BORDERS = frozenset(("AND", "OR", "WHERE", "NOT", "ON", "WHEN", "HAVING"))


def _goes_along(sql: bytes, found: Sequence[Token], order: Columns, number: int, name: str) -> bool:
    """Whether the ORDER BY has this column in this position, possibly under another name."""
    if number > len(order):
        return False
    item = [token for token in order[number - 1] if token.text not in _DECORATION]
    collation = next((i for i, token in enumerate(item) if token.text == "COLLATE"), len(item))
    ordered = column_name(sql, item[:collation])
    if ordered is None:
        return [token.kind for token in item] == [TokenKind.NUMBER]
    return ordered == name or any(
        before.text == "AS" and column_name(sql, [token]) == ordered
        for before, token in pairwise(found)
    )


def column_name(sql: bytes, column: Sequence[Token]) -> str | None:
    """The last part of a column's name, folded as PostgreSQL does; None: not a plain name."""
    is_plain = bool(column) and all(_is_part_of_name(token) for token in column)
    if not is_plain or any((a.text == ".") is (b.text == ".") for a, b in pairwise(column)):
        return None
    last = column[-1]
    text = sql[last.start : last.end].decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if last.kind is TokenKind.IDENTIFIER else text.lower()


def _clauses(main: Sequence[Token], words: Sequence[str]) -> Iterator[tuple[str, list[Token]]]:
    """The clauses of a statement by the words that begin them, outside of parentheses."""
    depth = 0
    word = ""
    rest: list[Token] = []
    for token in main:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text in words:
            yield word, rest
            word, rest = token.text, []
        else:
            rest.append(token)
    yield word, rest


def _targets(assignments: Sequence[Token]) -> Iterator[list[Token]]:
    """The columns that a SET clause writes: `a = 1` and `(a, b) = (1, 2)`."""
    for assignment in _split(assignments):
        equals = next((i for i, t in enumerate(assignment) if t.text == "="), len(assignment))
        target = assignment[:equals]
        if target[:1] and target[0].text == "(":
            yield from _split(target[1:-1])
        else:
            yield target


def _split(found: Sequence[Token]) -> Iterator[list[Token]]:
    """The parts between the commas outside of parentheses."""
    depth = 0
    part: list[Token] = []
    for token in found:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _has_clause(found: Sequence[Token], first: str) -> bool:
    return any((a.text, b.text) == (first, "BY") for a, b in pairwise(found))
