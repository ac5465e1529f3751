"""A file of variables, `.env`, as goose's and dbmate's library reads it (joho/godotenv).

`NAME=value` or `NAME: value` lines with `export` before them or not, `#` comments, quotes,
and in double quotes escapes. `$NAME` and `${NAME}` stand for variables of the same file.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"\s*(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*[=:][ \t]*")
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_COMMENT = re.compile(r"[ \t]#.*")
_VARIABLE = re.compile(r"(\\)?\$(\()?\{?([A-Z0-9_]+)?\}?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_dotenv(text: str) -> dict[str, str]:
    """The variables. Raises ValueError, with the line's number and none of its values."""
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = _end(_BLANK, text, 0)
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise ValueError(f"line {_line(text, at)} is no NAME=value")
        at = name.end()
        if text[at : at + 1] in ("'", '"'):
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                raise ValueError(f"line {_line(text, at)}: a quote is never closed")
            at = quoted.end()
            single, double = quoted.groups()
            found[name[1]] = single if double is None else _expand(_unescape(double), found)
        else:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            found[name[1]] = _expand(_COMMENT.sub("", text[at:end]).strip(), found)
            at = end
        at = _end(_BLANK, text, at)
    return found


def _unescape(text: str) -> str:
    special = {"n": "\n", "r": "\r", "$": "\\$"}
    return _ESCAPE.sub(lambda match: special.get(match[1], match[1]), text)


def _expand(text: str, known: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] or match[2]:
            return match[0][1:]
        return known.get(match[3], "") if match[3] else match[0]

    return _VARIABLE.sub(value, text)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
