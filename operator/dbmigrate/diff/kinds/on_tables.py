"""Parts of tables and views: defaults, triggers, rules, policies, statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName

_ENABLED = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


class Defaults(ObjectKind[t.Default]):
    """Defaults of columns. ONLY: each child of a table has its own default."""

    def can_alter(self, before: t.Default, after: t.Default, world: World) -> bool:
        return True

    def create(self, each: t.Default, world: World) -> Iterator[PlannedStatement]:
        yield create(each, f"{_column(each)} SET DEFAULT {each.expression}")

    def drop(self, each: t.Default, world: World) -> Iterator[PlannedStatement]:
        yield drop(each, f"{_column(each)} DROP DEFAULT")

    def alter(
        self, before: t.Default, after: t.Default, world: World
    ) -> Iterator[PlannedStatement]:
        yield alter(after, f"{_column(after)} SET DEFAULT {after.expression}")


def _column(each: t.Default) -> str:
    return f"ALTER TABLE ONLY {each.relation} ALTER COLUMN {each.column}"


class Triggers(ObjectKind[t.Trigger]):
    """Triggers; the states of those of partitions follow their table's."""

    def can_alter(self, before: t.Trigger, after: t.Trigger, world: World) -> bool:
        """CREATE OR REPLACE TRIGGER is rejected for constraint triggers."""
        is_same = before.definition == after.definition
        return is_same or not (before.is_constraint or after.is_constraint)

    def create(self, each: t.Trigger, world: World) -> Iterator[PlannedStatement]:
        yield create(each, each.definition)
        if each.enabled != "O":
            yield replace(_enable_trigger(each), slot=Slot.FINISH)
        yield from _enable_below((), each)

    def drop(self, each: t.Trigger, world: World) -> Iterator[PlannedStatement]:
        yield drop(each, f"DROP {each.address}")

    def alter(
        self, before: t.Trigger, after: t.Trigger, world: World
    ) -> Iterator[PlannedStatement]:
        if before.definition != after.definition:
            yield alter(after, after.definition.replace("CREATE ", "CREATE OR REPLACE ", 1))
            if after.enabled != "O" and before.enabled == after.enabled:
                # A replaced trigger is enabled again.
                yield _enable_trigger(after)
        is_as_above = before.enabled != after.enabled or before.definition != after.definition
        if before.enabled != after.enabled:
            yield _enable_trigger(after)
        yield from _enable_below(() if is_as_above else before.below, after)


def _enable_below(before: tuple[str, ...], after: t.Trigger) -> Iterator[PlannedStatement]:
    """In the partitions that differ; all have the state of their table otherwise."""
    wanted = {**_states(before, after.enabled), **_states(after.below)}
    for child, state in wanted.items():
        if f"{child} {state}" not in before:
            words = f"{_ENABLED[state]} TRIGGER {after.trigger}"
            first = (ObjectName("partition", child),)
            sql = f"ALTER TABLE ONLY {child} {words}"
            yield alter(after, sql, slot=Slot.FINISH, after=first)


def _states(below: tuple[str, ...], state: str | None = None) -> dict[str, str]:
    found = (each.rpartition(" ") for each in below)
    return {child: state or own for child, _, own in found}


def _enable_trigger(each: t.Trigger) -> PlannedStatement:
    words = f"{_ENABLED[each.enabled]} TRIGGER {each.trigger}"
    return alter(each, f"ALTER TABLE {each.table} {words}")


class Rules(ObjectKind[t.RewriteRule]):
    """Rewrite rules."""

    def can_alter(self, before: t.RewriteRule, after: t.RewriteRule, world: World) -> bool:
        return True

    def create(self, each: t.RewriteRule, world: World) -> Iterator[PlannedStatement]:
        yield create(each, each.definition.removesuffix(";"))
        if each.enabled != "O":
            yield replace(_enable_rule(each), slot=Slot.FINISH)

    def alter(
        self, before: t.RewriteRule, after: t.RewriteRule, world: World
    ) -> Iterator[PlannedStatement]:
        if before.definition != after.definition:
            sql = after.definition.removesuffix(";").replace("CREATE ", "CREATE OR REPLACE ", 1)
            yield alter(after, sql)
        if before.enabled != after.enabled:
            yield _enable_rule(after)


def _enable_rule(each: t.RewriteRule) -> PlannedStatement:
    return alter(each, f"ALTER TABLE {each.table} {_ENABLED[each.enabled]} RULE {each.rule}")


class Policies(ObjectKind[t.Policy]):
    """Policies. ALTER POLICY can neither change the command nor remove a condition."""

    def can_alter(self, before: t.Policy, after: t.Policy, world: World) -> bool:
        is_same = (before.command, before.is_permissive) == (after.command, after.is_permissive)
        loses_using = before.using is not None and after.using is None
        loses_check = before.check is not None and after.check is None
        return is_same and not loses_using and not loses_check

    def create(self, each: t.Policy, world: World) -> Iterator[PlannedStatement]:
        kind = "" if each.is_permissive else " AS RESTRICTIVE"
        words = [f"CREATE {each.address}{kind} FOR {each.command} TO {', '.join(each.roles)}"]
        yield create(each, " ".join((*words, *_conditions(each))))

    def alter(self, before: t.Policy, after: t.Policy, world: World) -> Iterator[PlannedStatement]:
        words = [f"ALTER {after.address}"]
        if before.roles != after.roles:
            words.append(f"TO {', '.join(after.roles)}")
        words += [word for word in _conditions(after) if word not in _conditions(before)]
        if len(words) > 1:
            yield alter(after, " ".join(words))


def _conditions(each: t.Policy) -> list[str]:
    words = []
    if each.using is not None:
        words.append(f"USING ({each.using})")
    if each.check is not None:
        words.append(f"WITH CHECK ({each.check})")
    return words


class StatisticsObjects(ObjectKind[t.Statistics]):
    """Extended statistics."""

    def can_alter(self, before: t.Statistics, after: t.Statistics, world: World) -> bool:
        return before.definition == after.definition

    def create(self, each: t.Statistics, world: World) -> Iterator[PlannedStatement]:
        yield create(each, each.definition)
        if each.target is not None:
            yield replace(_target(each), slot=Slot.FINISH)

    def alter(
        self, before: t.Statistics, after: t.Statistics, world: World
    ) -> Iterator[PlannedStatement]:
        if before.target != after.target:
            yield _target(after)


def _target(each: t.Statistics) -> PlannedStatement:
    target = -1 if each.target is None else each.target
    return alter(each, f"ALTER {each.address} SET STATISTICS {target}")
