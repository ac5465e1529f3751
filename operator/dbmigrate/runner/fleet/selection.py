"""The targets of one run: the rows of the list, checked against each other, or a part of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from dbmigrate.printable import clip, one_line
from dbmigrate.runner.fleet.list_file import PlacedRow
from dbmigrate.runner.fleet.shards import Shard
from dbmigrate.runner.fleet.target import FleetTarget, read_target, refused
from dbmigrate.runner.fleet.waves import WAVE_LABEL, Wave, check_waves, find_wave, wave_of

Identity = tuple[str, ...]
Identify = Callable[[FleetTarget, str], Sequence[Identity]]
"""By what a target is known: two targets share none of these. Gets the place for errors."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run works on."""

    targets: tuple[FleetTarget, ...]
    listed: int
    """How many the whole list has."""
    wave: Wave | None = None


def select(
    rows: Iterable[PlacedRow],
    waves: Sequence[Wave],
    *,
    identify: Identify,
    shard: Shard | None,
    wave: str | None,
    source: str,
) -> Selection:
    """Read all rows, and keep those of the shard and of the wave.

    `waves` is complete when the last row was read; `source` is the list's name for errors.
    Raises MigrationError (SourceInvalid).
    """
    names: dict[int, str] = {}
    known: dict[int, str] = {}
    kept: list[FleetTarget] = []
    listed = 0
    for place, row in rows:
        target = read_target(row, place)
        listed += 1
        _require_new(names, (hash(target.name),), target, place, "its name is also that of")
        identities = {hash(identity) for identity in identify(target, place)}
        _require_new(known, identities, target, place, "it is the same database and schema as")
        if shard is None or shard.has(target.name):
            kept.append(target)
    check_waves(waves, source)
    if wave is None:
        return Selection(tuple(kept), listed)
    if not waves:
        chosen = tuple(t for t in kept if t.labels.get(WAVE_LABEL) == wave)
        if not chosen and shard is None:
            raise refused(
                source,
                f"there is no wave {clip(one_line(wave), 80)}",
                f"define waves in the list, or give targets the label {WAVE_LABEL}",
            )
        return Selection(chosen, listed, Wave(wave))
    found = find_wave(wave, waves, source)
    return Selection(tuple(t for t in kept if wave_of(t, waves) is found), listed, found)


def _require_new(
    known: dict[int, str], keys: Collection[int], target: FleetTarget, place: str, what: str
) -> None:
    """Keep the hashes, which are small: where two different ones are equal, by a chance that
    no fleet meets, the list is refused."""
    for key in keys:
        if key in known:
            shown = clip(one_line(known[key]), 80)
            remedy = "remove one of the two: each database and schema is migrated once"
            raise refused(place, f"{what} target {shown}", remedy)
        known[key] = target.name
