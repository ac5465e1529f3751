"""The names that the operator uses in the cluster: the API group, labels and annotations.

A Job carries labels to be found by (the watch streams select on them) and
annotations that record which intent it serves, so that an operator without any
other state can read it from the Job alone.
"""

from __future__ import annotations

GROUP = "dbmigrate.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SCHEMA_VERSION = 3
"""The version of the custom resources' fields, incremented with each change of them. 1 is not
written."""
SCHEMA_ANNOTATION = f"{GROUP}/schema-version"
"""On a CustomResourceDefinition: its schema version."""

MIGRATION_KIND = "DatabaseMigration"
MIGRATIONS = "databasemigrations"
ACTION_KIND = "MigrationAction"
ACTIONS = "migrationactions"
SET_KIND = "DatabaseMigrationSet"
SETS = "databasemigrationsets"
DEFINITIONS = (f"{MIGRATIONS}.{GROUP}", f"{ACTIONS}.{GROUP}", f"{SETS}.{GROUP}")
"""The names of the CustomResourceDefinitions."""

UNKNOWN_CLUSTER = "unknown"
"""The prefix of a cluster's name if the operator may not read the cluster's identity."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "dbmigrate"
"""The value of the managed-by label on every Job and Pod of the operator."""

MIGRATION_LABEL = f"{GROUP}/migration"
"""The resource's name, for people's selectors; cut when it is longer than a label may be."""
UID_LABEL = f"{GROUP}/migration-uid"
"""The resource's uid, by which Jobs and Pods are selected. A resource that is created again under
the same name has another one."""
SET_LABEL = f"{GROUP}/set"
"""The same two of a set: its Jobs belong to no DatabaseMigration."""
SET_UID_LABEL = f"{GROUP}/set-uid"
WAVE_ANNOTATION = f"{GROUP}/wave"
"""The wave that a set's Job works on."""
TARGETS_ANNOTATION = f"targets.{GROUP}/items"
WAVES_ANNOTATION = f"targets.{GROUP}/waves"
"""The list of a set and its waves are passed as inline files are."""
COMMAND_LABEL = f"{GROUP}/command"
"""What the run does: a value of RunCommand."""

GENERATION_ANNOTATION = f"{GROUP}/generation"
INTENT_ANNOTATION = f"{GROUP}/intent"
ATTEMPT_ANNOTATION = f"{GROUP}/attempt"
AFTER_ANNOTATION = f"{GROUP}/after"
"""The Job of the last run when this one was made; empty: there was none."""
ACTION_ANNOTATION = f"{GROUP}/action"
"""The MigrationAction that ordered the run, by uid."""
PLAN_ANNOTATION = f"{GROUP}/plan"
"""The hash of the approved plan that the run must match."""
TEMPLATE_ANNOTATION = f"{GROUP}/template"
"""A hash of what the Pod was made from besides its order: the spec and the operator's settings."""
INLINE_ANNOTATION_PREFIX = f"inline.{GROUP}/"
"""Inline files are annotations of the Pod: a snapshot that cannot change afterwards."""

PASSWD_ANNOTATION = f"{GROUP}/rehearsal-passwd"
"""The /etc/passwd of the scratch server."""
RUNNER_CONTAINER = "dbmigrate"
"""The container that decides how a run ends, whatever else the cluster puts into its Pod."""
COPY_CONTAINER = "copy-migrations"
"""The init container that copies the files from an image, where image volumes do not exist."""
REHEARSAL_CONTAINER = "rehearsal"
"""The scratch server: a sidecar, whose exit does not affect the run's result."""

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
"""Set by Kubernetes on the Pods of a Job."""
