"""`status`: a table of all migrations, or one in full; with -w, kept up to date.

On a terminal -w redraws the table, once a second for the ages. Elsewhere it prints a
row when something other than an age has changed, as `kubectl get -w` does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dbmigrate.kubectl.collection import Collection, CollectionSnapshot, Key, list_all, observe
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.requests import Output, StatusRequest
from dbmigrate.kubectl.resource import (
    Resource,
    explain_missing,
    find_resource,
    migrations,
    read_resource,
)
from dbmigrate.kubectl.screen import Line
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.kubectl.text.description import describe
from dbmigrate.kubectl.text.rows import identify, make_gone_row, make_row, name_columns
from dbmigrate.kubectl.text.table import Cell, TextTable, Tone


def show_status(session: CommandContext, request: StatusRequest) -> None:
    """Run the command. Raises ClusterError."""
    if request.name is not None and request.in_all_namespaces:
        raise RequestFailed("a NAME is in one namespace: leave out -A")
    if request.is_watching and request.output is Output.JSON:
        raise RequestFailed("-w has no JSON: kubectl get dbm -w -o json streams it")
    if request.is_watching:
        _Live(session, request).run()
    elif request.name is not None:
        _show_one(session, request, request.name)
    else:
        _show_all(session, request)


def _show_one(session: CommandContext, request: StatusRequest, name: str) -> None:
    resource = find_resource(session.kubectl, name)
    if request.output is Output.JSON:
        session.screen.document(json.dumps(resource.body, indent=2))
    else:
        session.screen.show(describe(resource, session.clock()))


def _show_all(session: CommandContext, request: StatusRequest) -> None:
    listing = list_all(session.kubectl, _choose(session, request))
    if request.output is Output.JSON:
        items = [listing.objects[key] for key in sorted(listing.objects)]
        body = {"apiVersion": "v1", "kind": "List", "items": items}
        session.screen.document(json.dumps(body, indent=2))
        return
    if not listing.objects:
        session.screen.note(_explain_nothing(session, request))
        return
    view = _TableView(session, request)
    resources = [read_resource(listing.objects[key]) for key in sorted(listing.objects)]
    session.screen.show(view.draw(resources))


def _choose(session: CommandContext, request: StatusRequest) -> Collection:
    collection = migrations(None if request.in_all_namespaces else session.kubectl.namespace)
    if request.name is not None:
        return collection.only(request.name)
    if request.selector is not None:
        return replace(collection, query={"labelSelector": request.selector})
    return collection


def _explain_nothing(session: CommandContext, request: StatusRequest) -> str:
    where = "the cluster" if request.in_all_namespaces else f"namespace {session.kubectl.namespace}"
    return f"no DatabaseMigration found in {where}"


BREATH = 0.1
"""Seconds between two drawings: a thousand resources that change at once are drawn together."""


class _TableView:
    """The table of a request."""

    def __init__(
        self, session: CommandContext, request: StatusRequest, *, is_wide: bool = False
    ) -> None:
        self._clock = session.clock
        self._with_namespace = request.in_all_namespaces
        self._is_wide = is_wide or request.output is Output.WIDE
        self.columns = name_columns(with_namespace=self._with_namespace, is_wide=self._is_wide)
        self.table = TextTable(self.columns)

    def make_row(self, resource: Resource) -> list[Cell]:
        """The resource's present row."""
        return make_row(
            resource, self._clock(), with_namespace=self._with_namespace, is_wide=self._is_wide
        )

    def draw(self, resources: Iterable[Resource]) -> Sequence[Line]:
        """The head and a row for each."""
        return self.table.draw([self.make_row(each) for each in resources], with_head=True)


class _Live:
    """A view that follows the cluster until it is interrupted."""

    def __init__(self, session: CommandContext, request: StatusRequest) -> None:
        self._session = session
        self._request = request
        self._view = _TableView(session, request, is_wide=session.screen.is_live)
        self._known: dict[Key, Resource] = {}
        self._told: dict[Key, tuple[str, ...]] = {}
        self._has_head = False
        self._painted_at = 0.0

    def run(self) -> None:
        """Follow. Raises ClusterError, also when the one resource is gone."""
        for sight in observe(self._session.kubectl, _choose(self._session, self._request)):
            self._learn(sight)
            if self._request.name is not None and not self._known:
                raise explain_missing(self._session.kubectl, self._request.name)
            if not self._session.screen.is_live:
                self._append(sight)
            elif time.monotonic() - self._painted_at >= BREATH:
                # What is left out here is drawn at the next tick at the latest.
                self._session.screen.repaint(self._paint(sight.problem))
                self._painted_at = time.monotonic()

    def _learn(self, sight: CollectionSnapshot) -> None:
        for key in sight.changed:
            if key in sight.objects:
                self._known[key] = read_resource(sight.objects[key])
            else:
                self._known.pop(key, None)

    def _paint(self, problem: str | None) -> list[Line]:
        lines: list[Line]
        resources = [self._known[key] for key in sorted(self._known)]
        if self._request.name is not None:
            lines = list(describe(resources[0], self._session.clock()))
        elif resources:
            lines = list(self._view.draw(resources))
        else:
            lines = [[Cell(_explain_nothing(self._session, self._request))]]
        if problem is not None:
            lines.append([Cell(f"out of date: {problem}", Tone.BAD)])
        return lines

    def _append(self, sight: CollectionSnapshot) -> None:
        rows = []
        for key in sorted(sight.changed):
            resource = self._known.get(key)
            if resource is not None:
                row = self._view.make_row(resource)
            else:
                row = make_gone_row(*key, self._view.columns)
            said = identify(row, self._view.columns)
            if self._told.get(key) != said:
                self._told[key] = said
                rows.append(row)
        if rows:
            self._session.screen.show(self._view.table.draw(rows, with_head=not self._has_head))
            self._has_head = True
