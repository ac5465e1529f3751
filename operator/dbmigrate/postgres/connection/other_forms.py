"""What people give as a database's address that is none: named by its kind, with the remedy.

Each holds a password as likely as not. So nothing of it is shown, and no other reading of it
is tried.
"""

from __future__ import annotations

import re

_URL = "postgres://USER:PASSWORD@HOST:5432/NAME"
_NAMES = (
    "server|host|data source|address|addr|port|database|initial catalog|dbname|user id|user ?name"
    "|user|uid|password|pwd|driver|dsn|ssl ?mode|pooling|timeout|trust server certificate"
)
_FORMS = (
    (r"jdbc:", f"a JDBC URL: leave out jdbc:, and write the user and the password as {_URL}"),
    (
        r"(?!dbname\s*=)(?:export\s+|set\s+|\$env:|-e\s+)?[a-z_]\w*\s*[=:]\s*[\"']?"
        r"[a-z][a-z0-9+.-]*:(?://|postgres)",
        "the value begins with a variable's name: use only the text after its =",
    ),
    (r"[\"'`]", "the value begins with a quotation mark: use only the text between the marks"),
    (
        # Neither quotes nor libpq's own words behind a space: those are its keyword strings.
        r"(?!.*(?-i:\s(?:dbname|user|password|host|port|application_name|sslmode)\s*=))"
        rf"(?=[^;=']*=[^;=']*;)(?:[^;]*;)*?\s*(?:{_NAMES})\s*=[^;]*;(?:[^;]*;)*?\s*(?:{_NAMES})\s*=",
        f"a connection string of .NET or ODBC: write it as {_URL}, or as libpq's host=HOST"
        " dbname=NAME user=USER password=PASSWORD",
    ),
    (
        r"postgres(?:ql)?\+\w+:",
        f"a URL of SQLAlchemy: leave out the driver's name between + and :, as in {_URL}",
    ),
    (r"(?:psql|pg_dump|docker|kubectl|dbmigrate|migrate)\s", f"a command, not a URL: write {_URL}"),
    (r"[\[{]", f"a document, not a URL: use the URL in it, such as {_URL}"),
)


def find_other_form(text: str) -> str | None:
    """What the text is instead of a URL or a keyword string, and what to do; None: one of these."""
    for pattern, name in _FORMS:
        if re.match(pattern, text, re.IGNORECASE):
            return f"{name} (not shown, because it may contain a password)"
    return None
