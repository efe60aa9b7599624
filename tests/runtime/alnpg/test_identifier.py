"""A name that PostgreSQL would cut is refused, in bytes as the server counts them."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from arlen_runtime.alnpg.identifier import MAX_BYTES, invalid_reason

NAMES = [
    "n" * 63,
    "n" * 64,
    "ä" * 31,
    "ä" * 32,
    "a" + "ä" * 31,
    "a" * 61 + "€",
    "a" * 60 + "€",
    "🐘" * 15,
    "🐘" * 16,
    'a"b c',
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_refused_exactly_when_the_server_cuts_it(database_url: str, name: str) -> None:
    with psycopg.connect(database_url, client_encoding="utf8") as connection:
        cursor = connection.execute(SQL("select 1 as {}").format(Identifier(name)))
        assert cursor.description is not None
        kept = cursor.description[0].name
    reason = invalid_reason("the column", name)
    assert (reason == "") == (kept == name)
    if reason:
        assert f"{len(name.encode())} bytes" in reason
        assert str(MAX_BYTES) in reason
        assert f"it would be {kept!r}" in reason


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "the role has an empty name"),
        ("a\0b", r"the role 'a\x00b' has a name with a NUL, where PostgreSQL would end it"),
        ("\ud800", r"the role '\ud800' has a name with a lone surrogate, which UTF-8 cannot represent"),
    ],
)
def test_a_name_that_cannot_be_sent_is_refused(name: str, message: str) -> None:
    assert invalid_reason("the role", name) == message
