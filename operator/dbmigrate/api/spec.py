"""What a team asks for: `spec` of a DatabaseMigration, parsed once at the edge.

The defaults are also in the CRD's schema, where users see them; they are repeated
here for a resource that an older schema let in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from dbmigrate.api.database import DatabaseSpec, parse_database
from dbmigrate.api.drift import DriftOptions, parse_drift
from dbmigrate.api.durations import is_duration
from dbmigrate.api.fields import Document, Fields
from dbmigrate.api.forms import (
    ANNOTATION,
    IMAGE,
    LABEL_VALUE,
    OBJECT_NAME,
    OWNER,
    PART_NAME,
    VARIABLE,
    VERSION,
)
from dbmigrate.api.mount_paths import find_fault
from dbmigrate.api.names import COPY_CONTAINER, REHEARSAL_CONTAINER, RUNNER_CONTAINER
from dbmigrate.api.source import (
    ClaimSource,
    ConfigMapsSource,
    ImageSource,
    Source,
    SourceFormat,
    parse_claim,
    parse_source,
)
from dbmigrate.api.version import is_version
from dbmigrate.policies import ChangedFiles, LintPolicy, OutOfOrder, Rollback, resource_word

LATEST = "latest"
MOST_RETRIES = 1000
MOST_KEPT_JOBS, MOST_KEPT_ACTIONS, MOST_KEPT_BACKUPS = 100, 1000, 10_000
"""What the schema allows."""
LONGEST_ON_SERVER = timedelta(days=24)
"""PostgreSQL counts its timeouts in milliseconds, in 31 bits."""


class Approval(StrEnum):
    """Whether a person approves the plan before it is run."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Rehearse(StrEnum):
    """Whether pending migrations are rehearsed on a scratch server before they are run."""

    NEVER = "Never"
    BEFORE_APPLY = "BeforeApply"


NEVER = timedelta.max
SHORTEST_CHECK_INTERVAL = timedelta(minutes=1)
SHORTEST_DEADLINE = timedelta(seconds=1)
"""A Job counts whole seconds, and with none it never starts."""


def _is_inside(text: str) -> bool:
    """Whether it is a path below the directory of the files, and names no variable."""
    parts = text.split("/")
    return bool(text) and "\0" not in text and "$" not in text and not {"", ".."} & {*parts}


RUNNER_VARIABLES: Mapping[str, Callable[[str], bool]] = {
    "DBMIGRATE_ARCHIVE": _is_inside,
    "DBMIGRATE_HISTORY_OWNER": lambda text: "\0" not in text and "$(" not in text,
    "DBMIGRATE_CONCURRENT_LOCK_TIMEOUT": is_duration,
    "DBMIGRATE_VERBOSE": lambda text: text in ("", "true", "false"),
}
"""The options of the runner that no field sets, by the variables of spec.job.env, and what may
be their values."""
WHERE_THE_DATABASE_IS = frozenset(("DATABASE_URL", "PGHOSTADDR", "PGSERVICE"))
"""Variables that would lead a run to another database than spec.database."""

CONTAINER_NAMES = frozenset({RUNNER_CONTAINER, COPY_CONTAINER, REHEARSAL_CONTAINER})
VOLUME_NAMES = frozenset(
    {
        "migrations",
        "backups",
        "dbmigrate-temporary",
        "root-certificate",
        "client-certificate",
        "rehearsal",
        "rehearsal-passwd",
        "targets",
    }
)
"""The names of the containers and volumes that a Job, of a set too, may have of its own."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The limit of each kind of waiting; None: without limit."""

    lock: timedelta = timedelta(seconds=15)
    """For the lock that excludes other runners."""
    lock_acquisition: timedelta | None = timedelta(seconds=5)
    """For a table lock that a statement needs, before it is cancelled and tried again."""
    statement: timedelta | None = None
    deadline: timedelta = timedelta(hours=1)
    """For the whole run, scheduling and image pull included."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a run that failed for a temporary reason is tried again."""

    limit: int = 10
    """Runs after the first one; 0: no retries."""
    initial_delay: timedelta = timedelta(seconds=5)
    max_delay: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """The finished Jobs and MigrationActions that are kept."""

    successful: int = 3
    failed: int = 3
    actions: int = 20


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """The scratch server of a rehearsal."""

    image: str | None = None
    """With {major} where the version belongs; None: the operator's own setting."""
    resources: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """The cluster's requirements for the Job; passed to its Pod."""

    image: str | None = None
    service_account_name: str | None = None
    priority_class_name: str | None = None
    resources: Document = field(default_factory=dict)
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[Document] = field(default_factory=list)
    affinity: Document = field(default_factory=dict)
    image_pull_secrets: list[Document] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    env: list[Document] = field(default_factory=list)
    rehearsal: RehearsalOptions = RehearsalOptions()
    pod_security_context: Document = field(default_factory=dict)
    security_context: Document = field(default_factory=dict)
    init_containers: list[Document] = field(default_factory=list)
    volumes: list[Document] = field(default_factory=list)
    volume_mounts: list[Document] = field(default_factory=list)
    host_aliases: list[Document] = field(default_factory=list)
    dns_config: Document = field(default_factory=dict)
    runtime_class_name: str | None = None

    @property
    def has_sidecars(self) -> bool:
        """Whether there are containers in parallel that the runner may have to wait for."""
        return any(each.get("restartPolicy") == "Always" for each in self.init_containers)


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """Where the database is saved before a run that changes something."""

    claim: ClaimSource
    keep: int | None = None
    """How many of the database's backups stay there; None: all."""


