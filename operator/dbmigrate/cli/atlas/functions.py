"""The functions of Atlas's project files that are known here, by their names there.

file, getenv, urlescape and their kin are Atlas's own, the others come from HCL's
standard library; see schemahcl/stdlib.go there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from dbmigrate.cli.atlas.expressions import LARGEST_VALUE, Function


def make_functions(base: Path, environ: Mapping[str, str]) -> dict[str, Function]:
    """All of them; `base` is the directory of the project file."""
    return {
        **_PURE,
        "file": lambda path: _read_file(base / path),
        "getenv": lambda name: environ.get(_text(name), ""),
    }


def _read_file(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return _bounded(file.read(LARGEST_VALUE + 1))


def _bounded(text: str) -> str:
    if len(text) > LARGEST_VALUE:
        raise ValueError("the text is too long")
    return text


def _join(sign: str, values: list[str]) -> str:
    if len(_text(sign)) * len(values) > LARGEST_VALUE:
        raise ValueError("the text is too long")
    return sign.join(map(_text, values))


def _replace(text: str, old: str, new: str) -> str:
    if (_text(text).count(_text(old)) + 1) * len(_text(new)) > LARGEST_VALUE:
        raise ValueError("the text is too long")
    return text.replace(old, new)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is needed")
    return value


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("no text")


def _format(form: str, *values: Any) -> str:
    """`%s`, `%d`, `%v`, `%q` and `%%`, each for the next value."""
    rest = list(values)

    def put(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        value = rest.pop(0)
        if found[1] == "d":
            return str(int(value))
        return json.dumps(_to_text(value)) if found[1] == "q" else _to_text(value)

    made = re.sub(r"%([sdvq%])", put, _text(form))
    if rest:
        raise ValueError("too many values")
    return made


def _escape(text: str) -> str:
    """As Go's url.QueryEscape."""
    return quote(_text(text), safe="-_.~").replace("%20", "+")


def _with_userinfo(url: str, user: str, password: str | None = None) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    info = quote(user, safe="") + ("" if password is None else f":{quote(password, safe='')}")
    return urlunsplit(parts._replace(netloc=f"{info}@{host}"))


def _with_query(url: str, key: str, value: str) -> str:
    parts = urlsplit(url)
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != key]
    return urlunsplit(parts._replace(query=urlencode(sorted([*pairs, (key, value)]))))


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path.lstrip('/')}"))


def _unique(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _coalesce(*values: Any) -> Any:
    return next(value for value in values if value not in (None, ""))


_PURE: dict[str, Function] = {
    "urlescape": _escape,
    "urluserinfo": _with_userinfo,
    "urlqueryset": _with_query,
    "urlsetpath": _with_path,
    "format": _format,
    "join": _join,
    "split": lambda sign, text: _text(text).split(_text(sign)),
    "concat": lambda *lists: [value for values in lists for value in values],
    "coalesce": _coalesce,
    "contains": lambda values, value: value in list(values),
    "length": len,
    "element": lambda values, index: values[index % len(values)],
    "keys": sorted,
    "merge": lambda *maps: {key: value for each in maps for key, value in each.items()},
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "replace": _replace,
    "trimspace": lambda text: _text(text).strip(),
    "trimprefix": lambda text, prefix: _text(text).removeprefix(_text(prefix)),
    "trimsuffix": lambda text, suffix: _text(text).removesuffix(_text(suffix)),
    "startswith": lambda text, prefix: _text(text).startswith(_text(prefix)),
    "endswith": lambda text, suffix: _text(text).endswith(_text(suffix)),
    "tostring": _to_text,
    "tonumber": lambda value: int(value) if str(value).lstrip("-").isdigit() else float(value),
    "tolist": list,
    "toset": lambda values: _unique(list(values)),
    "jsondecode": lambda text: json.loads(_text(text)),
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":")),
}
