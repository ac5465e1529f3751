"""The guide runner notices what a page promises and the program doesn't do."""

from pathlib import Path

import pytest

from tests.docs.guide import read_commands, run_guide

PAGE = """\
```bash
x=1
```
Read on.
```console
$ echo "took 12ms at 2026-01-01T00:00:00Z"
took 9.5s at 2027-12-31T23:59:59Z
$ printf 'a\\nb\\nc\\n'
a
...
```
"""


def _run(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    run_guide(page, url="postgres://elsewhere/app", path=[], home=tmp_path)


def test_blocks_run_in_one_session_and_what_varies_is_passed_over(tmp_path: Path) -> None:
    _run(tmp_path, PAGE)
    _run(tmp_path, "```bash\nx=1\n```\n```console\n$ echo $x\n1\n```\n")


def test_a_wrong_output_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:2 says"):
        _run(tmp_path, "```console\n$ echo two\nthree\n```\n")


def test_output_where_the_page_shows_none_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it printed"):
        _run(tmp_path, "```console\n$ echo more\n```\n")


def test_a_failing_command_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:5 failed"):
        _run(tmp_path, "text\n```bash\ntrue\n```\n```bash\nfalse\n```\n".replace("text\n", ""))


def test_a_page_without_commands_is_no_guide(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing to run"):
        _run(tmp_path, "words\n")


def test_a_command_goes_on_behind_a_backslash() -> None:
    (command,) = read_commands("```console\n$ echo \\\n  on\non\n```\n")
    assert command.script == "echo \\\n  on"
    assert command.expected == "on"
