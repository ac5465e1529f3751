"""The list of a fleet's targets as a file of YAML, JSON or CSV.

It is a list of targets, or an object with `targets` and, if wanted, `waves`. A row is read
when the one before it has been dealt with, so that memory holds the text of the file and
one row.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dbmigrate.errors import cause_of
from dbmigrate.printable import clip, one_line
from dbmigrate.runner.fleet.list_items import Item
from dbmigrate.runner.fleet.target import Row, Value, refused
from dbmigrate.runner.fleet.waves import Wave, read_wave

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes: about half a million targets."""
_CELL_LIMIT = 1 << 16
_SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".csv": "csv"}
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
"""Numbers stay the texts that they were written as."""


class PlacedRow(NamedTuple):
    """A row and, for errors, where it stands."""

    place: str
    row: Row


def read_list(path: str, waves: list[Wave]) -> Iterator[PlacedRow]:
    """The rows of the file; the waves that it defines are appended to `waves`.

    Raises MigrationError (SourceInvalid).
    """
    shown = clip(one_line(os.fspath(path)), 200)
    text = _read_text(path, shown)
    kind = _SUFFIXES.get(Path(path).suffix.lower())
    if kind is None:
        raise refused(
            shown,
            "the name does not say whether it is YAML, JSON or CSV",
            "let it end in .yaml, .json or .csv",
        )
    if kind == "csv":
        yield from _read_csv(text, shown)
        return
    for item in _items(kind)(text, shown):
        place = f"{shown}: line {item.line}"
        if item.key == "targets":
            yield PlacedRow(place, _as_row(item.value, place))
        elif item.key == "waves":
            waves += _read_waves(item.value, place)
        else:
            problem = f"{clip(one_line(item.key), 80)} is not known"
            raise refused(place, problem, "the file has targets, and waves")


def read_waves(path: str) -> list[Wave]:
    """The waves of a file that defines nothing else. Raises MigrationError (SourceInvalid)."""
    waves: list[Wave] = []
    for found in read_list(path, waves):
        raise refused(found.place, "it is a target", "a file of waves has waves alone")
    return waves


def _items(kind: str) -> Callable[[str, str], Iterator[Item]]:
    if kind == "json":
        return scan_json
    from dbmigrate.runner.fleet.yaml_items import scan_yaml

    return scan_yaml


def _read_text(path: str, shown: str) -> str:
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISDIR(status.st_mode):
                raise refused(shown, "is a directory", "name the file with the targets")
            content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        problem = f"it can't be read: {cause_of(error)}"
        raise refused(shown, problem, "name a file that can be read") from None
    if len(content) > FILE_LIMIT:
        problem = f"the list of targets has more than {FILE_LIMIT} bytes"
        raise refused(shown, problem, "split it, or use -targets-query")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise refused(f"{shown}: line {line}", problem, "save the file as UTF-8") from None


def _read_csv(text: str, shown: str) -> Iterator[PlacedRow]:
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head: list[str] | None = None
    try:
        for cells in reader:
            place = f"{shown}: line {reader.line_num}"
            if not any(cells):
                continue
            if head is None:
                head = _check_head([cell.strip() for cell in cells], place)
                continue
            if len(cells) != len(head):
                problem = f"{len(cells)} values for {len(head)} columns"
                raise refused(place, problem, "put a value with a comma into double quotes")
            yield PlacedRow(place, dict(zip(head, cells, strict=True)))
    except csv.Error as error:
        place = f"{shown}: line {reader.line_num}"
        raise refused(place, f"this is no CSV: {error}", "quote it as RFC 4180 says") from None
    if head is None:
        remedy = "let the first line name the columns: name,dbname,schema"
        raise refused(shown, "the list of targets is empty", remedy)


def _check_head(head: list[str], place: str) -> list[str]:
    if "name" not in map(str.lower, head):
        remedy = "let the first line name the columns: name,dbname,schema"
        raise refused(place, "the head has no column name", remedy)
    for column in head:
        if head.count(column) > 1:
            problem = f"two columns are called {clip(one_line(column), 80)}"
            raise refused(place, problem, "remove one of them")
    return head


def _as_row(value: object, place: str) -> Row:
    if not isinstance(value, Mapping):
        raise refused(place, "a target is no object", "write {name: ..., schema: ...}")
    return {key: _as_value(key, each, place) for key, each in value.items()}


def _as_value(key: str, value: object, place: str) -> Value:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        return dict(value)
    problem = f"the value of {clip(one_line(key), 80)} is no text"
    raise refused(place, problem, "put it into double quotes; labels are an object of texts")


def _read_waves(value: object, place: str) -> Iterator[Wave]:
    rows = value if isinstance(value, list) else [None]
    for row in rows:
        if not isinstance(row, Mapping):
            raise refused(place, "waves are no list of objects", "write waves: [{name: ...}]")
        yield read_wave(row, place)


def scan_json(text: str, shown: str) -> Iterator[Item]:
    """The parts of a JSON document. Raises MigrationError (SourceInvalid)."""
    scanner = _Json(text)
    try:
        yield from scanner.items()
    except json.JSONDecodeError as error:
        place = f"{shown}: line {text.count(chr(10), 0, error.pos) + 1}"
        raise refused(
            place,
            f"this is no JSON: {error.msg}",
            "look at quotes, commas and brackets before that place",
        ) from None
    except RecursionError:
        raise refused(shown, "this JSON is nested too deeply", "see what wrote it") from None


class _Json:
    """Walks over the outermost list and object; what is within is the decoder's."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0

    def items(self) -> Iterator[Item]:
        if self._take("["):
            yield from self._elements()
        elif self._take("{"):
            for _ in self._members("}"):
                key = self._value()
                if not isinstance(key, str):
                    raise self._wrong("a key was expected")
                self._require(":")
                if key == "targets" and self._take("["):
                    yield from self._elements()
                else:
                    yield Item(key, self._value(), self._line_here())
        else:
            raise self._wrong("a list of targets was expected")
        if self._skip() < len(self._text):
            raise self._wrong("the document has ended before")

    def _elements(self) -> Iterator[Item]:
        for _ in self._members("]"):
            self._skip()
            line = self._line_here()
            yield Item("targets", self._value(), line)

    def _members(self, end: str) -> Iterator[None]:
        """Between an opening bracket and its end, which are both taken."""
        if self._take(end):
            return
        while True:
            yield
            if self._take(end):
                return
            self._require(",")

    def _value(self) -> object:
        value, self._at = _DECODER.raw_decode(self._text, self._skip())
        return value

    def _take(self, character: str) -> bool:
        found = self._text.startswith(character, self._skip())
        self._at += found
        return found

    def _require(self, character: str) -> None:
        if not self._take(character):
            raise self._wrong(f"'{character}' was expected")

    def _skip(self) -> int:
        while self._text[self._at : self._at + 1] in (" ", "\t", "\r", "\n"):
            self._at += 1
        return self._at

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _wrong(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)
