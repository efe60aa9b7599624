"""The words that are most similar to a mistyped one, for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SIMILAR = 0.6
"""How similar two words must be, from 0 to 1, so that one may be a misspelling of the other."""

NAMES_OF_FILES = 0.75
"""The same for names of files, which all end alike."""

_COMPARED = 100  # characters: the work grows with the square of the length


def nearest_words(word: str, words: Iterable[str], most: int = 1, cutoff: float = SIMILAR) -> list[str]:
    """Return at most so many of the words, the most similar first."""
    return difflib.get_close_matches(str(word)[:_COMPARED], sorted(words), most, cutoff)


def suggestion(word: str, words: Iterable[str], cutoff: float = SIMILAR) -> str:
    """Return `; did you mean X?` for the most similar of `words`, "" if none is similar."""
    matches = nearest_words(word, words, cutoff=cutoff)
    return f"; did you mean {matches[0]}?" if matches else ""
