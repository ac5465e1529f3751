"""lint: what the migrations may do to a running application; runs nothing."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_set, one_of
from dbmigrate.cli.arguments.numbers import read_unsigned
from dbmigrate.cli.arguments.operands import check_version, read_version
from dbmigrate.cli.arguments.usage import LINT
from dbmigrate.cli.command import AS_ATLAS, HELP, Command, Invocation
from dbmigrate.printable import block, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbmigrate.lint.finding import Finding
    from dbmigrate.lint.source import LintedScript
    from dbmigrate.postgres.connection.session import Session
    from dbmigrate.postgres.connection.target import HistoryKind

FORMS = ("text", "json", "sarif", "github")


FLAGS = (
    HELP,
    Flag("since", "Check only the versions above this one", kind="version"),
    Flag("latest", "Check only the newest N migrations", check=read_unsigned, kind="uint"),
    Flag("sizes", "Read the sizes of the tables from the database", kind=""),
    Flag("squawk", "Also run squawk, which the extra `lint` installs", kind=""),
    Flag("strict", "Also exit with 1 for warnings", kind=""),
    Flag("output", "text, json, sarif or github", check=one_of(FORMS), kind="form", default="text"),
    AS_ATLAS,
)


def run(invocation: Invocation) -> int:
    """Examine the files; 1 if anything is an error."""
    from dbmigrate.cli.run import FileUse, find_source
    from dbmigrate.errors import MigrationError
    from dbmigrate.lint.finding import Severity
    from dbmigrate.lint.source import lint
    from dbmigrate.postgres.sqltext.syntax_tree import NOT_INSTALLED, is_installed
    from dbmigrate.report import Reason

    if not is_installed():
        raise MigrationError(Reason.INTERNAL, f"lint can't read the files: {NOT_INSTALLED}")
    since = invocation.values.get("since")
    if since is not None:
        check_version(since, invocation.options)
    source, kind = find_source(invocation, FileUse.REQUIRED)
    if source is not None and source.is_empty:
        from dbmigrate.runner.planning.plan import no_files

        raise no_files(source)  # a mistaken directory must not look like one without findings
    above = read_version(since, kind) if since is not None else None
    latest = invocation.values.get("latest")
    newest = read_unsigned(latest) if latest is not None else None
    with _session(invocation, kind) as session:
        others = partial(_ask_squawk, session) if is_set(invocation.values, "squawk") else None
        findings: list[Finding] = []
        if source is not None:
            findings = list(lint(source, above=above, latest=newest, others=others))
        if session is not None:
            from dbmigrate.lint.catalog_types import without_widened
            from dbmigrate.lint.sizes import read_sizes, weigh

            findings = without_widened(session, findings)
            sizes = read_sizes(session, (each.table for each in findings if each.table))
            findings = [weigh(finding, sizes) for finding in findings]
    if AS_ATLAS.name in invocation.values and source is not None:
        from dbmigrate.cli.output.atlas.output import print_lint
        from dbmigrate.lint.source import choose

        chosen = choose(source, above=above, latest=newest)
        print_lint(invocation, source, chosen, findings)
    else:
        _print(invocation, findings, source.location if source is not None else "")
    worst = {finding.severity for finding in findings}
    is_strict = is_set(invocation.values, "strict")
    return int(Severity.ERROR in worst or (is_strict and Severity.WARNING in worst))


@contextmanager
def _session(invocation: Invocation, kind: HistoryKind) -> Iterator[Session | None]:
    """The database whose table sizes are used; None: none is."""
    if not is_set(invocation.values, "sizes"):
        yield None
        return
    from dbmigrate.cli.run import find_target
    from dbmigrate.postgres.connection.connect import connect

    session = connect(find_target(invocation, None, kind), role="lint")
    try:
        yield session
    finally:
        session.close()


def _ask_squawk(
    session: Session | None, scripts: Sequence[LintedScript]
) -> Mapping[str, Sequence[Finding]]:
    from dbmigrate.lint.squawk import ask_squawk

    if session is None:
        return ask_squawk(scripts)
    (rows,) = session.query("SELECT pg_catalog.current_setting('server_version_num')")
    return ask_squawk(scripts, server_version=int(rows[0][0] or 0))


def _print(invocation: Invocation, findings: Sequence[Finding], location: str) -> None:
    from dbmigrate.cli.output.document import print_json, print_text

    form = invocation.values.get("output", "json" if invocation.options.json else "text")
    text = _draw(findings, form, _from_here(location.removeprefix("file://")))
    if text:
        if form in ("json", "sarif"):
            print_json(invocation.output, text)
        else:
            print_text(invocation.output, text, has_commands=form == "github")
    if form == "text":
        invocation.terminal.line(_count(findings))


def _from_here(directory: str) -> str:
    """The directory relative to the working directory, if it is inside: tools need that."""
    here = os.path.relpath(directory)
    return directory if here.startswith("..") else here


def _draw(findings: Sequence[Finding], form: str, directory: str) -> str:
    if form == "text":
        return "\n".join(
            f"{one_line(each.file)}:{each.line} {each.severity} {each.rule.name}\n"
            f"  {block(each.message, '    ')}\n  instead: {block(each.rule.remedy, '    ')}"
            for each in findings
        )
    from dbmigrate import __version__
    from dbmigrate.lint.outputs import as_annotations, as_sarif, describe

    if form == "github":
        return as_annotations(findings, directory=directory)
    if form == "sarif":
        return as_sarif(findings, directory=directory, version=__version__)
    import json

    return json.dumps({"findings": [describe(each) for each in findings]})


def _count(findings: Sequence[Finding]) -> str:
    if not findings:
        return "nothing found"
    files = len({finding.file for finding in findings})
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.severity.value] = counts.get(finding.severity.value, 0) + 1
    words = [f"{counts[word]} {word}" for word in ("error", "warning", "info") if word in counts]
    return f"{', '.join(words)} in {files} file{'' if files == 1 else 's'}"


COMMAND = Command("lint", LINT, run, flags=FLAGS, twins=("since", "strict", "squawk", "output"))
