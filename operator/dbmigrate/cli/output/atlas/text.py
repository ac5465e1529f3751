"""Atlas's reports in words: what its commands print where no template is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.numbers import format_duration
from dbmigrate.cli.output.atlas.document import Document

if TYPE_CHECKING:
    from dbmigrate.runner.commands.revisions import RevisionsChange


def status_text(document: Document, *, begins_at_checkpoint: bool) -> str:
    """That of `migrate status`."""
    count, total = document["Count"], document["Total"]
    late, pending = document["OutOfOrder"], document["Pending"]
    current = document["Current"] + (f" ({count} statements applied)" if total else "")
    following = document["Next"] or "UNKNOWN"
    following += " (checkpoint)" if begins_at_checkpoint and document["Next"] else ""
    following += f" ({total - count} statements left)" if total else ""
    number = str(len(pending) + len(late))
    if late:
        number += f" ({f'{len(late)} ' if pending else ''}out of order)"
    lines = [
        f"Migration Status: {document['Status']}",
        f"  -- Current Version: {current}",
        f"  -- Next Version:    {following}",
        f"  -- Executed Files:  {len(document['Applied'])}"
        + (" (last one partially)" if total else ""),
        f"  -- Pending Files:   {number}",
    ]
    if total:
        lines += ["", "Last migration attempt had errors:", f"  -- SQL:   {document['SQL']}"]
        lines.append(f"  -- ERROR: {document['Error']}")
    elif late and document["Error"]:
        lines += ["", f"  ERROR: {document['Error']}"]
    return "\n".join([*lines, ""])


def apply_text(document: Document) -> str:
    """That of `migrate apply`."""
    pending = document["Pending"]
    if not pending:
        return "No migration files to execute\n"
    before = f" from {document['Current']}" if document["Current"] else ""
    lines = [
        f"Migrating to version {document['Target']}{before} ({len(pending)} migrations in total):"
    ]
    for file in document["Applied"]:
        lines += ["", f"  -- migrating version {file['Version']}"]
        lines += [f"    -> {_indented(statement)}" for statement in file["Applied"]]
        if file["Error"] is None:
            lines.append(f"  -- ok ({_duration(file)})")
        else:
            lines.append(f"    {file['Error']['Text']}")
    if not document["Applied"]:
        lines += ["", *([f"    {document['Error']}"] if document["Error"] else [])]
    lines += ["", f"  {'-' * 25}", *(f"  {line}" for line in _summary(document))]
    return "\n".join([*lines, ""])


def set_text(change: RevisionsChange) -> str:
    """That of `migrate set`."""
    marks = {**dict.fromkeys(change.added, "+"), **dict.fromkeys(change.removed, "-")}
    if not marks:
        return ""
    if change.current is None:
        head = f"All revisions deleted ({len(marks)} in total):"
    else:
        counts = ((len(change.added), "set"), (len(change.removed), "removed"))
        summary = ", ".join(f"{number} {what}" for number, what in counts if number)
        head = f"Current version is {change.current} ({summary}):"
    lines = [
        f"  {marks[each]} {each[0]}" + (f" ({each[1]})" if each[1] else "")
        for each in sorted(marks)
    ]
    return "\n".join([head, "", *lines, "", ""])


def _summary(document: Document) -> list[str]:
    files = document["Applied"]
    failed = sum(file["Error"] is not None for file in files)
    statements = sum(len(file["Applied"]) for file in files) - failed
    lines = [f"-- {_duration(document)}"]
    lines += _counted("migration", len(files) - failed, failed)
    lines += _counted("sql statement", statements, failed)
    return lines


def _counted(what: str, passed: int, failed: int) -> Sequence[str]:
    if passed and failed:
        return [f"-- {passed} {what}{_plural(passed)} ok, {failed} with errors"]
    if passed or failed:
        number = passed or failed
        return [f"-- {number} {what}{_plural(number)}" + (" with errors" if failed else "")]
    return []


def _plural(number: int) -> str:
    return "" if number == 1 else "s"


def _duration(timed: Document) -> str:
    return format_duration(timed["End"].since(timed["Start"]))


def _indented(statement: str) -> str:
    return statement.replace("\n", "\n" + 7 * " ")
