"""Parses a connection URL, or libpq's keyword string, into parameters.

Users write passwords into URLs unencoded, so parsing is lenient where there is only one
interpretation: the userinfo ends at the @ after which the rest reads as
`host[:port],... [/database] [?name=value&...]`. A `%` that no two hexadecimal digits
follow stands for itself. A text with several interpretations is refused: under one of
them a part of the password would be a host's name, which is looked up, or a database's.

No error message contains any part of the text except names of known parameters.
"""

from __future__ import annotations

import re

from dbmigrate.postgres.connection.parameters import LIBPQ, PASSWORDS, is_known

ESCAPES = "write @ : / ? # & = % in a name or a password as %40 %3A %2F %3F %23 %26 %3D %25"
_HOST_NAME = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(?:%[\w.-]+)?|[/@].*|", re.DOTALL)
"""A name, an address, a directory of sockets, or none."""
_NAME_LENGTH, _LABEL_LENGTH = 254, 63
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_HOST = r"(?:\[[^\[\]/?#@,]*\]|[^\s\[\]/?#@,:]*)(?::[0-9]*)?"
_REST = re.compile(
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?P<path>/[^?#]*)?"
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
    query = _split_query(rest["query"] or "")
    _check_after_password(list(query), "write & in a password as %26")
    params.update(query)
    return params, _decode(path) if path else None


def check_hosts(text: str, where: str) -> None:
    """Raise ValueError if the value to be looked up is no list of host names and addresses.

    `where` names the value in the error. A host name with an @ or a / is more likely a
    user name and a password in front of it.
    """
    if not all(_HOST_NAME.fullmatch(host) and _is_resolvable(host) for host in text.split(",")):
        raise ValueError(
            f"{where} is no host's name or address; it is not shown, because it may contain a"
            " password"
        )


def _is_resolvable(host: str) -> bool:
    """Whether a name service can be asked for it: labels of up to 63 bytes, 253 in all."""
    if not host or host[0] in "/@" or ":" in host:
        return True
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return False
    labels = name.removesuffix(".").split(".")
    return len(name) <= _NAME_LENGTH and all(
        0 < len(each) <= _LABEL_LENGTH and each[0] != "-" and each[-1] != "-" for each in labels
    )


def _check_after_password(names: list[str], remedy: str) -> None:
    """A password with a separator ends there, and what follows looks like a parameter."""
    given = [index for index, name in enumerate(names) if name in PASSWORDS]
    if given and not all(map(is_known, names[given[0] :])):
        raise ValueError(
            f"what follows the {names[given[0]]} is not a known parameter: {remedy},"
            " and put run-time parameters before it"
        )


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
            known = ", ".join(filter(LIBPQ.__contains__, params)) or "the start"
            raise ValueError(f"after {known}: expected key=value or key='value'")
        raw = match["bare"] if match["quoted"] is None else match["quoted"]
        params[match["key"]] = _BACKSLASHED.sub(r"\1", raw)
        position = match.end()
    _check_after_password(list(params), "write a value with spaces as password='...'")
    return params


def _split_userinfo(text: str) -> tuple[str | None, re.Match[str]]:
    end = -1
    rest = _REST.fullmatch(text)
    while rest is None:
        end = text.find("@", end + 1)
        if end < 0:
            raise ValueError("expected user:password@host:port/database?name=value; " + ESCAPES)
        rest = _REST.fullmatch(text, end + 1)
    if "@" in (rest["path"] or "") or not all(map(_is_plain, (rest["query"] or "").split("&"))):
        raise ValueError(
            "more than one @ may end the user's name and the password, so the start of the"
            f" host's name is ambiguous; {ESCAPES}"
        )
    return None if end < 0 else text[:end], rest


def _is_plain(pair: str) -> bool:
    """Whether a parameter cannot be the rest of a password followed by the true host."""
    name, _, value = pair.partition("=")
    before, at, behind = value.partition("@")
    return not at or (is_known(name) and not set(before + behind) & set("/?:,@"))


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
