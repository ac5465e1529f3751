"""The guides as programs: their code blocks, run in order as one shell session.

A ```bash block is run as it is. A ```console block has commands behind `$ ` and below each
what it prints; `...` in an expected line stands for anything, and a line of `...` for any lines.
Durations and times are not compared. Blocks of other kinds are for reading.
The database of the guides is one literal URL; the test's own takes its place.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

DATABASE_URL = "postgres://app:secret@localhost:5432/app?sslmode=disable"
"""What people read, and replace by their own."""
SCRATCH_URL = "postgres://postgres:secret@localhost:5433/postgres?sslmode=disable"
"""A second server, that serves nothing else."""

FENCE = re.compile(r"^```(?P<kind>[\w-]*)[^\n]*\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
MARK = "@@ line "
VARYING = (
    (re.compile(r"\d+(\.\d+)?(ns|µs|ms|s)\b"), "DURATION"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
)


@dataclass(frozen=True)
class Command:
    """Something that a reader would paste, and what the page says it prints."""

    line: int
    script: str
    expected: str | None
    """None: the page promises nothing but success."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    kind: str
    line: int
    body: str


def read_blocks(text: str) -> list[Block]:
    """All fenced blocks, with the line on which their body starts."""
    return [
        Block(found["kind"], text.count("\n", 0, found.start("body")) + 1, found["body"])
        for found in FENCE.finditer(text)
    ]


def read_commands(text: str) -> list[Command]:
    """What a page asks its reader to run, in order."""
    commands: list[Command] = []
    for block in read_blocks(text):
        if block.kind == "bash":
            commands.append(Command(block.line, block.body, None))
        elif block.kind == "console":
            commands.extend(_read_console(block))
    return commands


def run_guide(
    page: Path, *, url: str, path: Sequence[Path], home: Path, scratch_url: str = SCRATCH_URL
) -> None:
    """Run a page from top to bottom. Raises AssertionError with the page's line."""
    commands = read_commands(page.read_text())
    assert commands, f"{page.name} has nothing to run"
    script = home / "guide.bash"
    script.write_text(_join(commands).replace(DATABASE_URL, url).replace(SCRATCH_URL, scratch_url))
    with TemporaryDirectory(prefix="guide-") as directory:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", script],
            stdin=subprocess.DEVNULL,
            cwd=directory,
            env=_environment(path, home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
    outputs = _split(done.stdout)
    last = max(outputs, default=0)
    assert done.returncode == 0, f"{page.name}:{last} failed:\n{outputs.get(last, done.stdout)}"
    for command in commands:
        printed = outputs[command.line].replace(url, DATABASE_URL)
        if command.expected is not None and not _matches(command.expected, printed):
            raise AssertionError(
                f"{page.name}:{command.line} says\n{command.expected}\nit printed\n{printed}"
            )


def _read_console(block: Block) -> list[Command]:
    commands: list[Command] = []
    lines = block.body.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts, f"a console block without a command at line {block.line}"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        script, rest = [lines[start][2:]], lines[start + 1 : end]
        while script[-1].endswith("\\") and rest:
            script.append(rest.pop(0))
        commands.append(Command(block.line + start, "\n".join(script), "\n".join(rest)))
    return commands


def _join(commands: Sequence[Command]) -> str:
    return "".join(f"echo '{MARK}{each.line}'\n{each.script.rstrip()}\n" for each in commands)


def _split(output: str) -> dict[int, str]:
    parts = re.split(rf"^{re.escape(MARK)}(\d+)\n", output, flags=re.MULTILINE)
    return {int(line): text for line, text in zip(parts[1::2], parts[2::2], strict=True)}


def _environment(path: Sequence[Path], home: Path) -> Mapping[str, str]:
    return {
        "PATH": ":".join([*map(str, path), os.environ["PATH"]]),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PSQLRC": os.devnull,
        "PAGER": "cat",
    }


def _matches(expected: str, printed: str) -> bool:
    """Whether the output is what the page says, but for what varies."""
    patterns = []
    for line in _plain(expected).splitlines():
        if line.strip() == "...":
            patterns.append(r"(?:.*\n)*?")
        else:
            patterns.append(".*?".join(map(re.escape, line.rstrip().split("..."))) + r"\n")
    text = "".join(line.rstrip() + "\n" for line in _plain(printed).splitlines())
    return re.fullmatch("".join(patterns), text.rstrip("\n") + "\n" if text else "") is not None


def _plain(text: str) -> str:
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return re.sub(r" {2,}", "  ", text).strip("\n")
