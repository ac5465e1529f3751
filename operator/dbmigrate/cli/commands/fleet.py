"""fleet VERB: one of the commands on many databases or schemas side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set, present
from dbmigrate.cli.arguments.numbers import read_duration
from dbmigrate.cli.arguments.operands import read_version, the_target
from dbmigrate.cli.arguments.suggestions import guess
from dbmigrate.cli.arguments.usage import FLEET
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.target import ConnectionTarget, HistoryTable
    from dbmigrate.runner.fleet.addresses import Addresses, PasswordFiles
    from dbmigrate.runner.fleet.list_file import PlacedRow
    from dbmigrate.runner.fleet.run import FleetResult
    from dbmigrate.runner.fleet.selection import Selection
    from dbmigrate.runner.fleet.shards import Shard
    from dbmigrate.runner.fleet.waves import FailureLimit, Wave
    from dbmigrate.runner.stop import Stop
    from dbmigrate.sources.migration import Source

VERBS = ("up", "goto", "status", "plan", "verify", "wait", "survey")
VERSIONED = frozenset({"goto", "status", "plan", "survey"})
"""These take a version: where the targets should be, or would be."""
_WAYS_BACK = ("down", "rollback", "undo")
PENDING_CODE = 3
EXCEEDED_CODE = 4
"""With -tolerate-failures: more targets have failed than -max-failures allows."""
DEFAULT_CONCURRENCY = 8


def _checked(name: str) -> Callable[[str], object]:
    """A reader of dbmigrate.runner.fleet, which is imported when it is needed."""

    def check(text: str) -> object:
        from dbmigrate.runner.fleet import shards, waves

        readers: dict[str, Callable[[str], object]] = {
            "plans": _read_plans,
            "concurrency": waves.parse_concurrency,
            "max-failures": waves.parse_failure_limit,
            "shard": shards.parse_shard,
        }
        return readers[name](text)

    return check


def _read_plans(text: str) -> None:
    """Checksums with commas between. Raises ValueError."""
    from dbmigrate.report.document import is_checksum

    if not all(is_checksum(each) for each in text.split(",")):
        raise ValueError("expected checksums of plans, with commas between")


FLAGS = (
    HELP,
    Flag("targets", "The list of targets: a file of YAML, JSON or CSV", kind="file"),
    Flag("targets-query", "A SELECT on the catalog database that gives the targets", kind="sql"),
    Flag("catalog", "The catalog database (default the one of -database)", kind="url"),
    Flag("password-dir", "The directory of the targets' password files", kind="dir"),
    Flag(
        "concurrency",
        "How many targets are migrated at a time (default 8, or the wave's)",
        check=_checked("concurrency"),
        kind="n",
    ),
    Flag(
        "shard",
        "Take one of N equal parts of the targets, counted from 0: 3/200",
        check=_checked("shard"),
        kind="i/n",
    ),
    Flag("wave", "Take the targets of that wave", kind="name"),
    Flag(
        "max-failures",
        "Start no further target after more failures than that: 10, or 5% (default the wave's)",
        check=_checked("max-failures"),
        kind="limit",
    ),
    Flag("results", "Store a row for each target in that table of the catalog", kind="table"),
    Flag("waves", "The waves, instead of those of the list: a file of YAML or JSON", kind="file"),
    Flag(
        "tolerate-failures",
        "Exit with 0 once each target was tried, even if some have failed: see the report",
        kind="",
    ),
    Flag(
        "samples",
        "Of survey: read all histories, and plan, lint and rehearse on one target of each version",
        kind="",
    ),
    Flag(
        "plans",
        "Of up and goto: run only plans of a survey, by their checksums",
        check=_checked("plans"),
        kind="list",
    ),
    Flag(
        "timeout",
        "Of wait: how long to wait: 5m, 90s; none waits without limit (default none)",
        check=read_duration,
        kind="duration",
    ),
    Flag("json", "Print a line of JSON for each target, and the report as the last one", kind=""),
)
_FOR_VERBS = (("timeout", ("wait",)), ("samples", ("survey",)), ("plans", ("up", "goto")))
_TWINS = tuple(flag.name for flag in FLAGS if flag is not HELP and flag.kind != "")


def run(invocation: Invocation) -> int:
    """Do it on all of them; 0 if all are where they should be."""
    verb = _read_verb(invocation)
    version = _read_version(verb, invocation)
    if is_set(invocation.values, "json"):
        invocation = invocation._replace(options=invocation.options._replace(json=True))
    from dataclasses import replace

    from dbmigrate.cli.output.fleet import FleetNarrator, conclude
    from dbmigrate.cli.run import FileUse, read_order
    from dbmigrate.cli.signals import SignalWatch
    from dbmigrate.runner.fleet.addresses import Addresses
    from dbmigrate.runner.fleet.request import FleetRequest
    from dbmigrate.runner.fleet.results import Results
    from dbmigrate.runner.fleet.run import run_fleet
    from dbmigrate.runner.stop import Stop

    values, terminal = invocation.values, invocation.terminal
    stop, grace = Stop(), invocation.options.grace_period
    with SignalWatch(stop, terminal, grace=grace or float("inf")):
        order = read_order(invocation, FileUse.REQUIRED, _shared_database(invocation))
        if order.source is None:
            raise AssertionError("the files are required")
        addresses = Addresses(
            order.target,
            invocation.environ,
            _password_files(invocation),
            trusts_servers="targets" in values,
        )
        catalog = _find_catalog(invocation, order.target)
        waves: list[Wave] = []
        chosen = _select(invocation, addresses, catalog, stop, waves)
        if verb != "survey":
            _check_options(invocation, chosen)
        if not chosen.targets:
            terminal.warning(f"no target of {chosen.listed} is to be worked on")
        results = None
        if "results" in values:
            results = Results(catalog, _results_table(values["results"]))
        narrator = FleetNarrator(invocation, len(chosen.targets))
        options = order.options
        if "plans" in values:
            options = replace(options, plan_checksum=values["plans"])
        history = order.target.history.kind
        request = FleetRequest(
            command=verb,
            version=None if version is None else read_version(version, history),
            targets=chosen.targets,
            addresses=addresses,
            source=_sources(invocation, order.source),
            options=options,
            observer=narrator,
            stop=stop,
            concurrency=_concurrency(invocation, chosen.wave),
            max_failures=_max_failures(invocation, chosen.wave),
            results=results,
        )
        if verb == "survey":
            from dbmigrate.cli.output.survey import tell_survey

            return tell_survey(invocation, request, waves)
        found = run_fleet(request, timeout=read_duration(values.get("timeout", "none")))
    if results is not None:
        results.close()
    conclude(
        invocation, request, found, narrator, wave=values.get("wave"), shard=_shard(invocation)
    )
    if is_set(values, "tolerate-failures"):
        return _tolerant_code(found)
    return _code(verb, found)


def _read_verb(invocation: Invocation) -> str:
    operands, values = invocation.operands, invocation.values
    if not operands:
        raise ArgumentError(f"please say what to do: fleet {', '.join(VERBS[:-1])} or {VERBS[-1]}")
    verb = operands[0]
    if verb not in VERBS:
        shown = verb if verb.replace("-", "").isalpha() else "(not shown)"
        back = ": fleet goto V goes back to a version" if verb in _WAYS_BACK else guess(verb, VERBS)
        raise ArgumentError(f"fleet {shown} is not known{back}: {', '.join(VERBS)}")
    if len(operands) > 1 and verb not in VERSIONED:
        raise ArgumentError(
            f"too many arguments: {present(operands[1])}", hint=f"fleet {verb} takes none"
        )
    if ("targets" in values) == ("targets-query" in values):
        raise ArgumentError("name the targets: either -targets FILE or -targets-query SQL")
    for name, only in _FOR_VERBS:
        if name in values and verb not in only:
            raise ArgumentError(f"-{name} is for fleet {' and '.join(only)}")
    return verb


def _read_version(verb: str, invocation: Invocation) -> str | None:
    """V as it was typed; None for the newest one."""
    operands = invocation.operands[1:]
    if not operands and verb != "goto":
        return None
    return the_target(operands, invocation.options)


def _check_options(invocation: Invocation, chosen: Selection) -> None:
    options = invocation.options
    if options.rehearse_on:
        raise ArgumentError(
            "-rehearse-on would rehearse the same files on each target: rehearse them once,"
            " on one of them"
        )
    if options.backup_to and any(target.schema for target in chosen.targets):
        raise ArgumentError(
            "-backup-to saves a whole database for each target, and some targets are schemas:"
            " save the database once before"
        )


def _shared_database(invocation: Invocation) -> str | None:
    """What all targets share; nothing, where each row says all of it."""
    from dbmigrate.postgres.connection.target import LIBPQ_VARIABLES

    is_given = invocation.options.database or any(map(invocation.environ.get, LIBPQ_VARIABLES))
    return None if is_given else "postgres://"


def _find_catalog(invocation: Invocation, shared: ConnectionTarget) -> ConnectionTarget:
    from dbmigrate.postgres.connection.target import parse_target

    given = invocation.values.get("catalog")
    needs = [name for name in ("targets-query", "results") if name in invocation.values]
    if needs and not given and _shared_database(invocation) is not None:
        raise ArgumentError(f"-{needs[0]} needs the catalog database: -catalog, or -database")
    return parse_target(given, invocation.environ) if given else shared


def _password_files(invocation: Invocation) -> PasswordFiles:
    from dbmigrate.runner.fleet.addresses import PasswordFiles

    directory, file = (invocation.values.get(name) for name in ("password-dir", "targets"))
    if directory:
        if not os.path.isdir(directory):
            raise ArgumentError("-password-dir is no directory")
        return PasswordFiles(directory)
    if file is None or invocation.options.confined_to:
        # A database, or the author of a resource, is not to choose files of this machine.
        return PasswordFiles(None)
    return PasswordFiles(os.path.dirname(file) or ".")


def _select(
    invocation: Invocation,
    addresses: Addresses,
    catalog: ConnectionTarget,
    stop: Stop,
    waves: list[Wave],
) -> Selection:
    """The targets to work on; `waves` is filled with those that are defined."""
    from dbmigrate.runner.fleet.selection import select

    listed: list[Wave] = waves
    if "waves" in invocation.values:
        from dbmigrate.runner.fleet.list_file import read_waves

        listed = []
        waves += read_waves(invocation.values["waves"])
    rows: Iterable[PlacedRow]
    if "targets" in invocation.values:
        from dbmigrate.runner.fleet.list_file import read_list

        source = invocation.values["targets"]
        if present(source) != source and not os.path.isfile(source):
            raise ArgumentError(
                "-targets is no file (not shown, because it may contain a password)"
            )
        rows = read_list(source, listed)
    else:
        from dbmigrate.runner.fleet.catalog import SOURCE, query_rows

        source = SOURCE
        rows = query_rows(catalog, invocation.values["targets-query"], stop)
    return select(
        rows,
        waves,
        identify=addresses.identify,
        shard=_shard(invocation),
        wave=invocation.values.get("wave"),
        source=source,
    )


def _results_table(text: str) -> HistoryTable:
    from dbmigrate.errors import MigrationError
    from dbmigrate.postgres.connection.target import parse_history_table

    try:
        return parse_history_table(text)
    except MigrationError:
        raise ArgumentError("-results: expected table or schema.table") from None


def _shard(invocation: Invocation) -> Shard | None:
    from dbmigrate.runner.fleet.shards import parse_shard

    text = invocation.values.get("shard")
    return None if text is None else parse_shard(text)


def _concurrency(invocation: Invocation, wave: Wave | None) -> int:
    from dbmigrate.runner.fleet.waves import parse_concurrency

    text = invocation.values.get("concurrency")
    if text is not None:
        return parse_concurrency(text)
    return (wave.concurrency if wave is not None else None) or DEFAULT_CONCURRENCY


def _max_failures(invocation: Invocation, wave: Wave | None) -> FailureLimit | None:
    from dbmigrate.runner.fleet.waves import parse_failure_limit

    text = invocation.values.get("max-failures")
    if text is not None:
        return parse_failure_limit(text)
    return wave.max_failures if wave is not None else None


def _sources(invocation: Invocation, source: Source) -> Callable[[], Source]:
    """The same files for all; scripts that learn of their database are read for each target."""
    from dbmigrate.cli.run import FileUse, find_source
    from dbmigrate.runner.fleet.shared_source import share

    shared = share(source)
    if source.learn is None:
        return lambda: shared

    def read_again() -> Source:
        found, _ = find_source(invocation, FileUse.REQUIRED, warns=False)
        return found or shared

    return read_again


def _code(verb: str, found: FleetResult) -> int:
    summary = found.summary
    if found.results_error is not None:
        return 1
    counts = summary.to_counts()
    if verb == "plan":
        return 0 if summary.failed + counts.skipped == 0 else 1
    if summary.is_good:
        return 0
    is_behind_alone = counts.current + counts.pending + counts.dirty == counts.total
    return PENDING_CODE if verb == "status" and is_behind_alone else 1


def _tolerant_code(found: FleetResult) -> int:
    """Of a shard of a Job: it is done when each of its targets was tried."""
    if found.has_exceeded_failures:
        return EXCEEDED_CODE
    counts = found.summary.to_counts()
    is_done = counts.skipped == 0 and found.results_error is None
    return 0 if is_done and not found.was_stopped else 1


COMMAND = Command("fleet", FLEET, run, flags=FLAGS, operand="V", twins=_TWINS, has_verb=True)
