"""`-as-atlas`: a command prints what it did as the JSON document of Atlas's command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.source_location import find_directory
from dbmigrate.cli.command import AS_ATLAS, TEXT, Invocation
from dbmigrate.cli.output.atlas.document import Document, to_json
from dbmigrate.printable import lines

if TYPE_CHECKING:
    from dbmigrate.lint.finding import Finding
    from dbmigrate.runner.commands.revisions import RevisionsChange, RevisionsState
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result
    from dbmigrate.sources.migration import Source

UseCase = Callable[["Request"], "Result[Any]"]


def with_apply_document(invocation: Invocation, use_case: UseCase, *, is_dry: bool) -> UseCase:
    """The use case with a document at its end, or its report in words, if it came to a plan.
    What fails before that is an error alone, as with Atlas."""
    in_words = invocation.values[AS_ATLAS.name] == TEXT

    def work(request: Request) -> Result[Any]:
        from dbmigrate.cli.output.atlas.apply import ApplyRecorder, apply_document, in_atlas_words

        teller = ApplyRecorder(request.observer, passes_steps=in_words)
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
            if in_words:
                from dbmigrate.cli.output.atlas.text import apply_text

                _write(invocation, apply_text(document))
            else:
                _print(invocation, document)
            if result.error is not None:
                return replace(result, error=in_atlas_words(document, result.error))
            # All is reported: `no change` would add nothing.
            return replace(result, value=document)
        return result

    return work


def print_status(invocation: Invocation, state: RevisionsState) -> int:
    """Print it."""
    from dbmigrate.cli.output.atlas.status import begins_at_checkpoint, status_document

    directory = find_directory(invocation.options)
    document = status_document(state, url=_url_of(invocation), directory=directory)
    if invocation.values[AS_ATLAS.name] == TEXT:
        from dbmigrate.cli.output.atlas.text import status_text

        _write(invocation, status_text(document, begins_at_checkpoint=begins_at_checkpoint(state)))
    else:
        _print(invocation, document)
    return 0


def print_change(invocation: Invocation, change: RevisionsChange) -> int:
    """Print what `set` did."""
    from dbmigrate.cli.output.atlas.text import set_text

    _write(invocation, set_text(change))
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
    """As JSON, without a line feed of dbmigrate."""
    _write(invocation, to_json(document))


def _write(invocation: Invocation, text: str) -> None:
    try:
        invocation.output.write(lines(text))
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
