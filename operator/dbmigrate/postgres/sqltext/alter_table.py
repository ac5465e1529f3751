"""The actions of an ALTER TABLE: which lock each takes, and whether it scans, rewrites or loses.

From PostgreSQL's manual of ALTER TABLE: ACCESS EXCLUSIVE unless a lesser lock is
named there. An action is the list of its words in upper case, without the names of its
columns and constraints.
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


def without_names(action: Sequence[str]) -> list[str]:
    """The words of an action; in the place of a column's name, and in a CHECK, nothing is said.

    A column may be called type, serial or exclude: those are no key words there. Nor are
    those of ON DELETE SET DEFAULT, which is about rows to come.
    """
    words = [*action]
    at = 1
    if words[at : at + 1] == ["COLUMN"]:
        at += 1
    for size, filler in ((3, ["IF", "NOT", "EXISTS"]), (2, ["IF", "EXISTS"])):
        # Without a name behind them these words are the name.
        if words[at : at + size] == filler and at + size < len(words):
            at += size
    is_named = words[:1] and words[0] in ("ADD", "ALTER", "DROP") and at < len(words)
    if is_named and not _begins_constraint(words[at : at + 2]):
        words[at] = ""
    elif words[at : at + 1] == ["CONSTRAINT"] and at + 1 < len(words):
        words[at + 1 : at + 2] = [""]
    depth = checked = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "CHECK":
            checked = depth + 1
        elif depth < checked:
            checked = 0 if word == ")" else checked
        elif checked and word != "(":
            words[index] = ""
        if words[index : index + 3] in (["ON", "DELETE", "SET"], ["ON", "UPDATE", "SET"]):
            words[index + 3 : index + 4] = [""]
    return words


def _begins_constraint(words: Sequence[str]) -> bool:
    """Whether these are no column: EXCLUDE and PARTITION may also be the name of one."""
    first, *rest = words
    if first == "EXCLUDE":
        return bool(rest) and rest[0] in ("USING", "(")
    return first in ("CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "NOT")


def adds_column(action: Sequence[str]) -> bool:
    """Whether the action is ADD COLUMN, with or without the second word."""
    return action[:1] == ["ADD"] and action[1:2] in (["COLUMN"], ["IF"], [""])


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
        notes = [] if is_empty or _is_unchecked(action) else [SCANS]
        return strong if is_column else "SHARE ROW EXCLUSIVE", notes, False
    if _has(action, "ADD") and (_has(action, "CHECK") or _has(action, "CONSTRAINT")):
        is_cheap = _is_unchecked(action) or _has(action, "USING", "INDEX")
        return strong, [] if is_cheap else [SCANS], False
    if _has(action, "ADD") and any(_has(action, *kind) for kind in _INDEXED):
        return strong, [] if _has(action, "USING", "INDEX") else [SCANS], False
    if _has(action, "SET", "NOT", "NULL") or _has(action, "ADD", "NOT", "NULL"):
        return strong, [] if _is_unchecked(action) else [SCANS], False
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


def _is_unchecked(action: Sequence[str]) -> bool:
    """Whether a constraint is taken without a look at the rows."""
    return _has(action, "NOT", "VALID") or _has(action, "NOT", "ENFORCED")


def _fills_column(action: Sequence[str]) -> bool:
    """Whether a new column has a value of its own in each row, which has to be written.

    A default that is the same for all rows is kept in the catalog; whether a function
    gives the same for all is not known but for those of the transaction's time.
    """
    if not adds_column(action):
        return False
    if any(word in action for word in _SERIAL) or _has(action, "AS", "IDENTITY"):
        return True
    if _has(action, "GENERATED", "ALWAYS", "AS", "("):
        return "STORED" in action  # VIRTUAL from PostgreSQL 18, where nothing else is said
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
        is_call = value[at + 1] == "(" and word.isidentifier()
        is_call = is_call and word not in _SAME_FOR_ALL and word not in STABLE
        if is_call and list(value[max(at - 2, 0) : at]) != [":", ":"]:
            return True
    return False


def _changes_type(action: Sequence[str]) -> bool:
    """ALTER [COLUMN] name [SET DATA] TYPE."""
    return action[:1] == ["ALTER"] and "TYPE" in action


_SERIAL = ("SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2")
_SAME_FOR_ALL = frozenset(
    "NOW TRANSACTION_TIMESTAMP STATEMENT_TIMESTAMP CURRENT_TIMESTAMP LOCALTIMESTAMP CURRENT_TIME"
    " LOCALTIME COALESCE NULLIF GREATEST LEAST CAST AS VARCHAR CHAR CHARACTER VARYING NUMERIC"
    " DECIMAL BIT TIMESTAMP TIMESTAMPTZ TIME TIMETZ INTERVAL FLOAT IN AND OR NOT CASE WHEN THEN"
    " ELSE ROW EXTRACT ANY ALL SOME".split()
)
"""Words before a parenthesis that give one value in a transaction, or are no functions."""
STABLE = frozenset(
    "ABS AGE ARRAY_FILL ARRAY_TO_STRING CEIL CEILING CONCAT CONCAT_WS CURRENT_SCHEMA"
    " CURRENT_SETTING DATE_PART DATE_TRUNC DECODE ENCODE FLOOR FORMAT JSON_BUILD_ARRAY"
    " JSON_BUILD_OBJECT JSONB_BUILD_ARRAY JSONB_BUILD_OBJECT LEFT LENGTH LOWER LPAD MAKE_DATE"
    " MAKE_INTERVAL MAKE_TIMESTAMP MAKE_TIMESTAMPTZ MD5 REPEAT REPLACE RIGHT ROUND RPAD"
    " STRING_TO_ARRAY SUBSTR SUBSTRING TIMEZONE TO_CHAR TO_DATE TO_JSON TO_JSONB TO_NUMBER"
    " TO_TIMESTAMP TO_TSVECTOR TRANSLATE TRIM TRUNC UPPER".split()
)
"""Functions of PostgreSQL's own, none of which is volatile. A test compares it with a server."""
_CLAUSES = frozenset(
    "NOT NULL CHECK UNIQUE PRIMARY REFERENCES CONSTRAINT COLLATE GENERATED STORAGE".split()
)
_INDEXED = (("PRIMARY", "KEY"), ("UNIQUE",), ("EXCLUDE",))

_KEPT = ("CONSTRAINT", "NOT", "DEFAULT", "IDENTITY", "EXPRESSION")
"""What ALTER TABLE can drop without losing data; anything else is a column."""
