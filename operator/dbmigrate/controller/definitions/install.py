"""Installs the CustomResourceDefinitions: upgrades their schema, and never downgrades it.

The chart's hook runs this before an installation or an upgrade. A schema that is taken back
drops the fields that it does not know from every resource that is written meanwhile; so the
definition says which schema it has, and the newer one stays.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from dbmigrate.api.fields import Document
from dbmigrate.api.names import DEFINITIONS, SCHEMA_ANNOTATION
from dbmigrate.controller.cluster import AlreadyExists, Cluster, ClusterError, Conflict

CONNECTIONS = 1
TRIES = 5
"""Writes of one definition; another writer may have been quicker."""
SERVED_SECONDS = 60.0
POLL_SECONDS = 0.2


class BadDefinition(ValueError):
    """A file is not the definition of one of our resources."""


def read_definitions(directory: Path) -> list[Document]:
    """The definitions in a directory's `*.json`. Raises BadDefinition."""
    documents = [_read(file) for file in sorted(directory.glob("*.json"))]
    names = {document["metadata"]["name"] for document in documents}
    if names != set(DEFINITIONS):
        raise BadDefinition(f"{directory} does not hold {' and '.join(DEFINITIONS)}")
    return documents


def _read(file: Path) -> Document:
    try:
        document = json.loads(file.read_bytes())
        name = document["metadata"]["name"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BadDefinition(f"can't read {file}: {problem}") from None
    if document.get("kind") != "CustomResourceDefinition" or name not in DEFINITIONS:
        raise BadDefinition(f"{file} holds {name}, which is none of our definitions")
    return dict(document)


def schema_of(definition: Document) -> int:
    """Which schema a definition has; 1 for one that does not say so."""
    annotations = definition["metadata"].get("annotations") or {}
    text = str(annotations.get(SCHEMA_ANNOTATION, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1


async def install(definitions: Iterable[Document]) -> list[str]:
    """Write those that the cluster does not have, or has of an older schema, or of the same.

    Returns what was done, a line each, when the resources are served. Raises ClusterError.
    """
    cluster = await Cluster.connect(connections=CONNECTIONS)
    try:
        said = [await _install_one(cluster, definition) for definition in definitions]
        await _wait_until_served(cluster)
        return said
    finally:
        await cluster.close()


async def _install_one(cluster: Cluster, wanted: Document) -> str:
    name = wanted["metadata"]["name"]
    for _ in range(TRIES):
        found = await cluster.find_definition(name)
        try:
            if found is None:
                await cluster.create_definition(wanted)
                return f"{name}: created, schema {schema_of(wanted)}"
            if schema_of(found) > schema_of(wanted):
                return (
                    f"{name}: left as it is, schema {schema_of(found)} is newer than"
                    f" {schema_of(wanted)}"
                )
            await cluster.replace_definition(merge(found, wanted))
        except (AlreadyExists, Conflict):
            continue
        return f"{name}: schema {schema_of(found)} replaced by {schema_of(wanted)}"
    raise ClusterError(f"{name} was changed by somebody else {TRIES} times in a row")


def merge(found: Document, wanted: Document) -> Document:
    """The definition with the wanted specification, under the metadata that is there.

    helm deletes what has left its release, unless the object itself is marked to be kept.
    """
    metadata = {
        **found["metadata"],
        "annotations": {
            **(found["metadata"].get("annotations") or {}),
            **(wanted["metadata"].get("annotations") or {}),
        },
    }
    return {**wanted, "metadata": metadata}


async def _wait_until_served(cluster: Cluster) -> None:
    end = time.monotonic() + SERVED_SECONDS
    while not await cluster.serves_custom_resources():
        if time.monotonic() > end:
            raise ClusterError(f"the resources are not served after {SERVED_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """`dbmigrate-operator install-crds DIRECTORY`: the exit code."""
    if len(arguments) != 1:
        raise BadDefinition("usage: dbmigrate-operator install-crds DIRECTORY")
    for line in asyncio.run(install(read_definitions(Path(arguments[0])))):
        print(line)
    return 0
