"""A Pod's volumes, as directories of this machine.

ConfigMaps, Secrets and the downward API are laid out as the kubelet lays them out:
the files are symbolic links through `..data`, which programs that list a directory
do notice. Their content is that of the Pod's start; it is not kept up to date.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.api import Document
from tests.cluster.node.images import Images
from tests.cluster.node.lookup import Lookup, Missing
from tests.cluster.node.pod import read_field, uid_of
from tests.cluster.node.problems import MissingImage, MissingVolume, Refused

GENERATION = "..2006_01_02_15_04_05.000000000"
"""The kubelet names this directory by the time; the files of one Pod's life need just one."""
DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that is ready to be mounted."""

    directory: Path
    read_only: bool


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    content: bytes
    mode: int


class VolumeMaker:
    """Makes the volumes of one Pod."""

    def __init__(self, pod: Document, lookup: Lookup, images: Images, directory: Path) -> None:
        self._pod = pod
        self._lookup = lookup
        self._images = images
        self._directory = directory
        self._claims = directory.parents[2] / "claims" / lookup.namespace

    def make(self, volume: Document) -> Volume:
        """The volume. MissingVolume or MissingImage if it cannot be made yet."""
        name = volume["name"]
        directory = self._directory / name
        if "emptyDir" in volume:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o777)
            return Volume(directory, False)
        if claim := volume.get("persistentVolumeClaim"):
            return self._claim(claim)
        if image := volume.get("image"):
            return self._image(image)
        try:
            files = self._files(volume)
        except (Missing, _NoKey) as problem:
            message = f'MountVolume.SetUp failed for volume "{name}" : {problem}'
            raise MissingVolume(message) from None
        _lay_out(files, directory)
        return Volume(directory, True)

    def _claim(self, claim: Document) -> Volume:
        name = claim["claimName"]
        if not self._lookup.has_claim(name):
            raise MissingVolume(f'persistentvolumeclaim "{name}" not found')
        directory = self._claims / name
        directory.mkdir(parents=True, exist_ok=True)
        return Volume(directory, bool(claim.get("readOnly")))

    def _image(self, source: Document) -> Volume:
        image = self._images.find(source["reference"])
        if image is None:
            raise MissingImage(pull_problem(source["reference"]))
        if image.tree is None:
            raise MissingImage(f'image "{image.name}" is registered without a file tree')
        return Volume(image.tree, True)

    def _files(self, volume: Document) -> dict[str, File]:
        if projected := volume.get("projected"):
            mode = projected.get("defaultMode", DEFAULT_MODE)
            files: dict[str, File] = {}
            for source in projected.get("sources") or []:
                files |= self._source(source, mode)
            return files
        kind = next(kind for kind in ("configMap", "secret", "downwardAPI") if kind in volume)
        source = dict(volume[kind])
        if "secretName" in source:
            source["name"] = source["secretName"]
        return self._source({kind: source}, source.get("defaultMode", DEFAULT_MODE))

    def _source(self, source: Document, mode: int) -> dict[str, File]:
        if reference := source.get("configMap"):
            return _choose(reference, self._lookup.config_map, "config", mode)
        if reference := source.get("secret"):
            return _choose(reference, self._lookup.secret, "secret", mode)
        if downward := source.get("downwardAPI"):
            return {
                item["path"]: File(self._field(item), item.get("mode", mode))
                for item in downward.get("items", [])
            }
        if wanted := source.get("serviceAccountToken"):
            return {wanted["path"]: File(self._token(wanted).encode(), mode)}
        raise Refused(f"a volume from {sorted(source)} is not known to this node")

    def _field(self, item: Document) -> bytes:
        if "fieldRef" not in item:
            raise Refused("downwardAPI resourceFieldRef: this node knows no resources")
        return read_field(self._pod, item["fieldRef"]["fieldPath"]).encode()

    def _token(self, wanted: Document) -> str:
        spec: dict[str, object] = {"expirationSeconds": wanted.get("expirationSeconds", 3600)}
        if audience := wanted.get("audience"):
            spec["audiences"] = [audience]
        account = self._pod["spec"].get("serviceAccountName", "default")
        return self._lookup.token(account, (self._pod["metadata"]["name"], uid_of(self._pod)), spec)


def pull_problem(name: str) -> str:
    """What the runtime says of an image that does not exist."""
    resolve = f'failed to resolve reference "{name}": {name}: not found'
    problem = f'failed to pull and unpack image "{name}": {resolve}'
    return f"rpc error: code = NotFound desc = {problem}"


class _NoKey(Exception):
    """The object is there, the key is not; the message is the kubelet's."""


def _choose(
    reference: Document, read: Callable[[str], dict[str, bytes]], word: str, mode: int
) -> dict[str, File]:
    """All keys, or those that `items` names."""
    optional = bool(reference.get("optional"))
    try:
        values = read(reference["name"])
    except Missing:
        if optional:
            return {}
        raise
    if "items" not in reference:
        return {key: File(value, mode) for key, value in values.items()}
    files = {}
    for item in reference["items"]:
        if item["key"] in values:
            files[item["path"]] = File(values[item["key"]], item.get("mode", mode))
        elif not optional:
            raise _NoKey(f"references non-existent {word} key: {item['key']}")
    return files


def _lay_out(files: Mapping[str, File], directory: Path) -> None:
    """files below `..data`, and a link to each first part of their paths."""
    shutil.rmtree(directory, ignore_errors=True)
    content = directory / GENERATION
    content.mkdir(parents=True)
    for path, file in files.items():
        target = content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    (directory / "..data").symlink_to(GENERATION)
    for first in {path.partition("/")[0] for path in files}:
        (directory / first).symlink_to(f"..data/{first}")
