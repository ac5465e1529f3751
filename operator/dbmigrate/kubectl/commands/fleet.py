"""`fleet`: sets of databases and schemas. A table, the waves of one, its failures, orders for it.

The operator knows counts and the first failures. The table of results, in the catalog database,
has a row for each target; it is read by SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from dbmigrate.api.action import ActionKind
from dbmigrate.api.conditions import Condition, ConditionType
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.status import (
    SetStatus,
    TargetFailure,
    Totals,
    WaveStatus,
    parse_set_status,
)
from dbmigrate.api.names import SET_KIND, SETS
from dbmigrate.kubectl.collection import Collection, list_all
from dbmigrate.kubectl.order import NotDone, Order, follow, place
from dbmigrate.kubectl.problems import Missing, RequestFailed
from dbmigrate.kubectl.requests import FleetViewRequest, OrderRequest, Output
from dbmigrate.kubectl.screen import Line
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.kubectl.text.ages import age_of
from dbmigrate.kubectl.text.plans import count_steps, describe_steps
from dbmigrate.kubectl.text.rows import NONE
from dbmigrate.kubectl.text.table import Cell, TextTable, Tone
from dbmigrate.printable import lines
from dbmigrate.timestamps import read_timestamp

_COUNTS = ("TOTAL", "CURRENT", "PENDING", "FAILED", "DIRTY", "UNREACHABLE")


def show_fleet(session: CommandContext, request: FleetViewRequest) -> None:
    """`fleet status` and `fleet failed`. Raises RequestFailed."""
    if request.name is None:
        _show_all(session, request)
        return
    if request.in_all_namespaces:
        raise RequestFailed("a NAME is in one namespace: leave out -A")
    body = _find(session, request.name)
    status = parse_set_status(body.get("status"))
    if request.output is Output.JSON:
        shown = body["status"].get("failures", []) if request.shows_failures else body
        session.screen.document(json.dumps(shown, indent=2))
    elif request.shows_failures:
        session.screen.show(describe_failures(body, status))
    else:
        session.screen.show(_describe(session, body, status))


def order_fleet(session: CommandContext, request: OrderRequest) -> None:
    """`fleet retry`, `continue`, `approve` and `rollback`. Raises RequestFailed, NotDone."""
    body = _find(session, request.name)
    plan_hash = None
    if request.kind is ActionKind.APPROVE:
        plan_hash = _agree(session, request, parse_set_status(body.get("status")))
    if request.kind is ActionKind.ROLLBACK and not request.is_agreed:
        question = _ask_to_roll_back(request, parse_set_status(body.get("status")))
        if not session.screen.confirm(question):
            raise NotDone("nothing was ordered: the answer was not y")
    order = Order(
        request.kind,
        request.name,
        version=request.version,
        plan_hash=plan_hash,
        reason=request.reason,
        is_for_set=True,
    )
    created = place(session.kubectl, session.screen, order)
    if request.is_followed:
        session.screen.say(follow(session.kubectl, session.screen, created, request.timeout))


def _agree(session: CommandContext, request: OrderRequest, status: SetStatus) -> str:
    """The hash of the plan, once the person has confirmed it. Raises NotDone."""
    plan = status.plan
    if plan is None or not plan.steps_total:
        raise NotDone(f"there is no plan of {request.name} that waits for approval")
    if request.plan_hash is not None and request.plan_hash != plan.hash:
        raise NotDone(f"the plan of {request.name} is {plan.hash} now, not {request.plan_hash}")
    head = f"Plan {lines(plan.hash)}: {count_steps(plan)}, the longest of all versions"
    session.screen.show([[Cell(head, Tone.HEAD)], *describe_steps(plan)])
    question = f"approve plan {plan.hash} of {request.name}?"
    if not request.is_agreed and not session.screen.confirm(question):
        raise NotDone("nothing was ordered: the answer was not y")
    return plan.hash


def _ask_to_roll_back(request: OrderRequest, status: SetStatus) -> str:
    count = f"{status.targets.total:,}" if status.targets is not None else "the"
    return (
        f"rollback brings {count} targets of {request.name} to version {request.version}, by the"
        " down scripts of those above it, wave after wave. They can destroy data. Go on?"
    )


def _find(session: CommandContext, name: str) -> Document:
    namespace = session.kubectl.namespace
    try:
        return session.kubectl.get(f"{Collection(SETS, namespace).path}/{name}")
    except Missing:
        text = f"there is no {SET_KIND} {name} in namespace {namespace}"
        raise Missing(
            f"{text}; kubectl dbmigrate fleet status lists those that there are"
        ) from None


def _show_all(session: CommandContext, request: FleetViewRequest) -> None:
    namespace = None if request.in_all_namespaces else session.kubectl.namespace
    listing = list_all(session.kubectl, Collection(SETS, namespace))
    if request.output is Output.JSON:
        items = [listing.objects[key] for key in sorted(listing.objects)]
        document = {"apiVersion": "v1", "kind": "List", "items": items}
        session.screen.document(json.dumps(document, indent=2))
        return
    if not listing.objects:
        where = f"namespace {namespace}" if namespace else "the cluster"
        session.screen.note(f"no {SET_KIND} found in {where}")
        return
    before = [] if namespace else ["NAMESPACE"]
    table = TextTable([*before, "NAME", "READY", "REASON", *_COUNTS, "AGE"])
    rows = []
    for key in sorted(listing.objects):
        body = listing.objects[key]
        status = parse_set_status(body.get("status"))
        ready = status.condition(ConditionType.READY)
        made = read_timestamp(body["metadata"].get("creationTimestamp"))
        rows.append(
            [
                *(Cell(lines(key[0])) for _ in before),
                Cell(lines(key[1])),
                Cell(ready.status.value if ready else "Unknown", _tone(ready)),
                Cell(lines(ready.reason) if ready else NONE, _tone(ready)),
                *_count(status.targets),
                Cell(age_of(made, session.clock()) or NONE),
            ]
        )
    session.screen.show(table.draw(rows, with_head=True))


def _tone(ready: Condition | None) -> Tone:
    if ready is None:
        return Tone.PLAIN
    return Tone.GOOD if ready.status.value == "True" else Tone.BUSY


def _count(totals: Totals | None) -> list[Cell]:
    if totals is None:
        return [Cell(NONE) for _ in _COUNTS]
    numbers = [getattr(totals, name.lower()) for name in _COUNTS]
    tones = [Tone.PLAIN] * 3 + [Tone.BAD if number else Tone.PLAIN for number in numbers[3:]]
    return [Cell(str(number), tone) for number, tone in zip(numbers, tones, strict=True)]


def _describe(session: CommandContext, body: Document, status: SetStatus) -> Iterable[Line]:
    metadata, ready = body["metadata"], status.condition(ConditionType.READY)
    yield [Cell(f"Name:       {lines(metadata['name'])}")]
    yield [Cell(f"Namespace:  {lines(metadata['namespace'])}")]
    said = f"{ready.status.value}, {lines(ready.reason)}" if ready else "not reconciled yet"
    yield [Cell("Ready:      "), Cell(said, _tone(ready))]
    if ready is not None and ready.message:
        yield [Cell(f"Message:    {lines(ready.message)}")]
    rollout = status.rollout
    if rollout is not None:
        ended = age_of(rollout.finished_at, session.clock())
        when = f"ended {ended} ago" if ended else "under way"
        back = rollout.ordered or rollout.rollback
        where = f", back to version {lines(back.version)}" if back is not None else ""
        text = f"{rollout.attempt}, {rollout.trigger.value.lower()}, {when}{where}"
        yield [Cell(f"Rollout:    {text}")]
    yield [Cell("Waves:", Tone.HEAD)]
    table = TextTable(["  WAVE", "PHASE", "SHARDS", *_COUNTS, "MIGRATED"])
    rows = [_wave_row(wave) for wave in status.waves]
    yield from table.draw(rows, with_head=True)
    if status.failures:
        where = f"-n {lines(metadata['namespace'])} {lines(metadata['name'])}"
        yield [Cell(f"Failures:   kubectl dbmigrate fleet failed {where}")]


def _wave_row(wave: WaveStatus) -> list[Cell]:
    return [
        Cell(f"  {lines(wave.name)}"),
        Cell(wave.phase.value, Tone.BAD if wave.phase.value == "Failed" else Tone.PLAIN),
        Cell(str(wave.shards)),
        *_count(wave.totals),
        Cell(str(wave.migrated)),
    ]


def describe_failures(body: Document, status: SetStatus) -> Iterable[Line]:
    """The failures that the status has, and where the others are."""
    totals = status.targets or Totals()
    if not totals.bad and not status.failures:
        yield [Cell("no target has failed")]
        return
    table = TextTable(["TARGET", "WAVE", "OUTCOME", "REASON", "PLACE", "MESSAGE"])
    rows = [_failure_row(each) for each in status.failures]
    yield from table.draw(rows, with_head=True)
    more = totals.bad - len(status.failures)
    if more > 0:
        yield [Cell(f"and {more:,} more{_where_results_are(body)}")]


def _failure_row(failure: TargetFailure) -> list[Cell]:
    place = failure.file or NONE
    if failure.file and failure.line:
        place = f"{failure.file}:{failure.line}"
    texts = (failure.target, failure.wave, failure.outcome, failure.reason.value, place)
    return [*(Cell(lines(text)) for text in texts), Cell(lines(failure.message))]


def _where_results_are(body: Document) -> str:
    spec = body.get("spec")
    results = spec.get("results") if isinstance(spec, dict) else None
    table = results.get("table") if isinstance(results, dict) else None
    if not isinstance(table, str):
        return ": spec.results keeps a row for each target in the catalog database"
    query = f"SELECT name, reason, message FROM {lines(table)} WHERE outcome <> 'current'"
    return f": in the catalog database, {query}"
