"""What a stream keeps of what its reader has not read yet, and in which order it comes."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.cli.output.outlet import Outlet


@contextmanager
def piped(kept: int | None) -> Iterator[tuple[int, Outlet]]:
    """A stream into the smallest pipe that there is, and the pipe's other end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w") as stream:
        outlet = Outlet(stream, kept=kept)
        try:
            yield reading, outlet
        finally:
            outlet.detach()


def read(reading: int, size: int) -> str:
    """So many bytes, as far as they come."""
    found = b""
    while len(found) < size and (more := os.read(reading, size - len(found))):
        found += more
    return found.decode()


@given(st.lists(st.text("aé\n", max_size=3000), max_size=12))
@settings(max_examples=50, deadline=None)
def test_without_a_limit_all_comes_in_its_order(texts: list[str]) -> None:
    with piped(None) as (reading, outlet):
        for text in texts:
            assert outlet.write(text) == len(text)
        wanted = "".join(texts)
        assert read(reading, len(wanted.encode())) == wanted
        outlet.drain()


@pytest.mark.parametrize("size", [10, 5000, 200_000])
def test_with_one_the_first_and_the_last_come(size: int) -> None:
    lines = [f"{number:08}{'x' * size}\n" for number in range(2_000_000 // size)]
    with piped(20_000) as (reading, outlet):
        for line in lines:
            outlet.write(line)
        outlet.write("the end\n")
        draining = Thread(target=outlet.drain)
        draining.start()
        found = ""
        while not found.endswith("the end\n"):
            found += os.read(reading, 4096).decode()
        draining.join()
    come = found.splitlines(keepends=True)
    (at,) = [index for index, line in enumerate(come) if line.startswith("... ")]
    counted = re.match(r"\.\.\. (\d+) lines? (?:is|are) omitted", come[at])
    assert counted
    assert come[:at] == lines[:at]
    rest = come[at + 1 : -1]
    assert rest == lines[len(lines) - len(rest) :]
    assert len(rest) + at + int(counted[1]) == len(lines)
