"""Waves: parts of a fleet that are migrated one after the other.

A wave takes what its selector and its share let it take and no earlier wave has taken. The
shares of all waves lie one behind the other on the targets' hashes: `1%` and then `10%` are
the first hundredth and the tenth behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dbmigrate.errors import MigrationError
from dbmigrate.printable import clip, one_line
from dbmigrate.runner.fleet.shards import position_of
from dbmigrate.runner.fleet.target import FleetTarget, refused

WAVE_LABEL = "wave"
"""The label that says to which wave a target belongs, where the list defines none."""
_PER_CENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many targets may fail before no further one is begun."""

    number: int | None = None
    fraction: float | None = None
    """Of the targets of the run, from 0 to 1."""

    def is_exceeded(self, failed: int, total: int) -> bool:
        """Whether so many failures are too many."""
        if self.number is not None:
            return failed > self.number
        return self.fraction is not None and failed > self.fraction * total

    def __str__(self) -> str:
        if self.fraction is not None:
            return f"{100 * self.fraction:g}%"
        return "none" if self.number is None else str(self.number)


@dataclass(frozen=True, slots=True)
class Wave:
    """One part of the fleet."""

    name: str
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that a target has to have."""
    share: float | None = None
    """Of the fleet, from 0 to 1; None: all that is left."""
    concurrency: int | None = None
    max_failures: FailureLimit | None = None


def parse_fraction(text: str) -> float:
    """Read `1%` or `0.5%`, at most 100 %. Raises ValueError."""
    match = _PER_CENT.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:
        raise ValueError("expected a share such as 1% or 0.5%")
    return float(match[1]) / 100


def parse_failure_limit(text: str) -> FailureLimit:
    """Read a number, or a share of the targets. Raises ValueError."""
    if _NUMBER.fullmatch(text):
        return FailureLimit(number=int(text))
    try:
        return FailureLimit(fraction=parse_fraction(text))
    except ValueError:
        raise ValueError("expected a number of targets, or a share such as 5%") from None


def parse_concurrency(text: str) -> int:
    """Read how many targets are worked on at a time. Raises ValueError."""
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= 1000:
        raise ValueError("expected a number from 1 to 1000")
    return int(text)


def read_wave(row: Mapping[str, object], place: str) -> Wave:
    """A wave as the list defines it. Raises MigrationError (SourceInvalid)."""
    name, selector = row.get("name"), row.get("selector") or {}
    if not isinstance(name, str) or not name:
        raise refused(place, "a wave has no name", "give each wave a name of its own")
    if isinstance(selector, Mapping) and isinstance(selector.get("matchLabels"), Mapping):
        selector = selector["matchLabels"]
    if not isinstance(selector, Mapping) or not all(isinstance(v, str) for v in selector.values()):
        raise refused(place, "selector is no object of labels", "write selector: {key: value}")
    parsers = {
        "share": parse_fraction,
        "concurrency": parse_concurrency,
        "maxFailures": parse_failure_limit,
    }
    # What concerns the operator alone is let be: one list serves both.
    unknown = set(row) - {"name", "selector", "parallelism", "pause", *parsers}
    if unknown:
        shown = clip(one_line(min(unknown)), 80)
        remedy = f"a wave has name, selector, {', '.join(parsers)}, parallelism and pause"
        raise refused(place, f"{shown} is not known", remedy)
    values: dict[str, object] = {}
    for key, parse in parsers.items():
        text = row.get(key)
        if text in (None, ""):
            continue
        try:
            values[key] = parse(text if isinstance(text, str) else "")
        except ValueError as error:
            raise refused(place, f"{key} can't be read", str(error)) from None
    share, concurrency, most = (values.get(key) for key in parsers)
    return Wave(
        name,
        dict(selector),
        share if isinstance(share, float) else None,
        concurrency if isinstance(concurrency, int) else None,
        most if isinstance(most, FailureLimit) else None,
    )


def check_waves(waves: Sequence[Wave], place: str) -> None:
    """Raise MigrationError (SourceInvalid) where two have one name, or the shares are too much."""
    names = [wave.name for wave in waves]
    for name in names:
        if names.count(name) > 1:
            raise refused(place, f"two waves are called {_show(name)}", "rename one of them")
    if sum(wave.share or 0 for wave in waves) > 1 + 1e-9:
        raise refused(place, "the shares of the waves are more than 100%", "lower them")


def wave_of(target: FleetTarget, waves: Sequence[Wave]) -> Wave | None:
    """The wave that takes a target; None: none does."""
    start, position = 0.0, position_of(target.name)
    for wave in waves:
        end = start if wave.share is None else start + wave.share
        is_in_share = wave.share is None or start <= position < end
        if is_in_share and all(target.labels.get(k) == v for k, v in wave.selector.items()):
            return wave
        start = end
    return None


def find_wave(name: str, waves: Sequence[Wave], place: str) -> Wave:
    """The wave of that name. Raises MigrationError (SourceInvalid)."""
    for wave in waves:
        if wave.name == name:
            return wave
    known = ", ".join(_show(wave.name) for wave in waves)
    raise _no_wave(name, place, f"its waves are {known}")


def _no_wave(name: str, place: str, remedy: str) -> MigrationError:
    return refused(place, f"there is no wave {_show(name)}", remedy)


def _show(text: str) -> str:
    return clip(one_line(text), 80)
