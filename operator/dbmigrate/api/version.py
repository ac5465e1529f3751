"""Versions in resources: texts whose order only the format of the files defines.

Where the resource leaves the format open, numbers are compared as numbers, and dotted
numbers part by part. Of any other two texts only equality is known.
"""

from __future__ import annotations

import re

from dbmigrate.api.source import SourceFormat
from dbmigrate.versions import Version, dotted, number, reader_of

_FORM = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~-]*", re.ASCII)
"""As the schema has it."""


def is_version(text: str, form: SourceFormat) -> bool:
    """Whether that format can have this version.

    Where the resource leaves the format open, only a number is one: dots are Flyway's and
    words Atlas's, and the files of every other format would refuse them.
    """
    if text == "latest" or len(text) > 127 or _FORM.fullmatch(text) is None:
        return False
    try:
        reader_of(form.value)(text)
    except ValueError:
        return False
    return True


def is_same(text: str | None, other: str | None, form: SourceFormat) -> bool:
    """Whether both name one version: with Flyway 1 and 1.0 do."""
    if text is None or other is None or text == other:
        return text == other
    pair = _compare(text, other, form)
    return pair is not None and pair[0] == pair[1]


def is_at_least(text: str, other: str, form: SourceFormat) -> bool:
    """Whether a version is known to be equal to that other one or above it."""
    pair = _compare(text, other, form)
    return text == other if pair is None else pair[0] >= pair[1]


def _compare(text: str, other: str, form: SourceFormat) -> tuple[Version, Version] | None:
    """Both as versions of one format; None: they cannot be compared."""
    readers = (number, dotted) if form is SourceFormat.AUTO else (reader_of(form.value),)
    for read in readers:
        try:
            return read(text), read(other)
        except ValueError:
            continue
    return None
