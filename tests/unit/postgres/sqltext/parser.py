"""PostgreSQL's own parser, asked where the statements of a script are."""

from __future__ import annotations

import postgast


def parsed_spans(sql: bytes) -> list[tuple[int, int]]:
    """The bytes of each statement. Raises PgQueryError for SQL that does not parse."""
    spans = []
    for statement in postgast.parse(sql.decode()).stmts:
        start = statement.stmt_location
        # No length means up to the end of the script.
        end = start + statement.stmt_len if statement.stmt_len else len(sql)
        spans.append((start, end))
    return spans
