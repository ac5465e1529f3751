"""From a plan of changes to drafts of migrations: what goes together, names, comments.

What may share a file does. A migration that loses data says so above the statement
that does, because a reviewer reads files.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.schema import Schema
from dbmigrate.sources.drafts import Text

Group = tuple[Change, ...]
"""Changes that share a file."""

_CREATING = frozenset(("create", "add", "alter"))


def group_changes(changes: Sequence[Change]) -> list[Group]:
    """The changes of each file, in order."""
    return [tuple(group) for _, group in groupby(changes, key=lambda change: change.file)]


def name_groups(name: str, groups: Sequence[Group]) -> list[str]:
    """A name for each: the first has the name itself, the others say what they are about."""
    names: list[str] = []
    for group in groups:
        wanted = f"{name}_{_say(group[0])}" if names else name
        count = sum(each == wanted or each.startswith(f"{wanted}_") for each in names[1:])
        names.append(f"{wanted}_{count + 1}" if count and names else wanted)
    return names


def write_text(group: Group) -> Text:
    """The script of some changes."""
    is_transaction = all(change.can_be_in_transaction for change in group)
    is_one_file = len({change.file for change in group}) <= 1
    return Text(tuple(map(_write, group)), is_transaction and is_one_file)


def plan_down(after: Schema, before: Schema) -> Group:
    """The way back in one file: by online forms if these fit into one, else by plain ones."""
    online = plan_changes(after, before)
    if len(group_changes(online)) <= 1:
        return online
    return plan_changes(after, before, online=False)


def _say(change: Change) -> str:
    """In a word or two that can be part of a file's name."""
    word = change.about.kind.replace(" ", "_").lower()
    return word if change.action in _CREATING else f"{change.action.replace(' ', '_')}_{word}"


def _write(change: Change) -> str:
    comments = []
    if change.destroys is not None:
        comments.append(f"-- DESTRUCTIVE: {_one_line(change.destroys)}")
    if change.note is not None:
        comments.append(f"-- note: {_one_line(change.note)}")
    return "\n".join([*comments, change.sql])


def _one_line(text: str) -> str:
    return " ".join(text.split())
