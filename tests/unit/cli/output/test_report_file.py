"""The report lands where -report says."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from dbmigrate.cli.output.report_file import check_report_file, write_report
from dbmigrate.report import Outcome, Report, Step

REPORT = Report(
    command="up",
    outcome=Outcome.APPLIED,
    version="2",
    dirty=False,
    tool_version="0",
    started_at="2026-01-01T00:00:00Z",
    milliseconds=1,
)
LONG = replace(
    REPORT, steps=tuple(Step(str(n), "n" * 50, "up", 1) for n in range(500)), steps_total=500
)


def test_a_report_is_written_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(str(path), REPORT)
    assert json.loads(path.read_text())["version"] == "2"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_a_report_fits_a_termination_message(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(str(path), LONG)
    assert path.stat().st_size <= 4096
    assert json.loads(path.read_text())["stepsTotal"] == 500


def test_a_shorter_report_replaces_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(str(path), LONG)
    write_report(str(path), REPORT)
    assert Report.from_json(path.read_text()) == REPORT


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_report_file(str(path))
        write_report(str(path), REPORT)
        assert Report.from_json(os.read(reader, 8192).decode()) == REPORT
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.lstat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(file)
    write_report(str(link), REPORT)
    assert link.is_symlink()
    assert Report.from_json(file.read_text()) == REPORT


def test_a_file_that_cannot_be_replaced_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kubelet mounts into a container is busy: the kernel refuses to rename over it."""
    path = tmp_path / "termination-log"
    path.write_text("x" * 9000)
    inode = path.stat().st_ino

    def refuse(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", refuse)
    write_report(str(path), REPORT)
    assert Report.from_json(path.read_text()) == REPORT
    assert path.stat().st_ino == inode
    assert [each.name for each in tmp_path.iterdir()] == ["termination-log"]


def test_an_impossible_place_is_noticed_before_the_run(tmp_path: Path) -> None:
    check_report_file(str(tmp_path / "new"))
    for path, why in (
        (tmp_path / "missing" / "report", "there is no directory .*missing"),
        (tmp_path, "it is a directory"),
    ):
        with pytest.raises(OSError, match=why):
            check_report_file(str(path))
        with pytest.raises(OSError, match=r"."):
            write_report(str(path), REPORT)


def test_a_text_that_is_no_unicode_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(str(path), replace(REPORT, command="up \udcff"))
    assert json.loads(path.read_text())["command"] == "up \udcff"
