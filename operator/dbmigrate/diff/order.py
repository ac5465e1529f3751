"""Puts statements in an order that PostgreSQL accepts, and into files.

An object is dropped after what depends on it and before what it depends on, and created in
the opposite order; alterations are in between. So the edges come from pg_depend of both
schemas. Where they leave a choice, drops come first, then alterations, then creations.

A file is a transaction. A statement goes into the first file that it can be in: after the
files of the statements that it requires, if those have to be committed first or run outside
of a transaction.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.names import parts_of
from dbmigrate.diff.step import Mode, PlannedStatement, Slot
from dbmigrate.diff.world import TYPE_KINDS, ObjectAction, World, parts
from dbmigrate.postgres.schema.catalog import ObjectName

Rank = Callable[[ObjectName], int]


def put_in_order(
    steps: list[PlannedStatement], world: World, rank: Rank
) -> list[tuple[int, PlannedStatement]]:
    """Each with the number of its file, counted from 0.

    Raises Circle if the statements wait for each other.
    """
    graph = _Graph(steps, world)
    order = _sort(steps, graph.edges(), rank, world)
    return _into_files(steps, order, graph.waits)


class Circle(Exception):
    """Statements that require each other."""

    def __init__(self, steps: list[PlannedStatement]) -> None:
        super().__init__(" waits for ".join(repr(step.sql.splitlines()[0]) for step in steps))
        self.altered = tuple(
            step.about
            for step in steps
            if step.slot is Slot.ALTER and step.about.kind in _REPLACEABLE
        )
        """What could be dropped and created again in place of its alteration."""


class _Graph:
    """Which statement requires which."""

    def __init__(self, steps: list[PlannedStatement], world: World) -> None:
        self._steps = steps
        self._world = world
        self._of: dict[ObjectName, list[int]] = defaultdict(list)
        """The statements of an object, in the order of its life."""
        for number, step in enumerate(steps):
            self._of[step.about].append(number)
            for name in step.covers:
                self._of[name].append(number)
        for numbers in self._of.values():
            numbers.sort(key=lambda number: (steps[number].slot, number))
        self.waits: dict[int, set[int]] = defaultdict(set)

    def edges(self) -> dict[int, set[int]]:
        for numbers in self._of.values():
            self._chain(numbers)
        for number, step in enumerate(self._steps):
            for name in (step.about, *step.covers):
                if step.slot is Slot.DROP:
                    self._drop(number, name)
                    self._wait_for_old_types(number, name)
                elif step.slot in (Slot.ALTER, Slot.CREATE):
                    self._make(number, name, step)
            for name in step.after:
                self._wait(number, self._others(step, self._statements(name, self._world.after)))
            for name in step.before:
                for other in self._others(step, self._early(name)):
                    self._wait(other, (number,))
            if step.slot is Slot.ATTRIBUTE and step.about.kind == "column":
                # REVOKE from a table takes the privileges of its columns along.
                whole = self._world.after.objects[step.about].part_of
                others = self._of.get(whole, ()) if whole is not None else ()
                self._wait(number, [n for n in others if self._is(n, Slot.ATTRIBUTE)])
        self._share_names()
        self._bury_old_types()
        return self.waits

    def _others(self, step: PlannedStatement, numbers: Iterable[int]) -> list[int]:
        """Those of other objects: the order of an object's own statements is that of its life."""
        return [number for number in numbers if self._steps[number].about != step.about]

    def _chain(self, numbers: list[int]) -> None:
        """One after the other; but nothing has to wait for the attributes of an object."""
        last: int | None = None
        for number in numbers:
            if last is not None:
                self._wait(number, (last,))
            if self._steps[number].slot is not Slot.ATTRIBUTE:
                last = number

    def _drop(self, number: int, name: ObjectName) -> None:
        for required in self._world.before.objects[name].requires:
            slots: tuple[Slot, ...] = (Slot.DROP, Slot.ALTER)
            if not self._world.is_going(required):
                # What is only altered no longer blocks others early enough, except for these.
                alone = self._steps[number].mode is Mode.ALONE
                if alone or required.kind not in _HINDERED:
                    continue
                slots = (Slot.ALTER,)
            elif self._is_renamed(required) and self._steps[number].about.kind in TYPE_KINDS:
                # Its statement does not name the old type, which is dropped at the end.
                finishing = [n for n in self._of[required] if self._is(n, Slot.FINISH)]
                for other in finishing:
                    self._wait(other, (number,))
                continue
            for other in self._early(required, slots):
                if self._steps[other].mode is not Mode.FIRST:  # a new label hinders nothing
                    self._wait(other, (number,))

    def _wait_for_old_types(self, number: int, name: ObjectName) -> None:
        """What an old type's conditions and default need goes after the type."""
        if name.kind in TYPE_KINDS:
            return
        for user in self._world.before.dependents.get(name, ()):
            each = self._world.before.objects[user]
            is_part = isinstance(each, o.DomainConstraint) and each.part_of is not None
            whole = each.part_of if is_part else user
            if whole is not None and self._is_renamed(whole) and whole.kind in TYPE_KINDS:
                self._wait(number, [n for n in self._of[whole] if self._is(n, Slot.FINISH)])

    def _is_renamed(self, name: ObjectName) -> bool:
        return self._world.actions[name] is ObjectAction.REBIRTH

    def _make(self, number: int, name: ObjectName, step: PlannedStatement) -> None:
        after = self._world.after.objects.get(name)
        for required in after.requires if after is not None and not step.is_early else ():
            self._wait(number, self._ready(required))
        if step.slot is not Slot.ALTER or name not in self._world.before.objects:
            return
        if not step.is_early and any(self._steps[n].is_early for n in self._of[name]):
            return
        for required in self._world.before.objects[name].requires:
            action = self._world.actions[required]
            if action in (ObjectAction.DROP, ObjectAction.REPLACE):
                for other in self._early(required, (Slot.DROP,)):
                    self._wait(other, (number,))
            elif action is ObjectAction.REBIRTH:
                last = self._of[required][-1]
                finishing = [n for n in self._of[required] if self._is(n, Slot.FINISH)]
                self._wait(finishing[0] if finishing else last, (number,))

    def _bury_old_types(self) -> None:
        """An old type can be dropped when no other old type depends on it."""
        reborn = [n for n, action in self._world.actions.items() if action is ObjectAction.REBIRTH]
        for name in reborn:
            needed = set(self._world.before.requires(name))
            for part in parts(self._world.before, name):
                needed |= part.requires
            for required in needed - {name}:
                if self._world.actions[required] is ObjectAction.REBIRTH:
                    self._wait(self._of[required][-1], (self._of[name][-1],))

    def _early(
        self, name: ObjectName, slots: tuple[Slot, ...] = (Slot.DROP, Slot.ALTER)
    ) -> Iterator[int]:
        """The statements that drop or alter an object, or its owner's if it has none."""
        for number in self._statements(name, self._world.before):
            if self._steps[number].slot in slots:
                yield number

    def _ready(self, name: ObjectName) -> list[int]:
        """The statements after which an object can be used."""
        found = self._statements(name, self._world.after)
        return [n for n in found if self._steps[n].slot in (Slot.ALTER, Slot.CREATE)]

    def _statements(self, name: ObjectName, schema: object) -> list[int]:
        world = self._world
        side = world.after if schema is world.after else world.before
        seen: set[ObjectName] = set()
        while name not in self._of or all(self._is(n, Slot.ATTRIBUTE) for n in self._of[name]):
            each = side.objects.get(name)
            if each is None or name in seen or world.actions[name] is ObjectAction.KEEP:
                return []
            seen.add(name)
            carrier = world.carrier(each, side) or each.part_of
            if carrier is None:
                return []
            name = carrier
        return self._of[name]

    def _is(self, number: int, slot: Slot) -> bool:
        return self._steps[number].slot is slot

    def _share_names(self) -> None:
        """A name has to be free before another kind of object takes it."""
        freed: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, step in enumerate(self._steps):
            if step.slot is Slot.DROP:
                for name in (step.about, *step.covers):
                    for key in _places(name):
                        freed[key].append(number)
        for number, step in enumerate(self._steps):
            if step.slot in (Slot.ALTER, Slot.CREATE):
                for name in self._taken(step):
                    for key in _places(name):
                        self._wait(number, freed.get(key, ()))
                    for other in self._world.overloaded_by(name):
                        self._wait(number, self._early(other, (Slot.DROP,)))

    def _taken(self, step: PlannedStatement) -> Iterator[ObjectName]:
        for name in (step.about, *step.covers):
            if step.slot is Slot.CREATE:
                yield name
            if name.kind == "column":
                for part in self._world.after.dependents.get(name, ()):
                    if part.kind == "sequence" and self._world.is_new(part):
                        yield part

    def _wait(self, number: int, others: Iterable[int]) -> None:
        self.waits[number].update(other for other in others if other != number)


