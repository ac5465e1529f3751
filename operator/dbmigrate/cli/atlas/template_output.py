"""`-as-atlas TEMPLATE`: a command tells its end by a Go template on Atlas's document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.arguments.source_location import find_directory
from dbmigrate.cli.atlas.documents import Document
from dbmigrate.cli.atlas.template import Template
from dbmigrate.cli.command import Invocation
from dbmigrate.errors import MigrationError
from dbmigrate.printable import lines
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.lint.finding import Finding
    from dbmigrate.runner.commands.revisions import RevisionsState
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result
    from dbmigrate.sources.migration import Source

UseCase = Callable[["Request"], "Result[Any]"]


def tell_apply(
    invocation: Invocation, template: str, use_case: UseCase, *, is_dry: bool
) -> UseCase:
    """The use case with a document at its end, if it came to a plan. What fails before that
    is an error alone, as with Atlas."""

    def work(request: Request) -> Result[Any]:
        from dbmigrate.cli.atlas.apply_document import Teller, apply_document

        teller = Teller(request.observer)
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
            tell(invocation, template, document)
            if result.error is None:
                # All is told: nobody needs to say `no change` beside it.
                return replace(result, value=document)
        return result

    return work


def tell_status(invocation: Invocation, template: str, state: RevisionsState) -> int:
    """Print it."""
    from dbmigrate.cli.atlas.status_document import status_document

    directory = find_directory(invocation.options)
    tell(
        invocation,
        template,
        status_document(state, url=_url_of(invocation), directory=directory),
    )
    return 0


def tell_lint(
    invocation: Invocation,
    template: str,
    source: Source,
    chosen: Sequence[Any],
    findings: Sequence[Finding],
) -> None:
    """Print it; `chosen` are the migrations that were looked at."""
    from dbmigrate.cli.atlas.lint_document import lint_document
    from dbmigrate.lint.source import LintedScript

    scripts = [LintedScript(each.up.file, each.up.show()) for each in chosen if each.up]
    document = lint_document(
        scripts,
        findings,
        total=len(source.migrations) + len(source.checkpoints),
        url={},
        directory=find_directory(invocation.options),
    )
    tell(invocation, template, document)


def tell(invocation: Invocation, template: str, document: Document) -> None:
    """Fill the template in, and print it without a line feed of ours.

    Raises MigrationError for what the document does not have: the run is over by then.
    """
    try:
        text = Template(template).render(document)
    except UsageError as error:
        raise MigrationError(
            Reason.SOURCE_INVALID, f"the command is done, but can't be told: {error}"
        ) from None
    try:
        invocation.output.write(lines(text))
        invocation.output.flush()
    except (OSError, ValueError):
        pass


def check_template(text: str) -> str:
    """For a flag. Raises ValueError for a template that is not understood."""
    try:
        Template(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


def _url_of(invocation: Invocation) -> Mapping[str, str]:
    """The parameters of the database's URL; empty where it has another form."""
    from dbmigrate.postgres.connection.url import split_url

    _, mark, rest = invocation.options.database.partition("://")
    try:
        return split_url(rest)[0] if mark else {}
    except ValueError:
        return {}
