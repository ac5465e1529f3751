"""The waves of a set: parts of the fleet that are migrated one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from math import floor

from dbmigrate.api.fields import Document, Fields
from dbmigrate.api.forms import LABEL_VALUE, Form

WAVES_LIMIT = 20
MOST_PARALLEL, MOST_CONCURRENT = 100, 1000
WAVE_NAME = Form(40, r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", least=1)
SHARE = Form(16, r"[0-9]{1,3}(\.[0-9]{1,6})?%", least=2)
LIMIT = Form(16, r"([0-9]{1,9}|[0-9]{1,3}(\.[0-9]{1,6})?%)", least=1)
MANUAL = "Manual"
DEFAULT_CONCURRENCY = 8
WHOLE_FLEET = "all"
"""The name of the one wave of a set that defines none."""


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """One of them."""

    name: str
    selector: dict[str, str] = field(default_factory=dict)
    """Labels that a target has to have."""
    share: str | None = None
    """Of the fleet, such as 1%; None: all that is left."""
    parallelism: int = 1
    """Pods at a time."""
    concurrency: int = DEFAULT_CONCURRENCY
    """Targets at a time in each Pod."""
    max_failures: str | None = None
    """A number, or a share of the wave's targets; None: no limit."""
    pause: timedelta | None = None
    """After it, before the next one."""
    is_manual: bool = False
    """A person lets the next one begin."""

    def allowed_failures(self, targets: int) -> int | None:
        """How many of that many targets may fail; None: all."""
        text = self.max_failures
        if text is None:
            return None
        if text.endswith("%"):
            return floor(Fraction(text[:-1]) / 100 * targets)
        return int(text)


def parse_waves(fields: Fields) -> tuple[WaveSpec, ...]:
    """Read `spec.waves`. Raises SpecError."""
    sections = fields.sections("waves", most=WAVES_LIMIT)
    if not sections:
        return (WaveSpec(WHOLE_FLEET),)
    waves = tuple(
        _parse_wave(each, is_last=number == len(sections))
        for number, each in enumerate(sections, start=1)
    )
    if len({wave.name for wave in waves}) != len(waves):
        raise fields.error("waves", "names a wave twice")
    if sum(Fraction(wave.share[:-1]) for wave in waves if wave.share) > 100:
        raise fields.error("waves", "the shares are more than 100%")
    if waves[-1].share is not None or waves[-1].selector:
        problem = "the last wave takes all targets that are left: it has neither share nor selector"
        raise fields.error("waves", problem)
    return waves


def _parse_wave(fields: Fields, *, is_last: bool) -> WaveSpec:
    pause = fields.optional_text("pause", Form(32, least=1))
    is_manual = pause == MANUAL
    labels = fields.section("selector").texts("matchLabels", LABEL_VALUE, most=64)
    return WaveSpec(
        name=fields.text("name", WAVE_NAME),
        selector=labels,
        share=fields.optional_text("share", SHARE),
        parallelism=fields.integer("parallelism", 1, least=1, most=MOST_PARALLEL),
        concurrency=fields.integer(
            "concurrency", DEFAULT_CONCURRENCY, least=1, most=MOST_CONCURRENT
        ),
        max_failures=_parse_limit(fields) or (None if is_last else "0"),
        pause=None if pause is None or is_manual else fields.finite_duration("pause", "0s"),
        is_manual=is_manual,
    )


def _parse_limit(fields: Fields) -> str | None:
    """A whole number, or a text."""
    if not fields.has("maxFailures"):
        return None
    number = fields.peek("maxFailures")
    if isinstance(number, int) and not isinstance(number, bool):
        return str(fields.integer("maxFailures", 0, most=999_999_999))
    text = fields.text("maxFailures", LIMIT)
    if re.fullmatch(r"[0-9.]+%", text) and Fraction(text[:-1]) > 100:
        raise fields.error("maxFailures", "must be at most 100%")
    return text


def dump_waves(waves: Sequence[WaveSpec]) -> str:
    """The waves as the runner reads them: which targets each takes."""
    listed: list[Document] = []
    for wave in waves:
        one: Document = {"name": wave.name}
        if wave.selector:
            one["selector"] = wave.selector
        if wave.share is not None:
            one["share"] = wave.share
        listed.append(one)
    return json.dumps({"waves": listed}, separators=(",", ":"), ensure_ascii=False)
