"""What a mistyped word was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def guess(word: str, known: Iterable[str], before: str = "") -> str:
    """` (did you mean X?)` for the most similar of the known words; empty where none is similar.

    `before` precedes it, as the dash does before a flag.
    """
    from difflib import get_close_matches  # needed only for a mistake

    words = sorted(known)
    near = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f" (did you mean {before}{near[0]}?)" if near else ""
