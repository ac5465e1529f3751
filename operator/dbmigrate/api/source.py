"""Where the migration files of a resource come from.

Paths and names become parts of a Pod's volumes and of the runner's argument list,
never of a shell command. They are still checked here, so that a path cannot leave
its volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from dbmigrate.api.fields import Fields
from dbmigrate.api.forms import FILE, FILE_NAME, IMAGE, OBJECT_NAME, PATH

INLINE_LIMIT = 128 * 1024
"""Bytes of all inline files with their names. They are annotations of a Pod, for which Kubernetes
allows 256 KiB in all."""
INLINE_FILES_LIMIT = 200
CONFIG_MAPS_LIMIT = 32


class SourceFormat(StrEnum):
    """The tool whose files these are, by the runner's name for it."""

    AUTO = "auto"
    GOLANG_MIGRATE = "golang-migrate"
    GOOSE = "goose"
    DBMATE = "dbmate"
    ATLAS = "atlas"
    FLYWAY = "flyway"


class PullPolicy(StrEnum):
    """When an image is pulled."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class ImageMode(StrEnum):
    """How files are read from an image."""

    AUTO = "Auto"
    VOLUME = "Volume"
    COPY = "Copy"


@dataclass(frozen=True, slots=True)
class ConfigMapsSource:
    """Files that are keys of ConfigMaps; several ConfigMaps form one directory."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A directory in an image, usually the application's own."""

    reference: str
    path: str
    pull_policy: PullPolicy | None = None
    """None: Kubernetes decides by the tag."""
    mode: ImageMode = ImageMode.AUTO


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """A directory on a persistent volume."""

    claim: str
    path: str


@dataclass(frozen=True, slots=True)
class InlineSource:
    """Files in the manifest itself."""

    files: Mapping[str, str]


Source = ConfigMapsSource | ImageSource | ClaimSource | InlineSource


def parse_source(fields: Fields) -> Source:
    """Read `spec.source`. Raises SpecError."""
    kind = fields.only_one_of("configMaps", "image", "persistentVolumeClaim", "inline")
    if kind == "configMaps":
        return _parse_config_maps(fields)
    if kind == "image":
        image = fields.section("image")
        return ImageSource(
            reference=image.text("reference", IMAGE),
            path=_parse_path(image),
            pull_policy=image.choice("pullPolicy", PullPolicy.ALWAYS)
            if image.has("pullPolicy")
            else None,
            mode=image.choice("mode", ImageMode.AUTO),
        )
    if kind == "persistentVolumeClaim":
        return parse_claim(fields.section("persistentVolumeClaim"))
    return _parse_inline(fields)


def parse_claim(fields: Fields) -> ClaimSource:
    """Read a claim and the directory on it. Raises SpecError."""
    return ClaimSource(fields.text("claimName", OBJECT_NAME), _parse_path(fields))


def _parse_config_maps(fields: Fields) -> ConfigMapsSource:
    sections = fields.sections("configMaps", most=CONFIG_MAPS_LIMIT)
    names = tuple(item.text("name", OBJECT_NAME) for item in sections)
    if not names:
        raise fields.error("configMaps", "must name a ConfigMap")
    if len(set(names)) != len(names):
        raise fields.error("configMaps", "names a ConfigMap twice")
    return ConfigMapsSource(names)


def _parse_inline(fields: Fields) -> InlineSource:
    files = fields.texts("inline", FILE, most=INLINE_FILES_LIMIT, keys=FILE_NAME)
    if not files:
        raise fields.error("inline", "must hold a file")
    for name in files:
        if not name or "/" in name or name in {".", ".."}:
            raise fields.error(f"inline[{name}]", "must be a plain file name")
    size = sum(len(name.encode()) + len(text.encode()) for name, text in files.items())
    if size > INLINE_LIMIT:
        raise fields.error(
            "inline",
            f"holds {size} bytes, more than {INLINE_LIMIT}: "
            "put the files into an image or into ConfigMaps",
        )
    return InlineSource(files)


def _parse_path(fields: Fields) -> str:
    """The path inside the volume, without a slash at its ends; empty for all of it."""
    path = PurePosixPath("/" + (fields.optional_text("path", PATH) or ""))
    if ".." in path.parts:
        raise fields.error("path", "must not climb up with ..")
    return str(path).strip("/")
