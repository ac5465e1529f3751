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
    if _fills_column(action) or _changes_type(action) or _has(action, "SET", "EXPRESSION"):
        return strong, [REWRITES], False
    if _has(action, "ADD") and (_has(action, "FOREIGN", "KEY") or _has(action, "REFERENCES")):
        is_column = not _has(action, "FOREIGN", "KEY")
        is_empty = is_column and not _has(action, "DEFAULT")
        notes = [] if is_empty or _has(action, "NOT", "VALID") else [SCANS]
        return strong if is_column else "SHARE ROW EXCLUSIVE", notes, False
    if _has(action, "ADD") and (_has(action, "CHECK") or _has(action, "CONSTRAINT")):
        is_cheap = _has(action, "NOT", "VALID") or _has(action, "USING", "INDEX")
        return strong, [] if is_cheap else [SCANS], False
    if _has(action, "ADD") and any(_has(action, *kind) for kind in _INDEXED):
        return strong, [] if _has(action, "USING", "INDEX") else [SCANS], False
    if _has(action, "SET", "NOT", "NULL"):
        return strong, [SCANS], False
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


def _fills_column(action: Sequence[str]) -> bool:
    """Whether a new column has a value of its own in each row, which has to be written.

    A default that is the same for all rows is kept in the catalog; whether a function
    gives the same for all is not known but for those of the transaction's time.
    """
    if "ADD" not in action or _alters_column(action):
        return False
    if any(word in action for word in _SERIAL) or _has(action, "AS", "IDENTITY"):
        return True
    if _has(action, "GENERATED", "ALWAYS", "AS", "("):
        return "VIRTUAL" not in action
    return "DEFAULT" in action and _calls_function(_default_of(action))


def _default_of(action: Sequence[str]) -> list[str]:
    """The words of a DEFAULT's expression, up to the next clause of the column."""
    depth = 0
    value: list[str] = []
    for word in action[action.index("DEFAULT") + 1 :]:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in _CLAUSES:
            break
        value.append(word)
    return value


def _calls_function(value: Sequence[str]) -> bool:
    """Whether a function is called whose value may be another one for each row."""
    for at, word in enumerate(value[:-1]):
        is_call = value[at + 1] == "(" and word.isidentifier() and word not in _SAME_FOR_ALL
        if is_call and list(value[max(at - 2, 0) : at]) != [":", ":"]:
            return True
    return False


def _alters_column(action: Sequence[str]) -> bool:
    """ALTER [COLUMN] name ADD GENERATED ... AS IDENTITY: of a column that is there."""
    return "ALTER" in action[2:] if action[:2] == ["ALTER", "TABLE"] else action[0] == "ALTER"


def _changes_type(action: Sequence[str]) -> bool:
    """ALTER [COLUMN] name [SET DATA] TYPE; a column may also be called type."""
    words = action[2:] if action[:2] == ["ALTER", "TABLE"] else action
    return "ALTER" in words and "TYPE" in words and "ADD" not in words and "DROP" not in words


_SERIAL = ("SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2")
_SAME_FOR_ALL = frozenset(
    "NOW TRANSACTION_TIMESTAMP STATEMENT_TIMESTAMP CURRENT_TIMESTAMP LOCALTIMESTAMP CURRENT_TIME"
    " LOCALTIME CURRENT_SETTING COALESCE NULLIF CAST AS VARCHAR CHAR CHARACTER VARYING NUMERIC"
    " DECIMAL BIT TIMESTAMP TIMESTAMPTZ TIME TIMETZ INTERVAL FLOAT IN AND OR NOT CASE WHEN THEN"
    " ELSE ROW".split()
)
"""Words before a parenthesis that give one value in a transaction, or are no functions."""
_CLAUSES = frozenset(
    "NOT NULL CHECK UNIQUE PRIMARY REFERENCES CONSTRAINT COLLATE GENERATED STORAGE".split()
)
_INDEXED = (("PRIMARY", "KEY"), ("UNIQUE",), ("EXCLUDE",))

_KEPT = ("CONSTRAINT", "NOT", "DEFAULT", "IDENTITY", "EXPRESSION")
"""What ALTER TABLE can drop without losing data; anything else is a column."""
