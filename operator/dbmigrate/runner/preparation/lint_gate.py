"""Lint in a run: before the first step, and before anything is changed.

The findings of lint in the pending scripts are reported, kept for the report, and under
`reject` an error stops the run. A script that is meant says so itself, by a comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dbmigrate.errors import Location, MigrationError
from dbmigrate.lint.finding import Finding, Severity
from dbmigrate.lint.pending import judge_pending
from dbmigrate.policies import LintPolicy
from dbmigrate.postgres.connection.errors import LOCK_NOT_AVAILABLE, QUERY_CANCELED, ServerFailure
from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.postgres.sqltext.syntax_tree import NOT_INSTALLED, is_installed
from dbmigrate.report import Reason
from dbmigrate.report.preparation import LintFinding
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Migration, Script
from dbmigrate.versions import Role

REPORTED = 8
"""Findings that a report holds: it has to fit into a termination message."""
MESSAGE_LIMIT = 160
"""Characters of each one's message there."""
_NAMED = 3
"""Findings that the error names."""


def lint_steps(run: Run, steps: Sequence[PlannedStep]) -> None:
    """Look at these steps up, tell what is found and keep it for the report.

    Raises MigrationError: LintRejected where an error is found and the policy is
    `reject`, SourceInvalid for a script that can't be read or split.
    """
    if not is_installed():
        text = f"lint can't check the pending files: {NOT_INSTALLED}"
        run.request.observer.notice(Notice("WARNING", text))
        return
    migrations = [
        Migration(step.version, step.name, step.script, _down_of(run, step), role=step.role)
        for step in steps
    ]
    findings = analyse(partial(_judge, run, migrations), partial(_tell_fault, run))
    for finding in findings:
        run.request.observer.notice(_tell(finding))
    serious = [each for each in findings if each.severity is not Severity.INFO]
    run.findings = tuple(_describe(finding) for finding in serious[:REPORTED])
    run.findings_total = len(serious)
    errors = [each for each in serious if each.severity is Severity.ERROR]
    if errors and run.request.options.lint is LintPolicy.REJECT:
        raise _rejected(errors)


def _down_of(run: Run, step: PlannedStep) -> Script | None:
    migration = run.source.find(step.version) if step.role is Role.VERSIONED else None
    return migration.down if migration is not None else None


def _judge(run: Run, migrations: Sequence[Migration]) -> tuple[Finding, ...]:
    """Weighed by the tables' sizes. Where they can't be had, every table may be a large one."""
    session = run.database.session
    try:
        return judge_pending(migrations, session)
    except ServerFailure as failure:
        session.roll_back()
        text = f"lint can't read the sizes of the tables: {failure.error.message}"
        is_passing = failure.sqlstate in (LOCK_NOT_AVAILABLE, QUERY_CANCELED)
        if is_passing and run.request.options.lint is LintPolicy.REJECT:
            raise MigrationError(Reason.BLOCKED_BY_QUERY, text, sqlstate=failure.sqlstate) from None
        run.request.observer.notice(Notice("WARNING", text))
        return judge_pending(migrations, None)


def _tell_fault(run: Run, problem: str) -> tuple[Finding, ...]:
    run.request.observer.notice(Notice("WARNING", f"lint has no result: {problem}"))
    return ()


def _tell(finding: Finding) -> Notice:
    text = f"line {finding.line}: {finding.rule.name}: {finding.message}"
    if finding.severity is Severity.INFO:
        return Notice("INFO", text, finding.file)
    return Notice("WARNING", f"{text}; instead: {finding.rule.remedy}", finding.file)


def _describe(finding: Finding) -> LintFinding:
    message = finding.message
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 3] + "..."
    return LintFinding(
        finding.rule.name, finding.severity.value, finding.file, finding.line, message
    )


def _rejected(errors: Sequence[Finding]) -> MigrationError:
    first = errors[0]
    named = "; ".join(f"{e.file}:{e.line} {e.rule.name}: {e.message}" for e in errors[:_NAMED])
    more = f"; and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
    return MigrationError(
        Reason.LINT_REJECTED,
        f"rejected by lint, nothing was changed: {named}{more}",
        location=Location(first.file, first.line),
        hint=f"{first.rule.remedy}; or, if it is meant, put"
        f" `-- dbmigrate:ignore {first.rule.name}` above the statement",
    )
