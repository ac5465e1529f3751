"""`-as-atlas`: a command prints what it did as the JSON document of Atlas's command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.source_location import find_directory
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.atlas.document import Document, to_json
from dbmigrate.printable import lines

if TYPE_CHECKING:
    from dbmigrate.lint.finding import Finding
    from dbmigrate.runner.commands.revisions import RevisionsState
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result
    from dbmigrate.sources.migration import Source

UseCase = Callable[["Request"], "Result[Any]"]


def with_apply_document(invocation: Invocation, use_case: UseCase, *, is_dry: bool) -> UseCase:
    """The use case with a document at its end, if it came to a plan. What fails before that
    is an error alone, as with Atlas."""

    def work(request: Request) -> Result[Any]:
        from dbmigrate.cli.output.atlas.apply import ApplyRecorder, apply_document

        teller = ApplyRecorder(request.observer)
        result = use_case(replace(request, observer=teller))
        if teller.is_planned:
            document = apply_document(
                teller,
                result.error,
                url=_url_of(invocation),
                directory=find_directory(invocation.options),
                version=result.report.version or "",
                is_dry=is_dry,
            )
            _print(invocation, document)
            if result.error is None:
                # All is told: nobody needs to say `no change` beside it.
                return replace(result, value=document)
        return result

    return work


def print_status(invocation: Invocation, state: RevisionsState) -> int:
    """Print it."""
    from dbmigrate.cli.output.atlas.status import status_document

    directory = find_directory(invocation.options)
    _print(invocation, status_document(state, url=_url_of(invocation), directory=directory))
    return 0


def print_lint(
    invocation: Invocation,
    source: Source,
    chosen: Sequence[Any],
    findings: Sequence[Finding],
) -> None:
    """Print it; `chosen` are the migrations that were looked at."""
    from dbmigrate.cli.output.atlas.lint import lint_document
    from dbmigrate.lint.source import LintedScript

    scripts = [LintedScript(each.up.file, each.up.show()) for each in chosen if each.up]
    document = lint_document(
        scripts,
        findings,
        total=len(source.migrations) + len(source.checkpoints),
        url={},
        directory=find_directory(invocation.options),
    )
    _print(invocation, document)


def _print(invocation: Invocation, document: Document) -> None:
    """As JSON, without a line feed of ours."""
    try:
        invocation.output.write(lines(to_json(document)))
        invocation.output.flush()
    except (OSError, ValueError):
        pass


def _url_of(invocation: Invocation) -> Mapping[str, str]:
    """The parameters of the database's URL; empty where it has another form."""
    from dbmigrate.postgres.connection.url import split_url

    _, mark, rest = invocation.options.database.partition("://")
    try:
        return split_url(rest)[0] if mark else {}
    except ValueError:
        return {}
