"""Pairs of schemas, and what has to be said on the way from the first to the second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One pair. Each is carried out there and back, on each server."""

    name: str
    before: str
    after: str
    says: tuple[str, ...] = ()
    """Parts of statements of the online plan, in their order."""
    never: tuple[str, ...] = ()
    """What may stand in no statement."""
    since: int = 14
    """The first major version that knows this."""


ROLES = """
DO $$BEGIN CREATE ROLE diff_reader; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
DO $$BEGIN CREATE ROLE "Diff Owner"; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
"""
