"""What a team asks for: `spec` of a DatabaseMigrationSet, parsed once at the edge."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from dbmigrate.api.database import KeyRef, parse_database, parse_ref
from dbmigrate.api.fields import Fields
from dbmigrate.api.fleet.targets import Targets, parse_targets
from dbmigrate.api.fleet.waves import WaveSpec, parse_waves
from dbmigrate.api.forms import OWNER, TABLE
from dbmigrate.api.source import parse_source
from dbmigrate.api.spec import (
    Approval,
    MigrationSpec,
    Rehearse,
    parse_check_interval,
    parse_format,
    parse_job_options,
    parse_retry,
    parse_target,
    parse_timeouts,
)
from dbmigrate.policies import ChangedFiles, LintPolicy, OutOfOrder, Rollback

NO_BACKUP = (
    "a set makes no backups before its runs: save the databases by other means, and leave out"
    " template.backup"
)
DEFAULT_SHARD_SIZE, LARGEST_SHARD = 100, 100_000
MOST_SHARDS = 1000


@dataclass(frozen=True, slots=True)
class SetSpec:
    """The whole of `spec`."""

    template: MigrationSpec
    """A DatabaseMigration's, with the database that all targets share."""
    targets: Targets
    waves: tuple[WaveSpec, ...]
    catalog: KeyRef | None = None
    """The catalog database's URL; None: the shared database is the catalog."""
    shard_size: int = DEFAULT_SHARD_SIZE
    results: str | None = None
    """The table of results in the catalog database."""
    check_interval: timedelta | None = None
    """As a DatabaseMigration has it."""
    suspend: bool = False
    unknown: tuple[str, ...] = ()
    """The paths of fields that are set and that this code does not know."""

    def intent(self, content: str) -> str:
        """A hash of the wanted state of the fleet, given a digest of the files' content.

        It leaves out what changes how a run is made but not its result.
        """
        words = [
            self.template.intent(content),
            type(self.targets).__name__,
            asdict(self.targets),
            [[wave.name, wave.selector, wave.share] for wave in self.waves],
            asdict(self.catalog) if self.catalog else None,
        ]
        text = json.dumps(words, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def shards_for(self, targets: int) -> int:
        """The number of shards of a wave with that many targets."""
        return min(MOST_SHARDS, max(1, -(-targets // self.shard_size)))


def parse_set_spec(raw: object) -> SetSpec:
    """Read `spec`. Raises SpecError with the path of the first invalid field."""
    fields = Fields(raw if isinstance(raw, dict) else {}, "spec")
    template = fields.section("template")
    spec = SetSpec(
        template=_parse_template(template, fields.section("database")),
        targets=parse_targets(fields.section("targets")),
        waves=parse_waves(fields),
        catalog=_parse_catalog(fields),
        shard_size=fields.integer("shardSize", DEFAULT_SHARD_SIZE, least=1, most=LARGEST_SHARD),
        results=fields.section("results").text("table", TABLE) if fields.has("results") else None,
        check_interval=parse_check_interval(fields),
        suspend=fields.flag("suspend"),
    )
    return replace(spec, unknown=fields.find_unknown())


def _parse_template(fields: Fields, database: Fields) -> MigrationSpec:
    source = fields.section("source")
    if fields.has("backup"):
        raise fields.error("backup", NO_BACKUP)
    return MigrationSpec(
        database=parse_database(database),
        source=parse_source(source),
        source_format=parse_format(fields),
        lint=source.policy("lint", LintPolicy.WARN),
        target=parse_target(fields),
        rollback=fields.policy("rollback", Rollback.FORBID),
        out_of_order=fields.policy("outOfOrder", OutOfOrder.REJECT),
        changed_files=fields.policy("changedFiles", ChangedFiles.REJECT),
        take_over=fields.optional_text("takeOver", OWNER),
        approval=fields.choice("approval", Approval.AUTOMATIC),
        rehearse=fields.choice("rehearse", Rehearse.NEVER),
        timeouts=parse_timeouts(fields.section("timeouts")),
        retry=parse_retry(fields.section("retry")),
        job=parse_job_options(fields.section("job")),
    )


def _parse_catalog(fields: Fields) -> KeyRef | None:
    if not fields.has("catalog"):
        return None
    return parse_ref(fields.section("catalog").section("urlFrom"))
