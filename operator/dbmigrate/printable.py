"""Makes text from outside safe to show: on a terminal, in a log, in a condition.

File names, messages of servers and of Kubernetes, and the content of a report may have
characters that move a cursor, erase a line, change the direction of writing or are
invisible. They are written as escapes (`\\x1b`, `\\u202e`). All lines of a text except
its first are indented, so that none of them looks like a line of the program. What a CI
service would take out of a log for a command to itself (`::error::`, `##vso[...]`) is
written with an escape, too. The functions are idempotent.
"""

from __future__ import annotations

import re

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad"  # C0, DEL, C1, soft hyphen
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible letters
    "\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, lines, bidi
    "\ud800-\udfff\ufeff\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags
)
_IN_LINES = f"[{_UNSAFE}]"
_IN_ONE_LINE = f"[\t\n{_UNSAFE}]"
_COMMAND = re.compile(
    r"^([^\S\n]*):(?=:(?:add-|remove-|set-|save-|stop-|internal-|echo|debug|notice|warning|error"
    r"|group|endgroup))|#(?=#(?:vso)?\[)",
    re.MULTILINE | re.IGNORECASE,
)
"""GitHub's workflow commands, which may have blanks before them, and those that it and Azure
Pipelines take from anywhere in a line."""
_HALF_ESCAPE = re.compile(r"\\(?:x[0-9a-f]?|u[0-9a-f]{0,3}|U[0-9a-f]{0,7})?\Z")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def one_line(text: str) -> str:
    """The text on one line, with line ends and tabs as escapes too."""
    text = _without_commands(text)
    return text if text.isprintable() else re.sub(_IN_ONE_LINE, _escape, text)


def lines(text: str, *, has_commands: bool = False) -> str:
    """The text with its lines and tabs unchanged: for output without lines of the program.

    `has_commands`: it is the program that speaks to a CI service.
    """
    text = text if has_commands else _without_commands(text)
    return text if text.isprintable() else re.sub(_IN_LINES, _escape, text)


def _without_commands(text: str) -> str:
    if "::" not in text and "##" not in text:
        return text
    return _COMMAND.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", text)


def block(text: str, indent: str = "") -> str:
    """The text with every line but the first one indented: by `indent`, else by two spaces
    where a line does not begin with a space."""
    text = _without_commands(text)
    if text.isprintable():
        return text
    if indent:
        return lines(text).replace("\n", f"\n{indent}")
    return re.sub(r"\n(?=[^ \n])", "\n  ", lines(text))


def indented(text: str) -> str:
    """A text of many lines, such as a script, with four spaces before each that is not empty."""
    return "\n".join(f"    {line}" if line else "" for line in lines(text).strip("\n").split("\n"))


def clip(text: str, limit: int) -> str:
    """A safe text, cut at that many characters: never within an escape."""
    if len(text) <= limit:
        return text
    return _HALF_ESCAPE.sub("", text[: limit - 3]).rstrip("\n") + "..."


def json_text(text: str) -> str:
    """A JSON document with JSON's own escapes in its strings, otherwise unchanged."""
    if "##" in text:
        text = re.sub(r"#(?=#(?:vso)?\[)", _escape_json, text)
    return re.sub(_IN_LINES, _escape_json, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _escape_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
