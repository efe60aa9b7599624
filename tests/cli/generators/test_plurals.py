"""Plurals: a table of common words in both directions, and the property that leads back."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from arlen_cli.generators.names import Names
from arlen_cli.generators.plurals import plural_of, singular_of

WORDS = [tuple(line.split()) for line in (Path(__file__).parent / "plurals.txt").read_text().splitlines()]
"""Words of applications, with the plural that a reader expects."""


def test_the_table_has_the_words_of_many_applications() -> None:
    assert len(WORDS) >= 300
    assert len({singular for singular, _ in WORDS}) == len({plural for _, plural in WORDS}) == len(WORDS)


def test_each_singular_has_its_plural() -> None:
    assert [(one, plural_of(one)) for one, _ in WORDS] == WORDS


def test_each_plural_has_its_singular() -> None:
    assert [(singular_of(many), many) for _, many in WORDS] == WORDS


def test_a_singular_stays_what_it_is() -> None:
    assert [one for one, _ in WORDS if singular_of(one) != one] == []


def test_the_plural_leads_back_to_the_same_names() -> None:
    """Short words of letters that endings have stand for the words that are not in the table."""
    letters = map(
        "".join, itertools.chain.from_iterable(itertools.product("aeiouschxzyt", repeat=n) for n in (1, 2, 3, 4))
    )
    endings = ("", "s", "es", "ies", "ves", "sis", "ses", "us", "is", "as", "os", "ss")
    wrong = []
    for word in letters:
        one = singular_of(word + endings[len(word) * 7 % len(endings)])
        if singular_of(plural_of(one)) != one:
            wrong.append(one)
    assert wrong == []


@pytest.mark.parametrize(
    ("raw_name", "class_name", "table"),
    [
        ("gas", "Gas", "gases"),
        ("sms", "Sms", "sms"),
        ("wolves", "Wolf", "wolves"),
        ("pies", "Pie", "pies"),
        ("blog_canvas", "BlogCanvas", "blog_canvases"),
        ("HomeAtlases", "HomeAtlas", "home_atlases"),
        ("data", "Data", "data"),
        ("sensor-data", "SensorData", "sensor_data"),
        ("status", "Status", "statuses"),
        ("news", "News", "news"),
        ("series", "Series", "series"),
        ("pokemon", "Pokemon", "pokemon"),
        ("s", "S", "s"),
    ],
)
def test_classes_and_tables_are_named_by_the_whole_word(raw_name: str, class_name: str, table: str) -> None:
    names = Names.of(raw_name)
    assert (names.class_name, names.plural) == (class_name, table)
    assert Names.of(names.plural) == Names.of(names.plural, singular=names.singular)
