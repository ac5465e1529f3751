"""squawk's findings in addition to dbmigrate's, where it is installed (the extra `lint`).

squawk is a separate program with its own SQL parser. It is given the scripts as they are
run, not the files: those of goose and dbmate keep their line numbers. Findings that one
of dbmigrate's rules reports already are left out, and so are those that do not apply
here, because the runner sets a lock_timeout and runs a file as one transaction.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbmigrate.child_process import Child, run
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.lint.finding import Finding, Rule, Severity
from dbmigrate.lint.source import LintedScript
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode
from dbmigrate.report import Reason
from dbmigrate.temporary import temporary_directory

PREFIX = "squawk:"
PASSED_OVER = frozenset(
    # One of dbmigrate's rules reports it.
    "adding-field-with-default adding-foreign-key-constraint adding-not-nullable-field"
    " adding-required-field adding-serial-primary-key-field ban-alter-domain-with-add-constraint"
    " ban-drop-column ban-drop-database ban-drop-table ban-truncate-cascade changing-column-type"
    " constraint-missing-not-valid ban-drop-not-null identifier-too-long"
    " disallowed-unique-constraint prefer-repack renaming-column"
    " renaming-table require-concurrent-index-creation require-concurrent-index-deletion"
    " require-concurrent-partition-detach require-concurrent-reindex"
    # The runner takes care of it.
    " ban-concurrent-index-creation-in-transaction prefer-robust-stmts require-lock-timeout"
    " require-statement-timeout require-timeout-settings transaction-nesting".split()
)
_SYNTAX = "syntax-error"
_AT_ONCE = 500
"""Files that are named in one command line."""
_SEVERITIES = {"Error": Severity.ERROR, "Warning": Severity.WARNING}


def find_squawk() -> str:
    """The program, on the PATH or beside this one. Raises MigrationError (Internal)."""
    found = shutil.which("squawk") or shutil.which("squawk", path=str(Path(sys.executable).parent))
    if found is None:
        raise MigrationError(
            Reason.INTERNAL,
            "squawk is not installed",
            hint="`pip install 'dbmigrate[lint]'`, or omit -squawk",
        )
    return found


def ask_squawk(
    scripts: Sequence[LintedScript],
    *,
    server_version: int | None = None,
    is_whole: bool = False,
) -> Mapping[str, Sequence[Finding]]:
    """squawk's findings, by file. `server_version` is server_version_num; None: unknown.

    With `is_whole` the findings that dbmigrate's rules report are included, for the page that
    compares both.

    Raises MigrationError (Internal) where squawk is missing or fails.
    """
    program = find_squawk()
    found: dict[str, list[Finding]] = {}
    modes = {True: ["--assume-in-transaction"], False: ["--no-assume-in-transaction"]}
    version = [] if server_version is None else [f"--pg-version={_name_version(server_version)}"]
    for is_one_transaction, flags in modes.items():
        some = [s for s in scripts if _is_one_transaction(s) is is_one_transaction]
        for start in range(0, len(some), _AT_ONCE):
            chunk = some[start : start + _AT_ONCE]
            for script, said in _run([program, *flags, *version], chunk):
                if is_whole or said["rule_name"] not in PASSED_OVER:
                    found.setdefault(script.file, []).append(_read(script, said))
    return found


def _run(
    command: list[str], scripts: Sequence[LintedScript]
) -> Iterable[tuple[LintedScript, Mapping[str, Any]]]:
    with temporary_directory("dbmigrate-squawk-") as directory:
        files = {str(directory / f"{n}.sql"): script for n, script in enumerate(scripts)}
        for path, script in files.items():
            Path(path).write_bytes(script.sql)
        try:
            ended = run(Child.LINTER, [*command, "--reporter=json", *files])
        except OSError as error:
            raise MigrationError(
                Reason.INTERNAL, f"squawk can't be run: {cause_of(error)}"
            ) from None
    try:
        return [(files[said["file"]], said) for said in json.loads(ended.output)]
    except (ValueError, KeyError, TypeError):
        text = " ".join((ended.complaint or ended.output).decode(errors="replace").split())[:500]
        raise MigrationError(
            Reason.INTERNAL, f"squawk does not work (exit code {ended.code}): {text}"
        ) from None


def _read(script: LintedScript, said: Mapping[str, Any]) -> Finding:
    name = said["rule_name"]
    severity = _SEVERITIES.get(said["level"], Severity.INFO)
    reason, remedy = said["message"].strip(), (said["help"] or "").strip()
    if name == _SYNTAX:
        # PostgreSQL may read what another parser does not: this is never an error.
        severity = Severity.WARNING
        reason, remedy = f"squawk can't read the file: {reason}", "check whether PostgreSQL can"
    remedy = remedy or f"see squawk's page of {name}"
    rule = Rule(f"{PREFIX}{name}", severity, reason.rstrip("."), remedy.rstrip("."))
    return Finding(rule, script.file, int(said["line"]) + 1, severity)


def _is_one_transaction(script: LintedScript) -> bool | None:
    """None for a script in batches: its places for values are no SQL, and it makes no tables."""
    kind = transaction_mode(script.sql, script.file).kind
    return None if kind is TransactionKind.BATCHED else kind is not TransactionKind.NONE


def _name_version(server_version: int) -> str:
    return f"{server_version // 10000}.{server_version % 10000}"