@dataclass(frozen=True, slots=True)
class MigrationSpec:
    """The whole of `spec`."""

    database: DatabaseSpec
    source: Source
    source_format: SourceFormat = SourceFormat.AUTO
    lint: LintPolicy = LintPolicy.WARN
    target: str = LATEST
    rollback: Rollback = Rollback.FORBID
    out_of_order: OutOfOrder = OutOfOrder.REJECT
    changed_files: ChangedFiles = ChangedFiles.REJECT
    take_over: str | None = None
    """The owner of the database whose place this resource takes."""
    approval: Approval = Approval.AUTOMATIC
    suspend: bool = False
    rehearse: Rehearse = Rehearse.NEVER
    backup: BackupOptions | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)
    check_interval: timedelta | None = None
    """How often the database is checked; NEVER, or None: as the operator's setting says."""
    drift: DriftOptions = field(default_factory=DriftOptions)
    history: HistoryLimits = field(default_factory=HistoryLimits)
    job: JobOptions = field(default_factory=JobOptions)
    unknown: tuple[str, ...] = ()
    """The paths of fields that are set and that this code does not know: of a later schema."""

    def intent(self, content: str) -> str:
        """A hash of the wanted state of the database, given a digest of the files' content.

        It leaves out what changes how a run is made but not its result
        (lint, takeOver, rehearse, suspend, backup, timeouts, retry, checkInterval, drift, job), so
        that a change there runs no migration when the database is at the target.
        """
        source: object = asdict(self.source)
        if isinstance(self.source, ImageSource):
            source = [self.source.reference, self.source.path]
        elif isinstance(self.source, ConfigMapsSource):
            source = "configMaps"  # the content decides, whatever the ConfigMaps are called
        words = [
            self.database.words,
            source,
            content,
            self.target,
            resource_word(self.rollback),
            resource_word(self.out_of_order),
            resource_word(self.changed_files),
        ]
        if self.source_format is not SourceFormat.AUTO:
            words.append(self.source_format)  # left out where older versions did not know it
        text = json.dumps(words, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def parse_spec(raw: Document) -> MigrationSpec:
    """Read `spec`. Raises SpecError with the path of the first invalid field."""
    fields = Fields(raw, "spec")
    spec = MigrationSpec(
        database=parse_database(fields.section("database")),
        source=parse_source(fields.section("source")),
        source_format=parse_format(fields),
        lint=fields.section("source").policy("lint", LintPolicy.WARN),
        target=parse_target(fields),
        rollback=fields.policy("rollback", Rollback.FORBID),
        out_of_order=fields.policy("outOfOrder", OutOfOrder.REJECT),
        changed_files=fields.policy("changedFiles", ChangedFiles.REJECT),
        take_over=fields.optional_text("takeOver", OWNER),
        approval=fields.choice("approval", Approval.AUTOMATIC),
        suspend=fields.flag("suspend"),
        rehearse=fields.choice("rehearse", Rehearse.NEVER),
        backup=_parse_backup(fields),
        timeouts=parse_timeouts(fields.section("timeouts")),
        retry=parse_retry(fields.section("retry")),
        check_interval=parse_check_interval(fields),
        drift=parse_drift(fields.section("drift")),
        history=_parse_history(fields.section("history")),
        job=parse_job_options(fields.section("job")),
    )
    return replace(spec, unknown=fields.find_unknown())


def parse_format(fields: Fields) -> SourceFormat:
    """The format of `source`. Raises SpecError."""
    return fields.section("source").choice("format", SourceFormat.AUTO)


def parse_target(fields: Fields) -> str:
    """The desired version. Raises SpecError."""
    target = fields.optional_text("target", VERSION) or LATEST
    if target != LATEST and not is_version(target, parse_format(fields)):
        raise fields.error(
            "target",
            "must be latest or a version in quotes: a number, unless source.format is flyway"
            " (numbers with dots between) or atlas",
        )
    return target


def _parse_backup(fields: Fields) -> BackupOptions | None:
    if not fields.has("backup"):
        return None
    backup = fields.section("backup")
    keep = backup.integer("keep", 0, most=MOST_KEPT_BACKUPS)
    return BackupOptions(parse_claim(backup.section("persistentVolumeClaim")), keep or None)


def parse_timeouts(fields: Fields) -> Timeouts:
    """A `timeouts` section. Raises SpecError."""
    return Timeouts(
        lock=fields.finite_duration("lock", "15s"),
        lock_acquisition=fields.duration("lockAcquisition", "5s", longest=LONGEST_ON_SERVER),
        statement=fields.duration("statement", "none", longest=LONGEST_ON_SERVER),
        deadline=_parse_deadline(fields),
    )


def _parse_deadline(fields: Fields) -> timedelta:
    deadline = fields.finite_duration("deadline", "1h")
    if deadline < SHORTEST_DEADLINE:
        raise fields.error("deadline", "must be at least 1s")
    return deadline


def parse_retry(fields: Fields) -> Retry:
    """A `retry` section. Raises SpecError."""
    return Retry(
        limit=fields.integer("limit", 10, most=MOST_RETRIES),
        initial_delay=fields.finite_duration("initialDelay", "5s"),
        max_delay=fields.finite_duration("maxDelay", "5m"),
    )


def parse_check_interval(fields: Fields) -> timedelta | None:
    """How often it is checked; None if unset. Raises SpecError."""
    if not fields.has("checkInterval"):
        return None
    interval = fields.duration("checkInterval", "none")
    if interval is not None and interval < SHORTEST_CHECK_INTERVAL:
        raise fields.error("checkInterval", "must be at least 1m, or none")
    return NEVER if interval is None else interval


def _parse_history(fields: Fields) -> HistoryLimits:
    successful = fields.integer("successful", 3, most=MOST_KEPT_JOBS)
    failed = fields.integer("failed", 3, most=MOST_KEPT_JOBS)
    return HistoryLimits(successful, failed, fields.integer("actions", 20, most=MOST_KEPT_ACTIONS))


def parse_job_options(fields: Fields) -> JobOptions:
    """The options of a `job` section. Raises SpecError."""
    rehearsal = fields.section("rehearsal")
    return JobOptions(
        image=fields.optional_text("image", IMAGE),
        service_account_name=fields.optional_text("serviceAccountName", OBJECT_NAME),
        priority_class_name=fields.optional_text("priorityClassName", OBJECT_NAME),
        resources=fields.document("resources"),
        node_selector=fields.texts("nodeSelector", LABEL_VALUE, most=64),
        tolerations=fields.documents("tolerations", most=64),
        affinity=fields.document("affinity"),
        image_pull_secrets=_parse_pull_secrets(fields),
        labels=fields.texts("labels", LABEL_VALUE, most=64),
        annotations=fields.texts("annotations", ANNOTATION, most=64),
        env=_parse_variables(fields),
        rehearsal=RehearsalOptions(
            rehearsal.optional_text("image", IMAGE), rehearsal.document("resources")
        ),
        pod_security_context=fields.document("podSecurityContext"),
        security_context=fields.document("securityContext"),
        init_containers=_parse_named(fields, "initContainers", CONTAINER_NAMES, most=16),
        volumes=_parse_named(fields, "volumes", VOLUME_NAMES, most=64),
        volume_mounts=_parse_mounts(fields),
        host_aliases=fields.documents("hostAliases", most=64),
        dns_config=fields.document("dnsConfig"),
        runtime_class_name=fields.optional_text("runtimeClassName", OBJECT_NAME),
    )


def _parse_named(
    fields: Fields, name: str, reserved: frozenset[str], *, most: int
) -> list[Document]:
    """Containers or volumes, which are passed on as they are, with names that are not ours."""
    items = fields.sections(name, most=most)
    for each in items:
        if each.text("name", PART_NAME) in reserved:
            raise each.error("name", "is the name of a part of the Pod that dbmigrate makes itself")
    return [each.whole() for each in items]


def _parse_mounts(fields: Fields) -> list[Document]:
    mounts = fields.sections("volumeMounts", most=64)
    for each in mounts:
        path = each.peek("mountPath")
        problem = find_fault(path) if isinstance(path, str) else None
        if problem is not None:
            raise each.error("mountPath", problem)
    return [each.whole() for each in mounts]


def _parse_pull_secrets(fields: Fields) -> list[Document]:
    secrets = fields.sections("imagePullSecrets", most=32)
    return [{"name": secret.text("name", OBJECT_NAME)} for secret in secrets]


def _parse_variables(fields: Fields) -> list[Document]:
    variables = fields.sections("env", most=128)
    return [_parse_variable(each) for each in variables]


def _parse_variable(fields: Fields) -> Document:
    name = fields.text("name", VARIABLE)
    if name in WHERE_THE_DATABASE_IS:
        raise fields.error("name", f"{name} can't be set: spec.database says which database it is")
    if name.startswith("DBMIGRATE_"):
        is_fit = RUNNER_VARIABLES.get(name)
        if is_fit is None:
            known = ", ".join(RUNNER_VARIABLES)
            raise fields.error("name", f"{name} can't be set: of the runner's options only {known}")
        if fields.has("valueFrom") or not is_fit(fields.optional_text("value", ANNOTATION) or ""):
            raise fields.error("value", f"is no value for {name}")
    return {**fields.whole(), "name": name}
