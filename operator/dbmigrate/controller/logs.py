"""The operator's log: one line an event, as JSON for machines or as text for people.

The keys are stable: time, severity, logger, message, and where they apply namespace,
migration or set, job, reason, version and duration_ms. kopf's own messages about handlers that
succeeded, two for each watch event, are left out. Bodies are never logged, so there are
no secrets to remove.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from dbmigrate.printable import block, json_text, one_line

FIELDS = ("namespace", "migration", "set", "job", "action", "reason", "version", "duration_ms")
"""The additional fields of a line, by their names in `extra=`."""
QUIET = ("kopf", "aiohttp.access", "asyncio")
"""Loggers of libraries, of which only warnings and errors are logged."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, with its traceback as one text."""
        line: dict[str, object] = {
            "time": _time(record),
            "severity": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json_text(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """Time, severity and message, followed by the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and its traceback below."""
        fields = "".join(
            f" {name}={one_line(str(value))}" for name, value in _fields(record).items()
        )
        message = block(record.getMessage())
        line = f"{_time(record)} {record.levelname.lower():7} {message}{fields}"
        if not record.exc_info:
            return line
        return f"{line}\n  {block(self.formatException(record.exc_info), '  ')}"


class _WithoutLostWatches(logging.Filter):
    """Drops kopf's tracebacks of watches whose resource does not exist: presence.py reports
    that."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        fault = record.exc_info[1] if record.exc_info else None
        return type(fault).__name__ != "APINotFoundError"


def configure_logs(level: str, form: str) -> None:
    """Log to standard error, at that level, as `json` or `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    handler.addFilter(_WithoutLostWatches())
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    values = {name: getattr(record, name, None) for name in FIELDS}
    return {name: value for name, value in values.items() if value is not None}
