"""A schema as the engine knows it: objects, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.catalog import ObjectName


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything that people have made in one database."""

    unhandled: tuple[ObjectName, ...]
    """What is there, and can't be compared or created by the engine: to be named, and refused."""
