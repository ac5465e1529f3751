"""Takes a connection URL, or libpq's keyword string, apart into parameters.

People paste passwords into URLs as they are, so the reading is lenient where
it can be without guessing: the userinfo ends at the first @ after which the
rest reads as `host[:port],... [/database] [?name=value&...]`, with no @ or #
in the database's name. A `%` that no two hexadecimal digits follow stands for
itself. A URL that is written by the standard is read by the standard.

No error text holds any part of the URL but its scheme.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_HOST = r"(?:\[[^\[\]/?#@,]*\]|[^\s\[\]/?#@,:]*)(?::[0-9]*)?"
_REST = re.compile(
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?P<path>/[^?#@]*)?"
    r"(?:\?(?P<query>(?:[A-Za-z_][\w.-]*(?:=[^&]*)?|(?=&|$))(?:&(?:[A-Za-z_][\w.-]*(?:=[^&]*)?)?)*))?"
)
_KEYWORD = re.compile(
    r"\s*(?P<key>[A-Za-z_][\w.-]*)\s*=\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<bare>(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|))(?=\s|$)",
    re.DOTALL,
)
_BACKSLASHED = re.compile(r"\\(.)", re.DOTALL)


def is_keyword_string(text: str) -> bool:
    """Whether this is `host=... dbname=...` rather than a URL."""
    return re.match(r"\s*[A-Za-z_][\w.-]*\s*=", text) is not None


def split_url(text: str) -> tuple[dict[str, str], str | None]:
    """The parameters of what follows `scheme://`, and the decoded path with its slash.

    Parameters of the query win over the same ones of the authority, and the
    first of a repeated one wins, as with golang-migrate's drivers. The path is
    None when there is none. Raises ValueError when the text cannot be read.
    """
    userinfo, rest = _split_userinfo(text)
    params: dict[str, str] = {}
    if userinfo is not None:
        user, colon, password = userinfo.partition(":")
        if user:
            params["user"] = _decode(user)
        if colon:
            params["password"] = _decode(password)
    hosts, ports = _split_hosts(rest["hosts"])
    if any(hosts):
        params["host"] = ",".join(hosts)
    if any(ports):
        params["port"] = ",".join(ports)
    path = rest["path"]
    if path and len(path) > 1:
        params["dbname"] = _decode(path[1:])
    params.update(_split_query(rest["query"] or ""))
    return params, _decode(path) if path else None


def split_keywords(text: str) -> dict[str, str]:
    """The parameters of libpq's `key=value key='other value'`; the last of a repeated one wins.

    Raises ValueError when the text cannot be read.
    """
    params: dict[str, str] = {}
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _KEYWORD.match(text, position)
        if match is None:
            known = ", ".join(params) or "the start"
            raise ValueError(f"after {known}: expected key=value or key='value'")
        raw = match["bare"] if match["quoted"] is None else match["quoted"]
        params[match["key"]] = _BACKSLASHED.sub(r"\1", raw)
        position = match.end()
    return params


def _split_userinfo(text: str) -> tuple[str | None, re.Match[str]]:
    rest = _REST.fullmatch(text)
    if rest is not None:
        return None, rest
    position = text.find("@")
    while position >= 0:
        rest = _REST.fullmatch(text, position + 1)
        if rest is not None:
            return text[:position], rest
        position = text.find("@", position + 1)
    raise ValueError(
        "expected user:password@host:port/database?name=value;"
        " write @ / ? # % in a name or a password as %40 %2F %3F %23 %25"
    )


def _split_hosts(text: str) -> tuple[list[str], list[str]]:
    hosts, ports = [], []
    for item in text.split(","):
        if item.startswith("["):
            host, _, port = item[1:].partition("]")
            port = port.removeprefix(":")
        else:
            host, _, port = item.partition(":")
        hosts.append(_decode(host))
        ports.append(port)
    return hosts, ports


def _split_query(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for pair in text.split("&"):
        key, _, value = pair.partition("=")
        if key:
            params.setdefault(key, _decode(value.replace("+", " ")))
    return params


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)
    return raw.decode("utf-8", "surrogateescape")
