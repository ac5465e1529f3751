"""Ownership of a database: a run names its owner, and the log records the previous one.

Two resources, in two namespaces or two clusters, that migrate one database by different files
would take it back and forth. So a run of an owner is refused where the log names another one,
until it says that it takes that one's place. A run without an owner, by a person at a
command line, is refused nothing.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.history.log.notes import NoteKind, Owner, find_hold, find_order
from dbmigrate.postgres.history.relations import History
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Direction


def admit(run: Run) -> None:
    """Raise MigrationError where a run that has taken the locks is not for this database, or is for
    an order that has been carried out."""
    require_owner(run)
    require_known_database(run)
    require_new_order(run)


def require_owner(run: Run) -> None:
    """Raise MigrationError (DatabaseConflict) if another owner migrates the database."""
    require_owner_of(run, run.database.history, run.database.owner)


def require_owner_of(run: Run, history: History, found: Owner | None) -> None:
    """The same for any history in the database, and the owner that its log names."""
    options = run.request.options
    if options.owner is None or found is None:
        return
    taken = options.take_over
    if options.owner.is_same_as(found) or (taken is not None and taken.name == found.name):
        return
    raise MigrationError(
        Reason.DATABASE_CONFLICT,
        f"{history.schema}.{history.table} is migrated by {found.name}, and this run is for"
        f" {options.owner.name}",
        hint="give each a separate database or history table; or let this one take over:"
        f" spec.takeOver: {found.name} in the resource, or -take-over {found.name}",
    )


def require_known_database(run: Run) -> None:
    """Raise MigrationError (DatabaseConflict) if it is another database than the one that the owner
    has migrated before, and its log does not name that owner.

    A restored copy and an upgraded server have another identifier and the same log.
    """
    options, database = run.request.options, run.database
    if options.owner is None:
        return
    from dbmigrate.postgres.database_id import read_database_id

    run.database_id = read_database_id(database.session)
    expected = options.expected_database
    if expected is None or run.database_id == expected:
        return
    found = database.owner
    if found is not None and options.owner.is_same_as(found):
        return
    if run.database_id is None:
        text = "the role may not execute pg_control_system(), and the log does not name the owner"
        message = f"not known to be the database that was migrated before: {text}"
        run.request.observer.notice(Notice("WARNING", message))
        return
    raise MigrationError(
        Reason.DATABASE_CONFLICT,
        f"this is another database than the one that {options.owner.name} has migrated before:"
        f" {run.database_id} here, {expected} before (system identifier and oid), and the log of"
        " this one does not name that owner",
        hint="correct how the database is reached; or give the other database a resource of its"
        " own. Where the data has moved, move the history's tables as well, the log included",
    )


def require_live(run: Run, plan: Plan | None = None) -> None:
    """Raise MigrationError (ForeignHistory) if a history of another format counts in the place of
    this one: the files would run what those of the other one have run.

    A plan without steps only gets a warning: the older image of an application does no harm.
    """
    error = find_left(run)
    if error is None:
        return
    if plan is None or plan.steps:
        raise error
    run.request.observer.notice(Notice("WARNING", error.message))


def find_left(run: Run) -> MigrationError | None:
    """That error; None: this history counts."""
    found = run.database.successor
    if found is None:
        return None
    history = run.database.history
    at = "" if found.version is None else f" at version {found.version}"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{history.name} was left{at}: since then {found.table}, a history of {found.format}'s"
        " files, says what this database has, and these files would run in addition to it",
        hint=f"continue with the files of {found.format} (-format {found.format}); or"
        " `dbmigrate force"
        " V` with the version of these files that the database has, which makes this history count"
        " again, and not the other; or, if both are to count, `dbmigrate force -1` and then"
        " `dbmigrate force V`",
    )


def claim(run: Run) -> None:
    """Note the owner in the log where there is one. A role that may not write it notes nothing."""
    database = run.database
    if not database.reads_log or database.found.dirty:
        return
    from dbmigrate.runner.history_writing import note_owner

    try:
        note_owner(database)
    except (MigrationError, ServerFailure):
        database.session.roll_back()


def note_hold(run: Run, plan: Plan) -> None:
    """Note before its first step that a person has ordered a way down."""
    options = run.request.options
    if options.order is None or not any(s.direction is Direction.DOWN for s in plan.steps):
        return
    from dbmigrate.runner.history_writing import note, prepare_to_write

    prepare_to_write(run.database)
    note(run.database, NoteKind.HOLD, options.order, checksum=options.intent)


def require_new_order(run: Run) -> None:
    """Raise MigrationError (AlreadyDone) if the log has the run's order as carried out.

    An order that is kept in Git, or restored from a backup, is created again when it is gone:
    the database may have moved on since.
    """
    order = run.request.options.order_id
    row = find_order(run.database.notes, order) if order is not None else None
    if row is None:
        return
    when = f" at {row.finished_at}" if row.finished_at else ""
    raise MigrationError(
        Reason.ALREADY_DONE,
        f"{order} has been carried out{when}: it is not done again",
        hint="give the order another name if it is to be done again",
    )


def has_to_note(run: Run) -> bool:
    """Whether the run notes something even if it does nothing: an order that the log does not have
    as carried out, or another owner."""
    options, database = run.request.options, run.database
    order, owner = options.order_id, database.owner
    if order is not None and find_order(database.notes, order) is None:
        return True
    return options.take_over is not None and owner is not None and owner != options.owner


def note_end(run: Run) -> None:
    """Note that the run's order has been carried out, and the owner that takes another one's place,
    which may have had nothing else to do. A role that may not write the log notes nothing."""
    order, database = run.request.options.order_id, run.database
    if run.request.options.take_over is not None:
        claim(run)
    if order is None:
        return
    from dbmigrate.runner.history_writing import note, prepare_to_write

    try:
        prepare_to_write(database)
        note(database, NoteKind.ORDER, order)
    except (MigrationError, ServerFailure):
        database.session.roll_back()


def require_no_hold(run: Run, plan: Plan) -> None:
    """Raise MigrationError (RolledBack) if the plan would do again what a person has had undone.

    A resource holds still until it wants something new. Of one that has been made again since, or
    whose connection has changed, the target and the files say whether it wants something else.
    """
    options, database = run.request.options, run.database
    ups = [step for step in plan.steps if step.direction is Direction.UP]
    if options.intent is None or options.order is not None or not ups:
        return
    hold = find_hold(database.notes, database.log)
    if hold is None:
        return
    is_same = hold.intent == options.intent
    # Neither who is made again knows of the order, nor is another way to the database a new wish.
    is_new = hold.owner is None or options.owner is None or hold.owner != options.owner
    has_new_connection = options.expected_database is not None
    if (is_new or has_new_connection) and not is_same:
        rows = {row.version: row for row in database.log if row.direction == "up"}
        is_same = run.target == hold.from_version and all(
            step.version in hold.undone
            and (
                step.script is None
                or (row := rows.get(step.version)) is None
                or row.checksum is None
                or step.script.has_checksum(row.checksum)
            )
            for step in ups
        )
    if is_same:
        # The database is this owner's all the same: an order of a person is to be carried out.
        claim(run)
        raise MigrationError(
            Reason.ROLLED_BACK,
            f"rolled back from version {hold.from_version} to {database.found.version or 'none'} by"
            f" {hold.order}: it is not applied again by itself",
            hint="a new file, another target or a MigrationAction (Retry, of a set Continue) ends"
            " this; on the command line, `dbmigrate up` does",
        )
