"""The actions of an ALTER TABLE: which lock each takes, and whether it scans, rewrites or loses.

From PostgreSQL's manual of ALTER TABLE: ACCESS EXCLUSIVE unless a lesser lock is
named there. An action is the list of its words in upper case.
"""

from __future__ import annotations

from collections.abc import Sequence

LOCKS = (
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""The table locks that get in others' way, the weakest first."""

SCANS = "scans the whole table"
REWRITES = "may rewrite the whole table"


def has_phrase(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of the phrase stand somewhere, one after the other."""
    wanted = tuple(phrase)
    size = len(wanted)
    return any(tuple(words[at : at + size]) == wanted for at in range(len(words) - size + 1))


def _has(action: Sequence[str], *phrase: str) -> bool:
    return has_phrase(action, phrase)


def read_action(action: Sequence[str]) -> tuple[str, list[str], bool]:
    """The lock, the notes and whether data is lost, of one action of an ALTER TABLE."""
    strong = "ACCESS EXCLUSIVE"
    if _has(action, "VALIDATE", "CONSTRAINT"):
        return "SHARE UPDATE EXCLUSIVE", [SCANS], False
    if _has(action, "ADD") and (_has(action, "FOREIGN", "KEY") or _has(action, "REFERENCES")):
        is_column = not _has(action, "FOREIGN", "KEY")
        notes = [] if is_column or _has(action, "NOT", "VALID") else [SCANS]
        return strong if is_column else "SHARE ROW EXCLUSIVE", notes, False
    if _has(action, "ADD") and (_has(action, "CHECK") or _has(action, "CONSTRAINT")):
        is_cheap = _has(action, "NOT", "VALID") or _has(action, "USING", "INDEX")
        return strong, [] if is_cheap else [SCANS], False
    if _has(action, "ADD") and (_has(action, "PRIMARY", "KEY") or _has(action, "UNIQUE")):
        return strong, [] if _has(action, "USING", "INDEX") else [SCANS], False
    if _has(action, "SET", "NOT", "NULL"):
        return strong, [SCANS], False
    if _has(action, "TYPE") and _has(action, "ALTER"):
        return strong, [REWRITES], False
    if _has(action, "SET", "STATISTICS") or _has(action, "SET", "(") or _has(action, "RESET", "("):
        return "SHARE UPDATE EXCLUSIVE", [], False
    if _has(action, "ATTACH", "PARTITION") or _has(action, "CONCURRENTLY"):
        return "SHARE UPDATE EXCLUSIVE", [], False
    if _has(action, "CLUSTER", "ON") or _has(action, "WITHOUT", "CLUSTER"):
        return "SHARE UPDATE EXCLUSIVE", [], False
    if _has(action, "TRIGGER") and (_has(action, "ENABLE") or _has(action, "DISABLE")):
        return "SHARE ROW EXCLUSIVE", [], False
    if any(_has(action, "SET", word) for word in ("LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS")):
        return strong, [REWRITES], False
    if _has(action, "DROP") and not any(_has(action, "DROP", word) for word in _KEPT):
        return strong, [], True
    return strong, [], False


_KEPT = ("CONSTRAINT", "NOT", "DEFAULT", "IDENTITY", "EXPRESSION")
"""What ALTER TABLE can drop without losing data; anything else is a column."""
