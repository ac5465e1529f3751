"""What an event of a watch stream means: what to remember, and whom to wake.

The index side (`take_in_...`) only remembers; the event side (`on_...`) comes
after everything is remembered, and wakes. An object of another's making that
happens to carry our label is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dbmigrate.api.action import Action, parse_action
from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import parse_migration
from dbmigrate.controller.files import looks_like_migrations, read_config_map
from dbmigrate.controller.observed import Key, Observed
from dbmigrate.controller.runs import Pod, Run, parse_pod, parse_run
from dbmigrate.controller.wakes import Wakes

log = logging.getLogger(__name__)

Body = Mapping[str, Any]


class Watch:
    """The receiving end of the watch streams."""

    def __init__(self, observed: Observed, wakes: Wakes) -> None:
        self._observed = observed
        self._wakes = wakes

    def take_in_migration(self, body: Body) -> None:
        """Remember whose database it is, and its body until it has been looked at."""
        document = dict(body)
        self._observed.see_body(document)
        try:
            self._observed.see_migration(parse_migration(document))
        except SpecError:
            return  # looked at all the same: its status will say what is wrong

    def on_migration(self, body: Body, *, is_gone: bool) -> None:
        """A resource has come, changed or gone."""
        key = _key(body)
        if not is_gone:
            self._wakes.wake(key)
            return
        for waiting in self._observed.forget_migration(key, body["metadata"]["uid"]):
            self._wakes.wake(waiting)
        self._wakes.forget(key)
        # A last look finds nothing there, and lets go of what is left of it.
        self._wakes.wake(key)

    def take_in_action(self, body: Body) -> None:
        """Remember an order."""
        action = _read_action(body)
        if action is not None:
            self._observed.see_action(action)

    def on_action(self, body: Body, *, is_gone: bool) -> None:
        """An order has come, changed or gone."""
        action = _read_action(body)
        if action is None:
            return
        if is_gone:
            self._observed.forget_action(action)
        self._wakes.wake((action.namespace, action.migration))

    def take_in_job(self, body: Body) -> None:
        """Remember a Job."""
        run = _read_run(body)
        if run is not None:
            self._observed.see_run(run)

    def on_job(self, body: Body, *, is_gone: bool) -> None:
        """A Job has come, changed or gone."""
        run = _read_run(body)
        if run is None:
            return
        if is_gone:
            self._observed.forget_run(run)
        self._wake_owner(run.migration_uid)

    def take_in_pod(self, body: Body) -> None:
        """Remember a Pod."""
        pod = _read_pod(body, is_gone=False)
        if pod is not None:
            self._observed.see_pod(pod)

    def on_pod(self, body: Body, *, is_gone: bool) -> None:
        """A Pod has come, changed or gone."""
        pod = _read_pod(body, is_gone=is_gone)
        if pod is None:
            return
        if is_gone:
            self._observed.see_pod(pod)
        self._wake_owner(pod.migration_uid)

    def take_in_config_map(self, body: Body) -> None:
        """Remember the content of a ConfigMap that holds migrations, as a hash."""
        document = dict(body)
        if looks_like_migrations(document):
            self._observed.see_config_map(_key(body), read_config_map(document))
        else:
            self._observed.forget_config_map(_key(body))

    def on_config_map(self, body: Body, *, is_gone: bool) -> None:
        """A ConfigMap has come, changed or gone."""
        key = _key(body)
        if is_gone:
            self._observed.forget_config_map(key)
        for user in self._observed.users_of(key):
            self._wakes.wake(user)

    def _wake_owner(self, uid: str) -> None:
        key = self._observed.find_key(uid)
        if key is not None:
            self._wakes.wake(key)


def _key(body: Body) -> Key:
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"]


def _read_action(body: Body) -> Action | None:
    try:
        return parse_action(dict(body))
    except SpecError as problem:
        log.warning("a MigrationAction can't be understood: %s", problem)
        return None


def _read_run(body: Body) -> Run | None:
    try:
        return parse_run(dict(body))
    except (KeyError, ValueError) as problem:
        log.debug("a Job with our label is not ours: %r", problem)
        return None


def _read_pod(body: Body, *, is_gone: bool) -> Pod | None:
    try:
        return parse_pod(dict(body), is_gone=is_gone)
    except KeyError as problem:
        log.debug("a Pod with our label is not ours: %r", problem)
        return None
