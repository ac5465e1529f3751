"""Which statements PostgreSQL refuses inside a transaction, and which end one.

The list is that of the server's PreventInTransactionBlock() calls, versions 12
to 18. What depends on the database and not on the text is unknown here:
CLUSTER and REINDEX of a partitioned table, and CALL of a procedure that commits.
REFRESH MATERIALIZED VIEW CONCURRENTLY and ANALYZE are allowed inside one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import Statement
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, tokens

CANNOT = "can't run inside a transaction"


class Control(Enum):
    """What a statement does to the transaction around it."""

    BEGIN = "begins one, without any options"
    COMMIT = "commits it, without any options"
    OTHER = "begins or ends one in another way"


def control_of(sql: bytes, statement: Statement, *, file: str) -> Control | None:
    """What a statement does to its transaction; None if nothing, as SAVEPOINT does."""
    verb = statement.words[0] if statement.words else ""
    if verb not in {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE"}:
        return None
    words = [token.text for token in tokens(sql, statement.start, statement.end, file=file)]
    rest = words[2:] if words[1:2] in (["WORK"], ["TRANSACTION"]) else words[1:]
    if verb == "PREPARE":
        return Control.OTHER if words[1:2] == ["TRANSACTION"] else None
    if verb == "ROLLBACK" and rest[:1] == ["TO"]:
        return None
    if rest[:1] == ["PREPARED"]:
        return None
    if verb in {"BEGIN", "START"} and not rest:
        return Control.BEGIN
    if verb in {"COMMIT", "END"} and rest in ([], ["AND", "NO", "CHAIN"]):
        return Control.COMMIT
    return Control.OTHER


def forbidden_in_transaction(sql: bytes, statement: Statement, *, file: str) -> str | None:
    """What the server would refuse inside a transaction, by name; None: nothing known."""
    rule = _RULES.get(statement.words[0] if statement.words else "")
    if rule is None:
        return None
    return rule(_Text(sql, [*tokens(sql, statement.start, statement.end, file=file)]))


class _Text:
    """A statement's tokens, for tests of its words."""

    def __init__(self, sql: bytes, all_tokens: list[Token]) -> None:
        self.sql = sql
        self.tokens = all_tokens
        self.words = [token.text for token in all_tokens]

    def starts(self, *words: str) -> bool:
        return tuple(self.words[: len(words)]) == words

    def has(self, *words: str) -> bool:
        size = len(words)
        return any(tuple(self.words[i : i + size]) == words for i in range(len(self.words)))

    def option(self, name: str) -> str | None:
        """The value of an option in parentheses, in lower case; `true` for one without."""
        for i, word in enumerate(self.words):
            if word == name and i and self.words[i - 1] in {"(", ","}:
                at = i + 2 if self.words[i + 1 : i + 2] == ["="] else i + 1
                if at >= len(self.tokens) or self.words[at] in {",", ")"}:
                    return "true"
                token = self.tokens[at]
                return (
                    self.sql[token.start : token.end].decode("utf-8", "replace").strip("'").lower()
                )
        return None

    def is_off(self, name: str) -> bool:
        return self.option(name) in {"false", "off", "0", "no", "none"}


def _create(text: _Text) -> str | None:
    for what in ("DATABASE", "TABLESPACE"):
        if text.starts("CREATE", what):
            return f"CREATE {what}"
    if text.starts("CREATE", "SUBSCRIPTION"):
        is_local = text.is_off("CREATE_SLOT") or text.is_off("CONNECT")
        return None if is_local else "CREATE SUBSCRIPTION with a replication slot"
    start = 2 if text.starts("CREATE", "UNIQUE") else 1
    if text.words[start : start + 2] == ["INDEX", "CONCURRENTLY"]:
        return "CREATE INDEX CONCURRENTLY"
    return None


