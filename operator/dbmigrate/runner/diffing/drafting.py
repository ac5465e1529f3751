"""From a plan of changes to drafts of migrations: grouping, names, comments.

Changes that may share a file do. A migration that loses data says so above the statement
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

_PLAIN = frozenset(("create", "add", "alter"))
"""Actions that go without saying."""


def group_changes(changes: Sequence[Change]) -> list[Group]:
    """The changes of each file, in order."""
    return [tuple(group) for _, group in groupby(changes, key=lambda change: change.file)]


def name_groups(name: str, groups: Sequence[Group]) -> list[str]:
    """A name for each: what its changes have in common, behind the given name.

    The name alone is for the first draft about several things, else for the first.
    """
    words = [_say(group) for group in groups]
    words[words.index("") if "" in words else 0] = ""
    names: list[str] = []
    for word in words:
        wanted = f"{name}_{word}" if word else name
        count = sum(1 for other in words[: len(names)] if other == word)
        names.append(f"{wanted}_{count + 1}" if count else wanted)
    return names


def write_text(group: Group) -> Text:
    """The script of some changes."""
    is_transaction = all(change.can_be_in_transaction for change in group)
    is_one_file = len({change.file for change in group}) <= 1
    return Text(tuple(map(_write, group)), is_transaction and is_one_file)


def plan_down(after: Schema, before: Schema) -> Group:
    """The way down in one file: by online forms if these fit into one, else by plain ones."""
    online = plan_changes(after, before)
    if len(group_changes(online)) <= 1:
        return online
    return plan_changes(after, before, online=False)


def _say(group: Group) -> str:
    """The subject as part of a file's name; empty for several subjects."""
    actions = {change.action for change in group}
    kinds = {change.about.kind for change in group}
    if len(actions) == 1 and not actions & _PLAIN:
        return actions.pop().replace(" ", "_") if len(kinds) > 1 else _join(*actions, *kinds)
    if len(kinds) == 1:
        return _join(*kinds)
    return ""


def _join(*words: str) -> str:
    return "_".join(words).replace(" ", "_").lower()


def _write(change: Change) -> str:
    comments = []
    if change.destroys is not None:
        comments.append(f"-- DESTRUCTIVE: {_one_line(change.destroys)}")
    if change.note is not None:
        comments.append(f"-- note: {_one_line(change.note)}")
    return "\n".join([*comments, change.sql])


def _one_line(text: str) -> str:
    return " ".join(text.split())
