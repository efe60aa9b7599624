"""The most similar words."""

from __future__ import annotations

import time

import pytest

from arlen_runtime.nearest_words import NAMES_OF_FILES, nearest_words, suggestion

WORDS = {"guard", "guards", "limit", "name"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [("gaurd", "; did you mean guard?"), ("limits", "; did you mean limit?"), ("colour", ""), ("", "")],
)
def test_a_suggestion_names_the_most_similar_word_or_nothing(word: str, expected: str) -> None:
    assert suggestion(word, WORDS) == expected


def test_names_of_files_must_be_more_similar_because_they_end_alike() -> None:
    assert suggestion("a.html", ["bcd.html"])
    assert not suggestion("a.html", ["bcd.html"], NAMES_OF_FILES)


def test_the_nearest_words_come_first_and_any_value_may_be_the_word() -> None:
    assert nearest_words("guardss", WORDS, 2) == ["guards", "guard"]
    assert nearest_words("range", ["x"], cutoff=0) == ["x"]
    assert nearest_words(None, WORDS) == []  # type: ignore[arg-type] # the wrong value of an application


def test_a_long_word_costs_no_more_than_its_beginning() -> None:
    before = time.thread_time()
    suggestion("x" * 10_000_000, ["x" * 50] * 20)
    assert time.thread_time() - before < 0.2
