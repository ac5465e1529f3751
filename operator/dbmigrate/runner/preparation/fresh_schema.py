"""Whether a history begins in a schema in which nothing was made yet: a new tenant's.

A history in a separate schema, such as Atlas's, then describes other schemas and not this one.
"""

from __future__ import annotations

from dbmigrate.postgres.history.emptiness import has_only_history
from dbmigrate.runner.run import Run


def is_fresh(run: Run) -> bool:
    """Whether the connection names the schema (search_path), and the schema has nothing but the
    history. By the default path it may be that the files name other schemas themselves."""
    history = run.database.history
    if not run.request.target.search_path or history.schema == "public":
        return False
    return has_only_history(run.database.session, history)