def _drop(text: _Text) -> str | None:
    for what in ("DATABASE", "TABLESPACE", "SUBSCRIPTION"):
        if text.starts("DROP", what):
            return f"DROP {what}"
    return "DROP INDEX CONCURRENTLY" if text.starts("DROP", "INDEX", "CONCURRENTLY") else None


def _reindex(text: _Text) -> str | None:
    if text.has("CONCURRENTLY") and not text.is_off("CONCURRENTLY"):
        return "REINDEX CONCURRENTLY"
    after = text.words[1:]
    if after[:1] == ["("]:
        after = after[after.index(")") + 1 :] if ")" in after else []
    if after[:1] in (["DATABASE"], ["SYSTEM"], ["SCHEMA"]):
        return f"REINDEX {after[0]}"
    return None


def _alter(text: _Text) -> str | None:
    if text.starts("ALTER", "SYSTEM"):
        return "ALTER SYSTEM"
    if text.starts("ALTER", "DATABASE") and text.has("SET", "TABLESPACE"):
        return "ALTER DATABASE SET TABLESPACE"
    if text.starts("ALTER", "TABLE") and text.has("DETACH", "PARTITION"):
        return "DETACH PARTITION CONCURRENTLY" if text.words[-1] == "CONCURRENTLY" else None
    return _alter_subscription(text) if text.starts("ALTER", "SUBSCRIPTION") else None


def _alter_subscription(text: _Text) -> str | None:
    action = text.words[3:5]
    if action[:1] == ["REFRESH"]:
        return "ALTER SUBSCRIPTION REFRESH"
    if action[1:] == ["PUBLICATION"] and not text.is_off("REFRESH"):
        return f"ALTER SUBSCRIPTION {action[0]} PUBLICATION"
    if action[:1] == ["SET"] and (text.option("FAILOVER") or text.option("TWO_PHASE")):
        return "ALTER SUBSCRIPTION SET (failover, two_phase)"
    return None


def _cluster(text: _Text) -> str | None:
    rest = text.words[1:]
    if rest[:1] == ["("]:
        rest = rest[rest.index(")") + 1 :] if ")" in rest else []
    return "CLUSTER of all tables" if rest in ([], ["VERBOSE"]) else None


_BEFORE = {";", "BEGIN", "THEN", "ELSE", "LOOP"}
_BEHIND = {";", "AND"}


def _do(text: _Text) -> str | None:
    """A DO block that commits: PL/pgSQL allows it only where no transaction is open."""
    for token in text.tokens:
        if token.kind is not TokenKind.STRING:
            continue
        body = _string_value(text.sql[token.start : token.end])
        if not re.search(rb"(?i)commit|rollback", body):
            continue
        try:
            words = [";", *(each.text for each in tokens(body, 0, len(body), file="DO"))]
        except MigrationError:
            return None  # another language's block, or one that the server refuses
        for previous, word, following in zip(words, words[1:], words[2:], strict=False):
            if word in {"COMMIT", "ROLLBACK"} and previous in _BEFORE and following in _BEHIND:
                return f"DO with {word}"
    return None


def _string_value(constant: bytes) -> bytes:
    """The text of a string constant; escapes are read as far as words depend on them."""
    if constant.startswith(b"$"):
        quote = constant.index(b"$", 1) + 1
        return constant[quote:-quote]
    prefix, _, text = constant.partition(b"'")
    text = text[:-1].replace(b"''", b"'")
    if prefix.upper() == b"E":
        text = re.sub(rb"\\[nrt]", b" ", text).replace(rb"\'", b"'")
    return text


_RULES: dict[str, Callable[[_Text], str | None]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "REINDEX": _reindex,
    "CLUSTER": _cluster,
    "DO": _do,
    "VACUUM": lambda _: "VACUUM",
    "DISCARD": lambda text: "DISCARD ALL" if text.starts("DISCARD", "ALL") else None,
    "COMMIT": lambda text: "COMMIT PREPARED" if text.has("PREPARED") else None,
    "ROLLBACK": lambda text: "ROLLBACK PREPARED" if text.has("PREPARED") else None,
}
