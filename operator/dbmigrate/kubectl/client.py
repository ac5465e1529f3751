"""The API server through the user's own kubectl, one request a call.

kubectl supports every login method of the kubeconfig (certificates, tokens, exec
plugins, proxies), and it is installed: it has started this program. Requests use
`--raw`, so that nothing is discovered in addition; a call takes some 40 ms, a fifth
of the time to import a client library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from threading import Thread
from typing import IO
from urllib.parse import urlencode

from dbmigrate.api.documents import decode
from dbmigrate.api.fields import Document
from dbmigrate.child_process import DEVNULL, PIPE, Process, start_kubectl
from dbmigrate.kubectl.access import (
    ClusterOptions,
    explain_no_context,
    find_pod_namespace,
    find_program,
)
from dbmigrate.kubectl.problems import RequestFailed, begins_error, translate
from dbmigrate.kubectl.stream import Stream
from dbmigrate.printable import lines

REQUEST_TIMEOUT = "--request-timeout=30s"
"""For all but watches and logs. No request of the plugin takes long."""
WATCH_SECONDS = 1800
"""After which the server ends a watch; it is then begun again."""


class Kubectl:
    """kubectl for the user's cluster."""

    def __init__(self, access: ClusterOptions, environ: Mapping[str, str]) -> None:
        self._access = access
        self._environ = environ

    @cached_property
    def namespace(self) -> str:
        """The named namespace, or the kubeconfig's. Raises ClusterError without any."""
        if self._access.namespace:
            return self._access.namespace
        path = "jsonpath={.contexts[0].context.namespace}"
        try:
            found = self._run(["config", "view", "--minify", "-o", path])
        except RequestFailed as problem:
            if "current-context must exist" not in str(problem):
                raise
            of_pod = find_pod_namespace(self._environ)
            if of_pod is None:
                raise explain_no_context(self._access, self._environ) from None
            return of_pod
        return found.strip() or "default"

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """Read an object or a collection. Raises ClusterError."""
        return _read(self._run(["get", REQUEST_TIMEOUT, "--raw", _with_query(path, query or {})]))

    def create(self, path: str, body: Document) -> Document:
        """Create an object in a collection; returns it as stored. Raises ClusterError."""
        arguments = ["create", REQUEST_TIMEOUT, "--raw", path, "-f", "-"]
        return _read(self._run(arguments, json.dumps(body)))

    def watch(self, path: str, query: Mapping[str, str]) -> Stream:
        """The changes of a collection from a resourceVersion on. Close it, or use `with`."""
        asked = {**query, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        return Stream(self._start(["get", "--raw", _with_query(path, asked)], None))

    def show_logs(self, namespace: str, pod: str, container: str, *, follow: bool) -> None:
        """Print a container's log to the standard output. Raises ClusterError."""
        sys.stdout.flush()
        arguments = ["logs", "--namespace", namespace, pod, "--container", container]
        self._run([*arguments, *(["--follow"] if follow else [])], prints=True)

    def _run(
        self, arguments: Iterable[str], body: str | None = None, *, prints: bool = False
    ) -> str:
        with self._start(arguments, body) as process:
            complaint = Complaint(process.stderr)
            try:
                if process.stdin is not None and body is not None:
                    process.stdin.write(body)
                    process.stdin.close()
                if prints:
                    _pass_on(process.stdout)
                output = process.stdout.read() if process.stdout is not None else ""
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            said = complaint.read()
        if code != 0:
            raise translate(said)
        return output

    def _start(self, arguments: Iterable[str], body: str | None) -> Process[str]:
        program = find_program(self._environ)
        # A login may ask at the terminal; piped input is not for kubectl.
        inherited = None if sys.stdin is not None and sys.stdin.isatty() else DEVNULL
        return start_kubectl(
            [*program, *self._access.arguments, *arguments],
            stdin=inherited if body is None else PIPE,
            stdout=PIPE,
        )


def _pass_on(stream: IO[str] | None) -> None:
    """Print a container's log as it arrives; a container may print anything."""
    for line in stream or ():
        sys.stdout.write(lines(line))
        sys.stdout.flush()


class Complaint:
    """kubectl's standard error: the error message is kept, earlier lines go to the user."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._lines: list[str] = []
        self._thread = Thread(target=self._collect, args=(stream,), daemon=True)
        self._thread.start()

    def read(self) -> str:
        """The error message, once kubectl has ended."""
        self._thread.join()
        return "".join(self._lines)

    def _collect(self, stream: IO[str] | None) -> None:
        for line in stream or ():
            if self._lines or begins_error(line):
                self._lines.append(line)
            else:
                sys.stderr.write(lines(line))
                sys.stderr.flush()


def _read(output: str) -> Document:
    try:
        document = decode(output)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RequestFailed("the answer is no API object: is there a proxy before the API server?")
    return document


def _with_query(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
