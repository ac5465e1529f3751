"""Values of a JSON document from outside, bounded and escaped as they are read.

A report comes from an image that the operator did not choose, a status may have been
written by any user with the right to. What is kept of them must fit the schema of the
resource, because the API server refuses a whole status for one field. Texts are escaped
here and nowhere after, so a written status reads back unchanged.
"""

from __future__ import annotations

from dbmigrate.printable import clip, lines

INT32, INT64 = 2**31 - 1, 2**63 - 1
"""The largest numbers of the schema's formats int32 and int64."""


def read_text(value: object, limit: int) -> str:
    """A text, safe to show and cut at that many characters. Raises ValueError for anything else.

    Half a surrogate pair, which JSON can name and UTF-8 can't, becomes an escape too.
    A text that has been read is the same when it is read again.
    """
    if not isinstance(value, str):
        raise ValueError(f"a text was expected, not {type(value).__name__}")
    return clip(lines(value[: limit + 1]), limit)


def plus(*numbers: int) -> int:
    """Their sum, within an int32: a status or an annotation keeps counts as such, and what is
    added may have been read from outside."""
    return min(INT32, sum(numbers))


def read_whole(value: object, *, most: int = INT64, least: int = 0) -> int:
    """A whole number, moved into these bounds. Raises ValueError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a whole number was expected, not {type(value).__name__}")
    return max(least, min(value, most))
