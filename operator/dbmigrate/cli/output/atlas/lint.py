"""The document of `migrate lint`: Atlas's SummaryReport, with our rules' findings.

A rule that has a counterpart in Atlas appears under that check's code, the others under
their own names. The schemas, which Atlas writes in HCL, are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbmigrate.cli.output.atlas.document import Document, environment_document
from dbmigrate.lint.finding import Finding, Severity
from dbmigrate.lint.ignore import code_of
from dbmigrate.lint.source import LintedScript

_TEXTS = {
    "DS": "destructive changes detected",
    "MF": "data dependent changes detected",
    "BC": "backward incompatible changes detected",
    "PG": "concurrent index violations detected",
}
_OTHERS = "changes that may hurt the application detected"


def lint_document(
    scripts: Sequence[LintedScript],
    findings: Sequence[Finding],
    *,
    total: int,
    url: Mapping[str, str],
    directory: str,
) -> Document:
    """`scripts` are those that were looked at, of `total` that there are."""
    files = [_file(each, [f for f in findings if f.file == each.file]) for each in scripts]
    found = f"Found {len(files)} new migration files (from {total} total)"
    steps = [
        _step("Migration Integrity Check", "File atlas.sum is valid"),
        _step("Detect New Migration Files", found),
        *(
            _step(
                f"Analyze {each['Name']}",
                f"{len(each['Reports'])} reports were found in analysis",
                each,
            )
            for each in files
        ),
    ]
    fields = {
        "Env": environment_document(url, directory),
        "Steps": steps,
        "Schema": Document({"Current": "", "Desired": ""}),
        "Files": files,
    }
    return Document(fields, kept=("Env", "Schema"))


def _step(name: str, text: str, result: Document | None = None) -> Document:
    return Document({"Name": name, "Text": text, "Error": "", "Result": result})


def _file(script: LintedScript, findings: Sequence[Finding]) -> Document:
    reports: dict[str, list[Document]] = {}
    worst = ""
    for finding in findings:
        code = code_of(finding.rule.name) or finding.rule.name
        text = _TEXTS.get(code[:2], _OTHERS)
        reports.setdefault(text, []).append(_diagnostic(script, finding, code))
        if finding.severity is Severity.ERROR:
            worst = worst or text
    fields: dict[str, Any] = {
        "Name": script.file,
        "Text": script.sql.decode("utf-8", "replace"),
        "Reports": [
            Document({"Text": text, "Diagnostics": found}) for text, found in reports.items()
        ],
        "Error": worst,
    }
    return Document(fields)


def _diagnostic(script: LintedScript, finding: Finding, code: str) -> Document:
    lines = script.sql.split(b"\n")
    line = lines[finding.line - 1] if finding.line <= len(lines) else b""
    at = sum(len(each) + 1 for each in lines[: finding.line - 1])
    fields = {
        "Pos": at + len(line) - len(line.lstrip()),
        "Text": finding.message,
        "Code": code,
    }
    return Document(fields, kept=("Pos", "Text"))
