"""Findings for machines: JSON, SARIF for code scanning, annotations for GitHub."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from dbmigrate.lint.finding import Finding, Severity
from dbmigrate.lint.rules import RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def describe(finding: Finding) -> dict[str, Any]:
    """One finding, as the JSON document has it."""
    return {
        "rule": finding.rule.name,
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "table": finding.table,
        "message": finding.message,
        "remedy": finding.rule.remedy,
    }


def as_sarif(findings: Sequence[Finding], *, directory: str, version: str) -> str:
    """A SARIF 2.1.0 log; file names are relative to the directory of the migrations."""
    spoken = {**RULES, **{each.rule.name: each.rule for each in findings}}
    places = {name: index for index, name in enumerate(spoken)}
    results = [
        {
            "ruleId": finding.rule.name,
            "ruleIndex": places[finding.rule.name],
            "level": _LEVELS[finding.severity],
            "message": {"text": f"{finding.message}. {finding.rule.remedy}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(directory, finding.file)},
                        "region": {"startLine": finding.line},
                    }
                }
            ],
        }
        for finding in findings
    ]
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.reason},
            "help": {"text": rule.remedy},
            "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        }
        for rule in spoken.values()
    ]
    driver = {"name": "dbmigrate", "version": version, "rules": rules}
    log = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(log, indent=2)


def as_annotations(findings: Iterable[Finding], *, directory: str) -> str:
    """Workflow commands, one a line, escaped as GitHub's runner expects."""
    return "\n".join(
        f"::{_COMMANDS[finding.severity]} file={_property(f'{directory}/{finding.file}')},"
        f"line={finding.line},title={_property(finding.rule.name)}"
        f"::{_data(f'{finding.message}. {finding.rule.remedy}')}"
        for finding in findings
    )


def _uri(directory: str, file: str) -> str:
    """As RFC 3986 has it: relative to where the linter ran, or of the whole path."""
    path = posixpath.normpath(posixpath.join(directory, file))
    return f"file://{quote(path)}" if path.startswith("/") else quote(path)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
