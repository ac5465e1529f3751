"""The migration files of a resource, as one hash.

The content of ConfigMaps may change, so it is hashed: a new hash is a new intent
and starts a run. An image or a volume claim is identified by its name, because only
the kubelet can read its content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dbmigrate.api.fields import Document
from dbmigrate.api.source import ConfigMapsSource, InlineSource, Source

MIGRATION_FILE = re.compile(r"[0-9]+_.*\.(?:down|up)\..*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ConfigMapFiles:
    """A ConfigMap as a source: its keys, and a hash over keys and values."""

    keys: frozenset[str]
    digest: str


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The hash of the files, or what is wrong with them."""

    digest: str = ""
    missing: str | None = None
    """The missing ConfigMap: it may be created later."""
    invalid: str | None = None
    """What must be corrected."""


def looks_like_migrations(body: Document) -> bool:
    """Whether a ConfigMap has a key that is named like a migration file."""
    keys = [*(body.get("data") or {}), *(body.get("binaryData") or {})]
    return any(MIGRATION_FILE.fullmatch(key) for key in keys)


def read_config_map(body: Document) -> ConfigMapFiles:
    """Hash a ConfigMap's content."""
    data, binary = body.get("data") or {}, body.get("binaryData") or {}
    text = json.dumps([data, binary], sort_keys=True)
    return ConfigMapFiles(
        keys=frozenset(data) | frozenset(binary),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def read_migrations(body: Document) -> ConfigMapFiles | None:
    """The content of a ConfigMap that holds migrations; None for any other."""
    return read_config_map(body) if looks_like_migrations(body) else None


def resolve_files(source: Source, config_maps: Mapping[str, ConfigMapFiles | None]) -> SourceFiles:
    """The files of a source, given the ConfigMaps that it names (None: missing)."""
    if isinstance(source, InlineSource):
        text = json.dumps(source.files, sort_keys=True, default=dict)
        return SourceFiles(digest=hashlib.sha256(text.encode()).hexdigest())
    if not isinstance(source, ConfigMapsSource):
        return SourceFiles(digest="")
    owner_of: dict[str, str] = {}
    digests = []
    for name in source.names:
        found = config_maps.get(name)
        if found is None:
            return SourceFiles(missing=name)
        for key in sorted(found.keys):
            if key in owner_of:
                text = f"file {key} is in two ConfigMaps: {owner_of[key]} and {name}"
                return SourceFiles(invalid=text)
            owner_of[key] = name
        digests.append(found.digest)
    joined = "\n".join(digests)
    return SourceFiles(digest=hashlib.sha256(joined.encode()).hexdigest())
