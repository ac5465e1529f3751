"""`backup`: the whole database as one file, in pg_dump's custom format."""

from __future__ import annotations

import os
from pathlib import Path

from dbmigrate.postgres.database_id import read_database_id
from dbmigrate.report.preparation import Backup
from dbmigrate.runner.perform import perform
from dbmigrate.runner.preparation.backup_file import name_for, save_backup
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run


def backup(request: Request, file: str) -> Result[Backup]:
    """Save the database in that file, or in that directory under a generated name.

    Takes no migration lock: pg_dump sees one snapshot of the database.
    """

    def work(run: Run) -> Backup:
        place, identity = Path(file), None
        if os.path.isdir(place):
            identity = read_database_id(run.database.session)
            place = place / name_for(run.database, identity, run.started_at)
        run.backup = save_backup(request, run.database, place, identity)
        return run.backup

    return perform(request, work, is_locked=False, with_log=False)
