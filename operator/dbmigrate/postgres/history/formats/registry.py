"""Which adapter reads and writes the table of a tool; only the one in use is imported."""

from __future__ import annotations

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.adapter import VersionTable


def adapter_for(kind: HistoryKind) -> VersionTable:
    """The table of that kind."""
    if kind is HistoryKind.GOOSE:
        from dbmigrate.postgres.history.formats.goose import GooseTable

        return GooseTable()
    if kind is HistoryKind.DBMATE:
        from dbmigrate.postgres.history.formats.dbmate import DbmateTable

        return DbmateTable()
    if kind is HistoryKind.ATLAS:
        from dbmigrate.postgres.history.formats.atlas import AtlasTable

        return AtlasTable()
    if kind is HistoryKind.FLYWAY:
        from dbmigrate.postgres.history.formats.flyway import FlywayTable

        return FlywayTable()
    from dbmigrate.postgres.history.formats.golang_migrate import GolangMigrateTable

    return GolangMigrateTable()