_HINDERED = {"column", "table", "enum", "domain", "composite type"}
"""Whose alteration may be refused while something depends on them."""
_REPLACEABLE = {
    "view",
    "function",
    "procedure",
    "aggregate",
    "trigger",
    "rule",
    "policy",
    "default",
}
_RELATIONS = {"table", "view", "materialized view", "sequence", "index", "composite type"}
_TYPES = {"table", "view", "materialized view", "composite type", "enum", "domain", "range"}
_ROUTINES = {"function", "procedure", "aggregate"}


def _places(name: ObjectName) -> Iterator[tuple[str, str]]:
    """The name spaces in which the object's name has to be the only one."""
    if name.kind in _RELATIONS:
        yield "relation", name.name
    if name.kind in _TYPES:
        yield "type", name.name
    if name.kind in _ROUTINES:
        yield "routine", name.name
    if name.kind == "constraint":
        yield "relation", _index_name(name.name)


def _index_name(constraint: str) -> str:
    """The index of a constraint has its name, in the table's schema."""
    schema, *_, name = parts_of(constraint)
    return f"{schema}.{name}"


_FIRST, _LAST = -1, 1000


def _evaluates(step: PlannedStatement, world: World) -> bool:
    """Whether rows are given to functions whose bodies name what no dependency shows."""
    for name in (step.about, *step.covers):
        each = world.after.objects.get(name)
        if each is None or isinstance(each, t.Table):
            return False
        for required in each.requires:
            found = world.after.objects.get(required)
            if isinstance(found, o.Routine | o.Aggregate) and not isinstance(each, o.Routine):
                return True
    return False


def _sort(
    steps: list[PlannedStatement], waits: dict[int, set[int]], rank: Rank, world: World
) -> list[int]:
    def key(number: int) -> tuple[int, int, ObjectName, int]:
        step = steps[number]
        if step.slot in (Slot.ALTER, Slot.CREATE) and step.about.kind in ("function", "procedure"):
            # A body that is a text may be evaluated by any other statement, and call others.
            return Slot.ALTER, _FIRST, step.about, number
        if step.slot is Slot.CREATE and _evaluates(step, world):
            return step.slot, _LAST, step.about, number
        direction = -1 if step.slot is Slot.DROP else 1
        return step.slot, direction * rank(step.about), step.about, number

    followers: dict[int, list[int]] = defaultdict(list)
    left = {number: len(waits.get(number, ())) for number in range(len(steps))}
    for number, others in waits.items():
        for other in others:
            followers[other].append(number)
    heap = [key(number) for number, count in left.items() if count == 0]
    heapq.heapify(heap)
    order: list[int] = []
    while heap:
        number = heapq.heappop(heap)[-1]
        order.append(number)
        for follower in followers[number]:
            left[follower] -= 1
            if left[follower] == 0:
                heapq.heappush(heap, key(follower))
    if len(order) < len(steps):
        stuck = {number for number, count in left.items() if count}
        raise Circle([steps[number] for number in _find_circle(stuck, waits)])
    return order


def _find_circle(stuck: set[int], waits: dict[int, set[int]]) -> list[int]:
    """From any of the remaining ones, back along its requirements, until one repeats."""
    path = [min(stuck)]
    while True:
        following = min(waits[path[-1]] & stuck)
        if following in path:
            return path[path.index(following) :]
        path.append(following)


def _into_files(
    steps: list[PlannedStatement], order: list[int], waits: dict[int, set[int]]
) -> list[tuple[int, PlannedStatement]]:
    """A level is a transaction, then a file of scans, then files with one statement each."""
    levels: dict[int, int] = {}
    for number in order:
        mode = steps[number].mode
        levels[number] = max(
            (
                levels[other] + (1 if steps[other].mode > mode else 0)
                for other in waits.get(number, ())
            ),
            default=0,
        )
    if any(steps[number].mode is Mode.FIRST for number in order):
        for number in order:
            if steps[number].mode is not Mode.FIRST:
                levels[number] += 1
    place = {number: position for position, number in enumerate(order)}
    arranged = sorted(order, key=lambda n: (levels[n], steps[n].mode, place[n]))
    files: list[tuple[int, PlannedStatement]] = []
    file, last = -1, None
    for number in arranged:
        mode = steps[number].mode
        group = (levels[number], mode)
        if group != last or mode is Mode.ALONE:
            file += 1
        last = group
        files.append((file, steps[number]))
    return files
